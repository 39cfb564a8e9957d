"""The benchmark from the movie to the page: on a bare machine, in pieces, and with the same numbers again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import self_reenactment
from footage import OpenCvMovie, stored_crops

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import read_landmarks, write_landmarks
from dvp_core.data.take import read_take
from dvp_core.video import encode_movie, open_clip

ROOT = Path(__file__).resolve().parents[2]
MISSING = ("av", "OpenEXR", "tyro", "rich", "bpy", "ray", "pydantic", "c2pa", "cryptography")
FRAMES = 78  # two thirds are 52, and 50 are the least that training accepts
BARE = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({MISSING!r}))  # None in sys.modules makes an import fail
sys.argv = sys.argv[1:]
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "benchmarks")!r}]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The first seconds of the built-in actor, with landmarks beside."""
    path = tmp_path_factory.mktemp("clip") / "small.mp4"
    source = open_clip(actor_clip_path())
    encode_movie(path, source.iterate(0, FRAMES), fps=source.clip.fps)
    write_landmarks(path.with_suffix(".npz"), read_landmarks(actor_landmarks_path()).part(0, FRAMES))
    return path


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("output")


def words(clip, output, *more):
    landmarks = str(clip.with_suffix(".npz"))
    sizes = ("--steps", "6", "--resolution", "64", "--threads", "1", "--device", "cpu")
    return [str(clip), "--landmarks", landmarks, "--output", str(output), *sizes, *more]


@pytest.fixture(scope="module")
def bare(clip, output):
    """The finished process of a run without the libraries that a bare machine lacks."""
    command = [sys.executable, "-c", BARE, str(ROOT / "benchmarks" / "self_reenactment.py"), *words(clip, output)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_bare_machine_tracks_trains_and_measures(bare, output):
    assert bare.returncode == 0, bare.stderr
    content = json.loads(bare.stdout.splitlines()[-1])
    assert content["is_finished"]
    assert list(content["presets"]) == ["fast", "nearest"]
    assert content["presets"]["fast"]["steps"] == 6
    assert 5 < content["presets"]["fast"]["psnr"] < 60
    assert content["presets"]["nearest"]["pose_error_deg"] > 0
    assert content["presets"]["nearest"]["retracked_frames"] == FRAMES // 3
    assert "OpenCV reads the movie" in bare.stderr
    for suffix in ("html", "png", "json"):
        assert (output / f"comparison.{suffix}").stat().st_size > 500
    assert not (output / "images").exists()


def test_what_is_finished_stands_as_it_is(bare, clip, output, monkeypatch, capsys):
    """The take of the bare run serves here, and neither training nor measuring is done again."""
    assert bare.returncode == 0
    for name in ("train_on", "evaluate_take", "tracked_take"):
        monkeypatch.delattr(self_reenactment, name)
    assert self_reenactment.main(words(clip, output, "--take", str(output / "clip.take"))) == 0
    assert json.loads(capsys.readouterr().out)["presets"] == json.loads(bare.stdout.splitlines()[-1])["presets"]


def test_a_report_that_lacks_something_is_made_again(bare, output, tmp_path):
    assert bare.returncode == 0
    whole = (output / "fast" / "report.json").read_text()
    (tmp_path / "report.json").write_text(whole)
    assert self_reenactment.standing_report(tmp_path / "report.json") is not None
    (tmp_path / "report.json").write_text(whole.replace('"ssim_mouth"', '"other"'))
    assert self_reenactment.standing_report(tmp_path / "report.json") is None
    assert self_reenactment.standing_report(tmp_path / "missing.json") is None


def test_other_options_are_trained_anew(bare, clip, output, monkeypatch):
    assert bare.returncode == 0
    take = read_take(output / "clip.take")
    arguments = self_reenactment.parsed(words(clip, output))
    options = self_reenactment.options_of("fast", None, arguments)
    path = output / "fast.safetensors"
    assert self_reenactment.is_trained(path, take.sha256, options)
    assert not self_reenactment.is_trained(path, "0" * 64, options)
    arguments.steps = 7
    assert not self_reenactment.is_trained(path, take.sha256, self_reenactment.options_of("fast", None, arguments))


def test_a_run_in_pieces_gives_the_same_numbers(bare, clip, output, tmp_path, monkeypatch, capsys):
    """Stopped in the middle of training, then again while measuring; take and crops come from the other machine."""
    whole = json.loads(bare.stdout.splitlines()[-1])["presets"]
    for name in ("crops.npy", "crops.json"):
        shutil.copy(output / name, tmp_path)
    own = words(clip, tmp_path, "--take", str(output / "clip.take"))
    monkeypatch.setattr(self_reenactment, "Clock", lambda minutes: StoppingAt("training", 3))
    assert self_reenactment.main(own) == 0
    assert not json.loads(capsys.readouterr().out)["is_finished"]
    assert (tmp_path / "fast.safetensors.training" / "state.safetensors").is_file()
    monkeypatch.setattr(self_reenactment, "Clock", lambda minutes: StoppingAt("evaluation", 4))
    assert self_reenactment.main(own) == 0
    assert "same command goes on" in capsys.readouterr().err
    assert (tmp_path / "fast.safetensors").is_file()
    monkeypatch.undo()
    assert self_reenactment.main(own) == 0
    pieces = json.loads(capsys.readouterr().out)
    assert pieces["is_finished"]
    for way in ("fast", "nearest"):
        assert without_times(pieces["presets"][way]) == without_times(whole[way])


def without_times(row):
    return {name: value for name, value in row.items() if name not in ("images_per_s", "inference_ms")}


class StoppingAt(self_reenactment.Clock):
    """Runs out of time at a given step of a stage."""

    def __init__(self, stage, step):
        super().__init__(None)
        self.stage, self.step = stage, step

    def __call__(self, stage, done, total):
        if (stage, done) == (self.stage, self.step):
            raise self_reenactment.OutOfTime


def test_time_that_is_over_stops_what_can_be_taken_up_again_alone():
    clock = self_reenactment.Clock(-1.0)
    clock("shape", 1, 2)
    clock("training", 2, 2)
    with pytest.raises(self_reenactment.OutOfTime):
        clock("training", 1, 2)
    self_reenactment.Clock(None)("training", 1, 2)


def test_both_readers_see_the_same_movie(clip):
    exact, other = open_clip(clip), OpenCvMovie(clip)
    assert other.clip == exact.clip
    for index in (0, 40, 41, 7, FRAMES - 1):
        difference = np.abs(other.read(index).astype(int) - exact.read(index))
        assert difference.mean() < 4.0  # OpenCV takes every movie for BT.601; another frame lies above that
    assert np.abs(other.read(20).astype(int) - exact.read(30)).mean() > 4.0
    with pytest.raises(DataError, match="no picture"):
        other.read(FRAMES)


def test_another_movie_than_the_takes_is_refused(bare, output, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match="its sha256 is"):
        stored_crops(read_take(output / "clip.take"), actor_clip_path(), tmp_path)
    assert not list(tmp_path.iterdir())
