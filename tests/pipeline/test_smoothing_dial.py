"""The dial in the line: a clip is tracked once, however often the dial is turned."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import write_face_model
from dvp_core.data.landmark_track import LandmarkTrack, write_landmarks
from dvp_core.data.measurement import Measurement
from dvp_core.data.take import read_take
from dvp_core.edit import DEFAULT_SMOOTHING, smooth
from dvp_core.pipeline import track as tracking
from dvp_core.pipeline.perform import edit_take
from dvp_core.video import open_clip, write_png


def as_measured(take):
    """The take as a tracker returns it: seen as measured."""
    count, expressions = take.expression.shape
    measured = Measurement(
        head_rotation_wxyz=take.head_rotation_wxyz,
        head_translation_m=take.head_translation_m,
        expression=take.expression,
        gaze_rad=take.gaze_rad,
        rotation_sigma_rad=np.full((count, 3), 0.02, np.float32),
        translation_sigma_m=np.full((count, 3), 0.02, np.float32),
        expression_sigma=np.full((count, expressions), 0.3, np.float32),
        gaze_sigma_rad=np.full((count, 2, 2), 0.2, np.float32),
    )
    return replace(take, measured=measured)


@pytest.fixture
def track_with(tmp_path, tiny_take, tiny_face, monkeypatch):
    """Tracks a small clip by a stand-in for the tracker, and counts how often that ran."""
    (tmp_path / "plate").mkdir()
    for frame in range(101, 107):
        write_png(tmp_path / "plate" / f"plate.{frame:04d}.png", np.full((64, 96, 3), frame, np.uint8))
    clip = open_clip(tmp_path / "plate", fps=Fraction(25)).clip
    write_face_model(tmp_path / "tiny.face.npz", tiny_face)
    points = np.zeros((6, 68, 2), np.float32)
    write_landmarks(
        tmp_path / "p.npz", LandmarkTrack(points, np.ones((6, 68), np.float32), np.ones(6, np.bool_), (96, 64))
    )
    raw, runs = as_measured(replace(tiny_take, clip=clip)), []

    def stand_in(*_arguments, **_options):
        runs.append(1)
        return raw

    monkeypatch.setattr(tracking, "track", stand_in)

    def run(**options):
        take = tracking.track_clip(
            tmp_path / "plate",
            tmp_path / "a.take",
            landmarks=tmp_path / "p.npz",
            face_model=tmp_path / "tiny.face.npz",
            fps=Fraction(25),
            **options,
        )
        assert read_take(tmp_path / "a.take").sha256 == take.sha256
        return take, len(runs)

    return run


def test_a_clip_is_tracked_once_and_the_dial_turned_from_what_was_measured(track_with):
    first, _ = track_with()
    assert first.smoothing == DEFAULT_SMOOTHING
    raw, runs = track_with(smoothing=0.0)
    assert runs == 1
    np.testing.assert_array_equal(raw.expression, raw.measured.expression)
    assert np.abs(first.expression - raw.expression).max() > 0.01
    again, runs = track_with()
    assert (again.sha256, runs) == (first.sha256, 1)
    assert track_with(face=1)[1] == 2


def test_a_wrong_strength_is_said_before_the_work(track_with):
    with pytest.raises(DataError, match="expected 0 to 1"):
        track_with(smoothing=2.0)
    assert track_with()[1] == 1


def test_the_dial_of_a_file_is_turned_in_place_and_before_edits(track_with, tmp_path):
    calm, _ = track_with(smoothing=0.9)
    path = tmp_path / "a.take"
    assert edit_take(path, tmp_path / "same.take").sha256 == calm.sha256
    assert edit_take(path, tmp_path / "b.take", smoothing=0.2).sha256 == smooth(calm, 0.2).sha256
    assert tracking.smooth_take(path, path, strength=0.0).sha256 == smooth(calm, 0.0).sha256
    assert read_take(path).smoothing == 0.0
