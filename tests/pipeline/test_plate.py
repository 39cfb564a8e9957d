"""What `dvp track --lens --pixel-aspect` gives to the tracker, and what it keeps in the recipe."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import dvp_core.pipeline.track as pipeline
from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks, write_landmarks
from dvp_core.data.lens import LensDistortion, write_lens
from dvp_core.data.take import read_take
from dvp_core.maths.lens import PlateCorrection
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.plate import corrected_points
from dvp_core.pipeline.track import track_clip
from dvp_core.video import write_png
from tests.video.media import numbered_frame, write_movie

SIZE_WH = (64, 48)
LENS = LensDistortion(SIZE_WH, (50.0, 100.0), (31.0, 25.0), -0.05)


@pytest.fixture
def shot(tmp_path):
    """Two pictures, their points and the lens."""
    (tmp_path / "plate").mkdir()
    random = np.random.default_rng(0)
    for number in (1, 2):
        write_png(tmp_path / f"plate/a.{number:04d}.png", random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    points = random.uniform(10, 40, (2, 478, 2))
    points[1] = 0
    is_detected = np.array([True, False])
    confidence = np.repeat(is_detected.astype(np.float32)[:, None], 478, axis=1)
    depth = np.where(is_detected[:, None], random.normal(0, 9, (2, 478)), 0)
    write_landmarks(
        tmp_path / "a.npz", LandmarkTrack(points, confidence, is_detected, SIZE_WH, Fraction(25), depth=depth)
    )
    write_lens(tmp_path / "lens.json", LENS)
    return tmp_path


@pytest.fixture
def seen(monkeypatch, tiny_take):
    """What the tracker was given."""
    given = {}

    def track(source, landmarks, model, *, options, cuts, table, batches, progress):
        given.update(source=source, landmarks=landmarks, options=options, cuts=cuts)
        clip = replace(source.clip, frame_count=tiny_take.frame_count)
        return replace(tiny_take, clip=clip)

    monkeypatch.setattr(pipeline, "track", track)
    return given


def words(shot, *more: str) -> list[str]:
    return ["track", str(shot / "plate"), "-o", str(shot / "a.take"), "--landmarks", str(shot / "a.npz"), *more]


def test_the_tracker_sees_the_corrected_plate_and_points(shot, seen):
    assert run(words(shot, "--lens", str(shot / "lens.json"), "--pixel-aspect", "2:1")) == 0
    correction = PlateCorrection(LENS, Fraction(2), SIZE_WH)
    raw, points = read_landmarks(shot / "a.npz"), seen["landmarks"]
    assert points.points_px[0] == pytest.approx(correction.corrected_px(raw.points_px[0]))
    assert not points.points_px[1].any()
    assert raw.depth is not None
    assert points.depth == pytest.approx(2 * raw.depth)
    assert points.size_wh == (128, 48)
    assert seen["source"].read(1).shape == (48, 128, 3)
    assert seen["options"].focal_px == 100
    recorded = json.loads((shot / "a.take.recipe.json").read_text())["settings"]["plate"]
    assert recorded["pixel_aspect"] == "2"
    assert recorded["lens"]["k1"] == -0.05
    assert read_take(shot / "a.take").clip.width_px == 128


def test_a_take_of_the_corrected_plate_does_not_fit_the_plate_as_filmed(shot, seen):
    assert run(words(shot, "--pixel-aspect", "2:1")) == 0
    with pytest.raises(DataError, match="not the clip the take was tracked from"):
        open_clip_of(read_take(shot / "a.take"), shot / "plate")


def test_another_lens_is_another_take_and_the_same_is_no_work(shot, seen):
    lens = ["--lens", str(shot / "lens.json"), "--pixel-aspect", "2"]
    assert run(words(shot, *lens)) == 0
    seen.clear()
    assert run(words(shot, *lens)) == 0
    assert not seen
    write_lens(shot / "lens.json", replace(LENS, k1=-0.04))
    assert run(words(shot, *lens)) == 0
    assert seen


def test_a_given_focal_length_stands_above_the_lens(shot, seen):
    assert run(words(shot, "--lens", str(shot / "lens.json"), "--pixel-aspect", "2:1", "--focal-px", "77")) == 0
    assert seen["options"].focal_px == 77


def test_without_lens_and_aspect_nothing_is_touched(shot, seen):
    assert run(words(shot, "--pixel-aspect", "1:1")) == 0
    assert seen["source"].clip.width_px == 64
    assert seen["options"].focal_px is None
    assert corrected_points(seen["landmarks"], None) is seen["landmarks"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(60000, 1001)])
def test_film_and_double_rates_are_exact_in_the_take_and_in_points(tmp_path, seen, fps, suffix):
    filmed = write_movie(tmp_path / f"a{suffix}", map(numbered_frame, range(12)), fps=fps)
    confidence = np.ones((12, 68), np.float32)
    track = LandmarkTrack(np.full((12, 68, 2), 30.0), confidence, np.ones(12, bool), (96, 64), fps)
    write_landmarks(tmp_path / "a.npz", track)
    take = track_clip(filmed, tmp_path / "a.take", landmarks=tmp_path / "a.npz")
    assert seen["source"].clip.fps == seen["landmarks"].fps == fps
    assert take.clip.fps == read_take(tmp_path / "a.take").clip.fps == fps


@pytest.mark.parametrize("text", ["two", "1:0", "-1", "9:1"])
def test_what_is_no_aspect_is_refused(shot, seen, text):
    assert run(words(shot, f"--pixel-aspect={text}")) == 1
    assert not seen
