"""`dvp check` from files to page, on pictures bent from the built-in actor's plate."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dvp_core.actor import actor_clip_path
from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.pipeline.check import FAULTY, check_render
from dvp_core.video import write_png

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import self_check as benchmark

COUNT = 16


@pytest.fixture(scope="module")
def base(actor_take):
    return benchmark.base_of(actor_take, 80, COUNT, np.random.default_rng(0), variants=())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, actor_take, base):
    folder = tmp_path_factory.mktemp("check")
    write_take(folder / "clip.take", actor_take)
    write_take(folder / "edited.take", base.edited)
    return folder


def rendered(folder, name, base, kind=None, left_out=()):
    """Write a render with a fault, or without."""
    made, where = benchmark.render(base, kind, np.random.default_rng(7))
    for index, (frame, picture) in enumerate(zip(base.frames, made, strict=True)):
        if index not in left_out:
            write_png(folder / name / f"frame.{frame:04d}.png", picture)
    return where


def words_for(folder, name):
    words = ["check", str(folder / name), "-o", str(folder / f"{name}_report")]
    return [*words, *(f"--{key}={folder / file}" for key, file in (("take", "edited.take"), ("unedited", "clip.take")))]


def test_a_good_render_passes(folder, base, capsys):
    rendered(folder, "good", base)
    assert run([*words_for(folder, "good"), "--clip", str(actor_clip_path()), "--json"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["faults"] == []
    assert printed["checked"] == COUNT
    assert "Nothing is wrong" in err
    report = json.loads((folder / "good_report" / "check.json").read_text())
    jaw = next(channel for channel in report["channels"] if channel["name"].startswith("jaw"))
    assert len(jaw["asked"]) == len(jaw["got"]) == COUNT
    assert np.corrcoef(jaw["asked"], jaw["got"])[0, 1] > 0.8
    page = (folder / "good_report" / "check.html").read_text()
    assert "Nothing is wrong" in page
    assert page.count("<svg") == len(report["channels"])


def test_a_bad_render_fails_with_its_frames_and_pictures(folder, base, capsys):
    where = rendered(folder, "bad", base, "black")
    assert run([*words_for(folder, "bad"), "--clip", str(actor_clip_path())]) == FAULTY
    assert "black" in capsys.readouterr().err
    (fault,) = json.loads((folder / "bad_report" / "check.json").read_text())["faults"]
    numbers = base.frames.numbers[where]
    assert fault["frames"] in (f"{numbers[0]}-{numbers[-1]}", str(numbers[0]))
    assert "<figure>" in (folder / "bad_report" / "check.html").read_text()


def test_what_does_not_belong_together_is_refused(folder, base, tmp_path):
    paths = {"take": folder / "edited.take", "clip": actor_clip_path(), "unedited": folder / "clip.take"}
    rendered(folder, "few", base, left_out=range(1, COUNT, 2))
    with pytest.raises(DataError, match="consecutive frames"):
        check_render(folder / "few", **paths, output=tmp_path)
    for frame in base.frames:
        write_png(folder / "small" / f"frame.{frame:04d}.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DataError, match="64 x 64 pixels"):
        check_render(folder / "small", **paths, output=tmp_path)


def test_a_gap_is_a_fault(folder, base, tmp_path):
    rendered(folder, "gap", base, left_out=(13, 14))
    paths = {"take": folder / "edited.take", "clip": actor_clip_path(), "unedited": folder / "clip.take"}
    result = check_render(folder / "gap", **paths, output=tmp_path)
    missing = [fault for fault in result["faults"] if fault["kind"] == "missing"]
    assert [fault["frames"] for fault in missing] == [f"{base.frames.numbers[13]}-{base.frames.numbers[14]}"]
    assert result["exit_code"] == FAULTY
