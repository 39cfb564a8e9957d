"""The frames that tell most about a shot: its ends and middle, and where the curves of its take are at their ends."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import TRACKED_TAKE, write_take
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector
from dvp_core.pipeline.first_frames import extreme_frames, first_frames

COUNT = 60


@pytest.fixture
def still(tiny_take):
    """A take of sixty frames in which nothing moves."""
    arrays = {
        name: np.repeat(getattr(tiny_take, name)[:1], COUNT, axis=0)
        for name in ("head_translation_m", "expression", "gaze_rad", "illumination_sh", "is_tracked")
    }
    errors = {name: np.zeros(COUNT, np.float32) for name in ("landmark_error_px", "photometric_error")}
    rotation = np.repeat(facing_camera_rotation_wxyz()[None].astype(np.float32), COUNT, axis=0)
    clip = replace(tiny_take.clip, frame_count=COUNT, start_frame=101)
    changes = {"head_rotation_wxyz": rotation, "clip": clip, "measured": None, "shot_starts": ()}
    return replace(tiny_take, **arrays, **errors, **changes)


def turned(take, frame, *, yaw_rad):
    turn = quaternion_wxyz_from_rotation_vector(np.array([0.0, yaw_rad, 0.0]))
    rotation = take.head_rotation_wxyz.copy()
    rotation[take.index_of(frame)] = multiply_quaternions(rotation[take.index_of(frame)], turn)
    return replace(take, head_rotation_wxyz=rotation)


def with_jaw(take, frame, value):
    expression = take.expression.copy()
    expression[take.index_of(frame), take.expression_names.index("jawOpen")] = value
    return replace(take, expression=expression)


def test_extremes_are_where_the_curves_end(still):
    take = with_jaw(turned(turned(still, 120, yaw_rad=0.4), 131, yaw_rad=-0.3), 144, 0.9)
    found = extreme_frames(take, FrameRange.span(101, 160))
    assert {120, 131, 144} <= set(found)
    assert 144 not in extreme_frames(take, FrameRange.span(101, 140))
    assert extreme_frames(take, FrameRange.span(1, 50)) == ()


def test_ends_and_middle_come_first_then_the_edited_take_s_extremes(still, tmp_path):
    frames = FrameRange.span(101, 160)
    write_take(tmp_path / TRACKED_TAKE, with_jaw(still, 110, 0.9))
    assert first_frames(tmp_path, frames) == (101, 131, 160, 110)
    write_take(tmp_path / "edited.take", with_jaw(still, 117, 0.9))
    assert first_frames(tmp_path, frames) == (101, 131, 160, 117)


def test_without_a_take_they_are_spread(tmp_path):
    found = first_frames(tmp_path, FrameRange.span(1, 80))
    assert found[:3] == (1, 41, 80)
    assert sorted(found) == [1, 11, 21, 31, 41, 51, 61, 71, 80]
    (tmp_path / TRACKED_TAKE).write_bytes(b"no take")
    assert first_frames(tmp_path, FrameRange.span(1, 80)) == found


def test_a_short_shot_needs_no_order(tmp_path):
    assert first_frames(tmp_path, FrameRange.span(1, 24)) == ()
