"""Recordings in and takes out, from words to files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.face_model import write_face_model
from dvp_core.data.take import read_take, write_take


@pytest.fixture
def take_path(tmp_path, tiny_take):
    write_take(tmp_path / "tiny.take", tiny_take)
    return tmp_path / "tiny.take"


@pytest.fixture
def recording(tmp_path):
    """A second of a jaw that opens, at 60 frames a second, with a column nobody knows."""
    lines = ["Timecode,BlendShapeCount,JawOpen,CheekPuff,Weather"]
    lines += [f"09:00:00:{frame:02d}.000,61,{frame / 60},0.1,fine" for frame in range(60)]
    lines += ["09:00:01:00.000,61,1,0.1,fine"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    return tmp_path / "a.csv"


def said(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_recording_becomes_a_source_for_transfers(tmp_path, take_path, recording, tiny_take, capsys):
    source = tmp_path / "source.take"
    assert run(["import-performance", str(recording), "--take", str(take_path), "-o", str(source), "--json"]) == 0
    spoken = capsys.readouterr()
    figures = json.loads(spoken.out.splitlines()[-1])
    assert figures["take"] == str(source)
    assert figures["fps"] == "60"
    assert figures["driven"] == ["jawOpen"]
    assert figures["undriven"] == ["mouthSmileLeft"]
    assert figures["unused"] == ["cheekPuff"]
    assert figures["ignored_columns"] == ["Weather"]
    assert figures["covered_frames"] == 6
    assert "not on this face: cheekPuff" in spoken.err
    np.testing.assert_allclose(read_take(source).expression[:, 0], np.arange(6) / 25, atol=1e-6)
    output = tmp_path / "c.take"
    words = ["transfer", "--source", str(source), "--target", str(take_path), "-o", str(output), "--mode", "absolute"]
    assert run(words) == 0
    np.testing.assert_allclose(read_take(output).expression[:, 0], np.arange(6) / 25, atol=1e-6)


def test_the_first_sample_falls_on_the_frame_that_is_given(tmp_path, take_path, recording):
    words = ["import-performance", str(recording), "--take", str(take_path), "-o", str(tmp_path / "b.take")]
    assert run([*words, "--start", "91", "--undriven", "rest"]) == 0
    result = read_take(tmp_path / "b.take")
    np.testing.assert_allclose(result.expression[:, 0], (10 + np.arange(6)) / 25, atol=1e-6)
    assert not result.expression[:, 1].any()


def test_a_mirrored_recording_changes_sides(tmp_path, take_path):
    (tmp_path / "a.csv").write_text("time,mouthSmileRight\n0,0\n1,1\n")
    words = ["import-performance", str(tmp_path / "a.csv"), "--take", str(take_path), "-o", str(tmp_path / "b.take")]
    assert run(words) == 1
    assert run([*words, "--mirror"]) == 0
    np.testing.assert_allclose(read_take(tmp_path / "b.take").expression[:, 1], np.arange(6) / 25, atol=1e-6)


def test_a_recording_without_eye_angles_may_turn_the_eyes(tmp_path, take_path, capsys):
    names = [f"eyeLook{where}{side}" for where in ("In", "Out", "Up", "Down") for side in ("Left", "Right")]
    rows = [
        "\t".join(["time", "jawOpen", *names]),
        *("\t".join([str(row), *["0.5"] * 5, *["0"] * 4]) for row in (0, 1)),
    ]
    (tmp_path / "a.tsv").write_text("\n".join(rows))
    words = ["import-performance", str(tmp_path / "a.tsv"), "--take", str(take_path), "-o", str(tmp_path / "b.take")]
    assert run([*words, "--gaze-from-shapes", "--json"]) == 0
    assert said(capsys)["channels"] == ["expression", "gaze"]
    np.testing.assert_allclose(read_take(tmp_path / "b.take").gaze_rad, 0, atol=1e-7)


def test_every_curve_of_a_take_goes_out_and_in_again(tmp_path, take_path, tiny_take):
    assert run(["export", str(take_path), "-o", str(tmp_path / "a.tsv")]) == 0
    words = ["import-performance", str(tmp_path / "a.tsv"), "--take", str(take_path), "-o", str(tmp_path / "b.take")]
    assert run(words) == 0
    back = read_take(tmp_path / "b.take")
    for name in ("expression", "gaze_rad", "head_translation_m"):
        np.testing.assert_allclose(getattr(back, name), getattr(tiny_take, name), atol=1e-6)
    agreement = np.abs((back.head_rotation_wxyz * tiny_take.head_rotation_wxyz).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-6)


def test_an_export_is_read_back(tmp_path, take_path, tiny_take, capsys):
    assert run(["export", str(take_path), "-o", str(tmp_path / "a.csv"), "--json"]) == 0
    assert len(said(capsys)["written_as_zero"]) == 50
    back = tmp_path / "back.take"
    words = ["import-performance", str(tmp_path / "a.csv"), "--take", str(take_path), "-o", str(back)]
    assert run([*words, "--fps", "25"]) == 0
    np.testing.assert_allclose(read_take(back).expression, tiny_take.expression, atol=1e-6)
    np.testing.assert_allclose(read_take(back).gaze_rad, tiny_take.gaze_rad, atol=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ["import-performance", "{folder}/none.csv"],
        ["import-performance", "{recording}", "--start", "900"],
        ["import-performance", "{recording}", "--channels", "gaze"],
        ["import-performance", "{recording}", "--channels", "ears"],
        ["import-performance", "{recording}", "--fps", "0"],
        ["import-performance", "{recording}", "--fps", "24"],
        ["import-performance", "{recording}", "--names", "{folder}/none.txt"],
        ["export", "{folder}/none.take"],
    ],
)
def test_what_fails_says_so_and_leaves_the_output_alone(tmp_path, take_path, recording, capsys, words):
    output = tmp_path / "out.csv"
    output.write_text("precious")
    words = [word.format(folder=tmp_path, recording=recording) for word in words]
    if words[0] == "import-performance":
        words += ["--take", str(take_path)]
    assert run([*words, "-o", str(output)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert output.read_text() == "precious"
    assert not list(tmp_path.glob(".out*"))


def test_a_scene_is_exported_by_its_ending(tmp_path, take_path, capsys):
    assert run(["export", str(take_path), "-o", str(tmp_path / "a.GLB"), "--json"]) == 0
    figures = said(capsys)
    assert (figures["frame_count"], figures["expressions"], figures["vertices"]) == (6, 2, 89)
    assert (tmp_path / "a.GLB").read_bytes()[:4] == b"glTF"


def test_a_face_that_may_not_be_carried_is_asked_for(tmp_path, tiny_take, tiny_face, capsys):
    take = replace(tiny_take, face=None, face_model_sha256=tiny_face.sha256)
    write_take(tmp_path / "bare.take", take)
    words = ["export", str(tmp_path / "bare.take"), "-o", str(tmp_path / "a.glb")]
    assert run(words) == 1
    assert "--face-model" in capsys.readouterr().err
    write_face_model(tmp_path / "tiny.face.npz", tiny_face)
    assert run([*words, "--face-model", str(tmp_path / "tiny.face.npz")]) == 0


def test_an_ending_that_names_no_kind_is_refused(tmp_path, take_path, capsys):
    assert run(["export", str(take_path), "-o", str(tmp_path / "a.fbx")]) == 1
    assert ".fbx" in capsys.readouterr().err
