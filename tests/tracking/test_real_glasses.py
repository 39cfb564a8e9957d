"""A real person with spectacles, who looks down and up again: the lids are his own, not the frames'."""

from dataclasses import dataclass

import numpy as np
import pytest

from dvp_core.data.files import read_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_definitions import ibug_points
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.data.take import Take
from dvp_core.face import import_ict
from dvp_core.pipeline.clips import part_of
from dvp_core.tracking import TrackOptions, track
from dvp_core.video import open_clip

FIRST, COUNT = 505, 48  # one long closing of the eyes, and the beginning of another


@dataclass(frozen=True)
class Seen:
    take: Take
    points: LandmarkTrack
    scores: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def seen(test_data) -> Seen:
    file = test_data / "clips/man_glasses.landmarks.npz"
    arrays = read_arrays(file)
    points = read_landmarks(file).part(FIRST, FIRST + COUNT)
    source = open_clip(test_data / "clips/man_glasses.mp4")
    first = source.clip.start_frame + FIRST
    part = part_of(source, FrameRange.span(first, first + COUNT - 1))
    model = import_ict(test_data / "ict_facekit/ict_facekit.npz")
    take = track(part, points, model, options=TrackOptions(key_frame_count=6))
    names = [str(name) for name in arrays["blendshape_names"]]
    scores = {name: arrays["blendshapes"][FIRST : FIRST + COUNT, place] for place, name in enumerate(names)}
    return Seen(take, points, scores)


def test_no_frame_is_lost_and_the_points_are_met(seen):
    assert seen.take.is_tracked.all()
    corners = ibug_points(seen.points)[:, [36, 45]]
    eye_distance_px = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)
    assert (seen.take.landmark_error_px / eye_distance_px).max() < 0.035  # 0.018 usually
    assert seen.take.photometric_error.mean() < 0.05


def test_no_expression_is_pinned(seen):
    assert ((seen.take.expression > 0.999).mean(axis=0) < 0.1).all()


@pytest.mark.parametrize("name", ["eyeBlinkLeft", "eyeBlinkRight"])
def test_lids_close_when_the_detector_says_so(seen, name):
    lid, score = seen.take.expression[:, seen.take.expression_names.index(name)], seen.scores[name]
    assert np.corrcoef(lid, score)[0, 1] > 0.9
    assert lid[score < 0.15].max() < 0.25
    assert lid[score > 0.75].min() > 0.5


def test_gaze_is_sane(seen):
    gaze = np.degrees(seen.take.gaze_rad)
    assert np.abs(gaze).max() < 25
    assert np.abs(gaze[:, 0] - gaze[:, 1]).max() < 15
    to_his_left = sum(seen.scores[name] for name in ("eyeLookOutLeft", "eyeLookInRight"))
    to_his_left = to_his_left - sum(seen.scores[name] for name in ("eyeLookInLeft", "eyeLookOutRight"))
    assert np.corrcoef(to_his_left, gaze[..., 0].mean(axis=1))[0, 1] > 0.5
