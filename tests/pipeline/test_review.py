"""What is told, drawn and written after tracking, on a small take made in code and on the built-in actor."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack, write_landmarks
from dvp_core.data.lens import LensDistortion, write_lens
from dvp_core.data.take import read_take, write_take
from dvp_core.maths.lens import PlateCorrection
from dvp_core.pipeline import track as tracking
from dvp_core.pipeline.recipe import recipe_of, record
from dvp_core.pipeline.review import doubts_summary, overlay_movie
from dvp_core.pipeline.track import tracking_figures
from dvp_core.trust import verify
from dvp_core.video import open_clip, undistorted, write_png


def lost_in(take, *indices):
    """The take without a face in some frames."""
    is_tracked = take.is_tracked.copy()
    is_tracked[list(indices)] = False
    return replace(take, is_tracked=is_tracked)


def test_a_clean_take_is_one_line_and_no_doubt(tiny_take):
    calm = replace(tiny_take, expression=np.zeros_like(tiny_take.expression), gaze_rad=0 * tiny_take.gaze_rad)
    assert doubts_summary(calm) == "Nothing doubtful in 6 frames.\n"
    assert tracking_figures(calm)["doubtful_frames"] == []


def test_what_is_doubtful_is_told_with_what_to_do(tiny_take):
    take = lost_in(replace(tiny_take, gaze_rad=0 * tiny_take.gaze_rad, expression=0 * tiny_take.expression), 2, 3)
    said = doubts_summary(take)
    assert said.startswith("2 of 6 frames are doubtful:")
    assert "103-104" in said
    assert "Key these frames by hand" in said
    (figure,) = tracking_figures(take)["doubtful_frames"]
    assert figure["frames"] == "103-104"
    assert figure["channel"] == "face"


@pytest.fixture
def shot(tmp_path, tiny_take):
    """A plate of six pictures, its take with two frames lost, and points."""
    (tmp_path / "plate").mkdir()
    for frame in range(101, 107):
        write_png(tmp_path / "plate" / f"plate.{frame:04d}.png", np.full((64, 96, 3), frame, np.uint8))
    clip = open_clip(tmp_path / "plate", fps=Fraction(25)).clip
    write_take(tmp_path / "a.take", lost_in(replace(tiny_take, clip=clip), 2, 3))
    points = np.random.default_rng(0).uniform(20, 60, (6, 68, 2))
    write_landmarks(
        tmp_path / "p.npz", LandmarkTrack(points, np.ones((6, 68), np.float32), np.ones(6, np.bool_), (96, 64))
    )
    return tmp_path


def overlay_words(shot, *more):
    words = ["overlay", str(shot / "a.take"), "--clip", str(shot / "plate"), "-o", str(shot / "o.mp4"), "--json"]
    return [*words, "--landmarks", str(shot / "p.npz"), *more]


def test_an_overlay_movie_is_labelled_and_not_made_twice(shot, capsys):
    assert run(overlay_words(shot)) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"overlay": str(shot / "o.mp4")}
    movie = open_clip(shot / "o.mp4")
    assert (movie.clip.frame_count, movie.clip.fps) == (6, Fraction(25))
    assert movie.clip.width_px == 512
    lost = movie.read(2)[2, 256].astype(int)
    assert lost[0] > 200 > 120 > lost[2]
    assert movie.read(0)[2, 256].max() < 150
    verdict = verify(shot / "o.mp4")
    assert (verdict.code, verdict.source_type) == (0, "composite")
    made = (shot / "o.mp4").stat().st_mtime_ns
    assert run(overlay_words(shot)) == 0
    assert (shot / "o.mp4").stat().st_mtime_ns == made
    assert run(overlay_words(shot, "--frames", "102-103")) == 0
    assert open_clip(shot / "o.mp4").clip.frame_count == 2


def test_an_overlay_that_is_stopped_leaves_nothing(shot):
    def stop(stage, done, total):
        del stage, total
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        overlay_movie(shot / "a.take", shot / "plate", shot / "o.mp4", progress=stop)
    assert sorted(path.name for path in shot.iterdir()) == ["a.take", "p.npz", "plate"]


def test_files_that_do_not_belong_together_are_refused(shot, tiny_take):
    write_png(shot / "plate" / "plate.0106.png", np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(DataError, match="is not the clip the take was tracked from"):
        overlay_movie(shot / "a.take", shot / "plate", shot / "o.mp4")
    clip = open_clip(shot / "plate", fps=Fraction(25)).clip
    write_take(shot / "a.take", replace(tiny_take, clip=clip))
    with pytest.raises(DataError, match="without gaps"):
        overlay_movie(shot / "a.take", shot / "plate", shot / "o.mp4", frames=FrameRange.parse("101,103"))
    with pytest.raises(DataError, match="cannot stand"):
        overlay_movie(shot / "a.take", shot / "plate", shot / "o.gif")


def test_a_report_is_written_from_words_with_the_recipe_of_its_take(shot, capsys):
    steps = recipe_of("track", {"landmarks": shot / "p.npz"}, {"options": {"prior": {"sigma": 0.12}}, "face": 0})
    record(shot / "a.take", steps)
    words = ["report", str(shot / "a.take"), "--clip", str(shot / "plate"), "-o", str(shot / "r"), "--json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"report": str(shot / "r" / "index.html")}
    assert [path.name for path in (shot / "r").iterdir()] == ["index.html"]
    text = (shot / "r" / "index.html").read_text()
    assert "prior.sigma" in text
    assert "Frame 103: no face was found" in text
    write_take(shot / "a.take", replace(read_take(shot / "a.take"), subject="another"))
    assert run(words) == 0
    assert "No recipe stands beside the take" in (shot / "r" / "index.html").read_text()


def test_tracking_makes_overlay_and_report_where_asked(shot, tiny_take, monkeypatch, capsys):
    def stand_in(source, *_arguments, **_options):
        return replace(tiny_take, clip=source.clip)

    monkeypatch.setattr(tracking, "track", stand_in)
    words = ["track", str(shot / "plate"), "-o", str(shot / "b.take"), "--landmarks", str(shot / "p.npz")]
    words += ["--fps", "25", "--overlay", str(shot / "b.mp4"), "--report", str(shot / "b"), "--json"]
    assert run(words) == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out.splitlines()[-1])
    assert said["overlay"] == str(shot / "b.mp4")
    assert said["report"] == str(shot / "b" / "index.html")
    assert open_clip(shot / "b.mp4").clip.frame_count == 6
    assert captured.err.endswith(doubts_summary(read_take(shot / "b.take")))
    assert "made by" in (shot / "b" / "index.html").read_text()


def test_an_overlay_of_an_undistorted_plate_wants_its_lens(shot, tiny_take):
    lens = LensDistortion((96, 64), (120.0, 120.0), (48.0, 32.0), -0.05)
    write_lens(shot / "lens.json", lens)
    plate = undistorted(open_clip(shot / "plate", fps=Fraction(25)), PlateCorrection(lens, Fraction(1), (96, 64)))
    write_take(shot / "a.take", replace(tiny_take, clip=plate.clip))
    with pytest.raises(DataError, match="--lens"):
        overlay_movie(shot / "a.take", shot / "plate", shot / "o.mp4")
    overlay_movie(shot / "a.take", shot / "plate", shot / "o.mp4", lens=shot / "lens.json", landmarks=shot / "p.npz")
    assert open_clip(shot / "o.mp4").clip.frame_count == 6
