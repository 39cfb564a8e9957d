"""From a clip with known faults to the list of doubtful frames, through the tracker itself."""

from dataclasses import replace

import pytest

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.edit import DEFAULT_SMOOTHING, find_doubts, smooth
from dvp_core.face import built_in_face
from dvp_core.pipeline.clips import part_of
from dvp_core.tracking import TrackOptions, track
from dvp_core.video import open_clip

COUNT = 48
OPTIONS = TrackOptions(key_frame_count=6)


@pytest.fixture(scope="module")
def clip():
    """The built-in actor's first two seconds and their points."""
    source = open_clip(actor_clip_path())
    first = source.clip.start_frame
    part = part_of(source, FrameRange.span(first, first + COUNT - 1))
    return part, read_landmarks(actor_landmarks_path()).part(0, COUNT)


def told(source, points):
    """What is doubtful but for the gaze, which 68 points without irises tell badly."""
    take = smooth(track(source, points, built_in_face(), options=OPTIONS), DEFAULT_SMOOTHING)
    return [doubt for doubt in find_doubts(take) if doubt.channel != "gaze"]


def test_a_clean_clip_raises_no_doubt_about_head_and_face(clip):
    assert told(*clip) == []


def test_points_that_slip_and_a_face_that_is_lost_are_told_where_they_are(clip):
    source, points = clip
    slipped, is_detected = points.points_px.copy(), points.is_detected.copy()
    slipped[12, :, 0] += 15.0
    slipped[12, 30:, 1] += 8.0
    is_detected[30:38] = False
    doubts = told(source, replace(points, points_px=slipped, is_detected=is_detected))
    first = source.clip.start_frame
    bad = {(doubt.channel, str(doubt.frames)) for doubt in doubts if doubt.severity == "bad"}
    assert ("face", f"{first + 30}-{first + 37}") in bad
    assert ("points", str(first + 12)) in bad
    assert ("head", str(first + 12)) in bad
    assert {frame for doubt in doubts for frame in doubt.frames} == {first + 12, *range(first + 30, first + 38)}
