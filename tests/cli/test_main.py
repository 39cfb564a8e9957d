import json

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.take import read_take, write_take
from dvp_core.video import write_png


@pytest.fixture
def take_path(tmp_path, tiny_take):
    write_take(tmp_path / "tiny.take", tiny_take)
    return tmp_path / "tiny.take"


def test_without_words_the_commands_are_listed(capsys):
    assert run([]) == 0
    listed = capsys.readouterr().out
    for name in ("dvp track", "dvp render", "dvp export-onnx", "dvp farm submit", "dvp addon build", "dvp verify"):
        assert name in listed


def test_an_unknown_command_is_a_wrong_call_and_names_the_known(capsys):
    assert run(["tracc"]) == 2
    assert "track" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"), [(["edit"], 2), (["verify"], 64), (["edit", "--help"], 0), (["verify", "-h"], 0)]
)
def test_missing_arguments_are_a_wrong_call(words, code):
    assert run(words) == code


def test_verify_answers_by_its_exit_code(tmp_path, capsys):
    (tmp_path / "x.png").write_bytes(b"no picture")
    assert run(["verify", str(tmp_path / "x.png"), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["state"] == "unreadable"


def test_consent_is_recorded_and_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "keys"))
    (tmp_path / "plate").mkdir()
    write_png(tmp_path / "plate" / "frame.0001.png", np.zeros((8, 8, 3), np.uint8))
    record = tmp_path / "consent.json"
    words = ["consent", "new", "--clip", str(tmp_path / "plate"), "--use", "a test", "-o", str(record), "--json"]
    assert run(words) == 0
    made = json.loads(capsys.readouterr().out)
    assert run(["consent", "show", str(record), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == made["sha256"]
    record.write_text(record.read_text().replace("a test", "a film"))
    assert run(["consent", "show", str(record)]) == 1


def test_an_edit_runs_from_words_to_file(tmp_path, take_path, capsys):
    (tmp_path / "smile.json").write_text(
        json.dumps(
            {
                "version": 1,
                "curves": [{"channel": "expression.jawOpen", "frames": [101], "values": [1], "mode": "replace"}],
            }
        )
    )
    output = tmp_path / "edited.take"
    assert run(["edit", str(take_path), "-o", str(output), "--curves", str(tmp_path / "smile.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"take": str(output), "frame_count": 6}
    assert read_take(output).expression[0, 0] == pytest.approx(1.0)


def test_the_dial_of_a_take_is_turned_from_words(tmp_path, take_path, capsys):
    output = tmp_path / "calm.take"
    assert run(["smooth", str(take_path), "-o", str(output), "--strength", "0.7", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"take": str(output), "frame_count": 6, "smoothing": 0.7, "can_be_turned_back": False}
    assert read_take(output).frame_count == 6
    assert run(["smooth", str(take_path), "-o", str(output), "--strength", "1.7"]) == 1


def test_bad_input_is_one_sentence_and_exit_1(tmp_path, capsys):
    (tmp_path / "x.take").write_bytes(b"no take")
    assert run(["passes", str(tmp_path / "x.take"), "-o", str(tmp_path / "passes"), "--json"]) == 1
    spoken = capsys.readouterr()
    assert spoken.err.startswith("error: ")
    assert "x.take" in spoken.err
    assert "Traceback" not in spoken.err
    assert "x.take" in json.loads(spoken.out)["error"]
    assert not (tmp_path / "passes").exists()


@pytest.mark.parametrize("words", [["--frames", "9-1"], ["--frames", "1-5"]])
def test_frames_that_cannot_be_are_refused(tmp_path, take_path, capsys, words):
    assert run(["passes", str(take_path), "-o", str(tmp_path / "passes"), *words]) == 1
    assert "frame" in capsys.readouterr().err


def test_passes_are_written_once_and_kept(tmp_path, take_path):
    folder = tmp_path / "passes"
    assert run(["passes", str(take_path), "-o", str(folder), "--frames", "101-103"]) == 0
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.exr")}
    assert sorted(times) == [f"passes.{frame:04d}.exr" for frame in (101, 102, 103)]
    assert run(["passes", str(take_path), "-o", str(folder)]) == 0
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.exr")}.items() >= times.items()
    assert len(list(folder.glob("*.exr"))) == 6


def test_transfer_of_a_take_onto_itself_changes_nothing(tmp_path, take_path, tiny_take):
    output = tmp_path / "same.take"
    words = ["transfer", "--source", str(take_path), "--target", str(take_path), "-o", str(output)]
    assert run([*words, "--strength", "mouth=0.5", "brows=0.2"]) == 0
    np.testing.assert_allclose(read_take(output).head_rotation_wxyz, tiny_take.head_rotation_wxyz, atol=1e-6)
