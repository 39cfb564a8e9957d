"""Laws of keyed edits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvp_core.data.edit import Curve, Edit
from dvp_core.data.errors import DataError
from dvp_core.edit import apply_edit
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_quaternion_wxyz,
    rotation_from_yaw_pitch_roll,
    yaw_pitch_roll_rad,
)


def constant(channel: str, value: float, mode: str = "add") -> Edit:
    return Edit((Curve(channel, (1.0, 40.0), (value, value), mode),))


def rotations(take) -> np.ndarray:
    return matrix_from_quaternion_wxyz(take.head_rotation_wxyz)


@given(st.floats(-1.5, 1.5), st.floats(-1.4, 1.4), st.floats(-3, 3))
def test_angles_are_the_inverse_of_the_rotation(yaw, pitch, roll):
    angles = yaw_pitch_roll_rad(rotation_from_yaw_pitch_roll(yaw, pitch, roll))
    np.testing.assert_allclose(angles, (yaw, pitch, roll), atol=1e-6)


def test_the_empty_edit_changes_nothing(make_take):
    take = make_take()
    assert apply_edit(take, Edit(())) is take


def test_curves_run_linearly_between_keys_and_leave_the_rest(make_take):
    take = make_take()
    take = replace(take, expression=np.full_like(take.expression, 0.2))
    edited = apply_edit(take, Edit((Curve("expression.jawOpen", (11.0, 21.0), (0.0, 0.5)),)))
    jaw = edited.expression[:, take.expression_names.index("jawOpen")]
    np.testing.assert_allclose(jaw[10:21], 0.2 + 0.05 * np.arange(11), atol=1e-6)
    np.testing.assert_array_equal(jaw[:10], take.expression[:10, 0])
    np.testing.assert_array_equal(jaw[21:], take.expression[21:, 0])
    np.testing.assert_array_equal(edited.expression[:, 1:], take.expression[:, 1:])
    np.testing.assert_array_equal(edited.head_rotation_wxyz, take.head_rotation_wxyz)


def test_named_shapes_are_limited_and_numbered_modes_are_not(make_take):
    take = make_take(names=("jawOpen", "expression_001"))
    edited = apply_edit(
        take, Edit(constant("expression.jawOpen", 5).curves + constant("expression.expression_001", 5).curves)
    )
    np.testing.assert_array_equal(edited.expression[:, 0], 1.0)
    np.testing.assert_allclose(edited.expression[:, 1], take.expression[:, 1] + 5, atol=1e-6)


def test_replace_sets_the_value_and_whole_names_drive_both_halves(make_take):
    take = make_take(names=("browInnerUpLeft", "browInnerUpRight", "jawOpen"))
    edited = apply_edit(take, constant("expression.browInnerUp", 0.7, "replace"))
    np.testing.assert_allclose(edited.expression[:, :2], 0.7, atol=1e-6)
    np.testing.assert_array_equal(edited.expression[:, 2], take.expression[:, 2])


def test_an_unknown_expression_names_those_there_are(make_take):
    with pytest.raises(DataError, match="jawOpen"):
        apply_edit(make_take(), constant("expression.earWiggle", 1.0))


@pytest.mark.parametrize(("axis", "index"), [("yaw", 0), ("pitch", 1), ("roll", 2)])
def test_added_turns_compose_in_head_space(make_take, axis, index):
    """R' = R . turn, so two edits of one axis add up, and the turn is the same whatever the pose."""
    take = make_take()
    angles = np.zeros(3)
    angles[index] = np.radians(12)
    once = apply_edit(take, constant(f"head.{axis}_deg", 12))
    expected = rotations(take) @ rotation_from_yaw_pitch_roll(*angles)
    assert angle_between_deg(rotations(once), expected).max() < 1e-3
    twice = apply_edit(once, constant(f"head.{axis}_deg", -12))
    assert angle_between_deg(rotations(twice), rotations(take)).max() < 1e-3


def test_a_replaced_angle_is_the_one_seen_and_leaves_the_others(make_take):
    take = make_take()
    edited = apply_edit(take, constant("head.yaw_deg", 20, "replace"))
    before = yaw_pitch_roll_rad(relative_to_facing(take.head_rotation_wxyz))
    after = yaw_pitch_roll_rad(relative_to_facing(edited.head_rotation_wxyz))
    np.testing.assert_allclose(np.degrees(after[:, 0]), 20, atol=1e-3)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-5)


def test_yaw_turns_the_nose_to_the_subjects_left_which_is_right_in_the_picture(make_take):
    take = make_take()
    edited = apply_edit(take, constant("head.yaw_deg", 30, "replace"))
    assert (rotations(edited)[:, 0, 2] > 0.45).all()


def test_shifts_follow_the_facing_heads_axes(make_take):
    take = make_take()
    for channel, step in (("head.x_m", (1, 0, 0)), ("head.y_m", (0, -1, 0)), ("head.z_m", (0, 0, -1))):
        moved = apply_edit(take, constant(channel, 0.1)).head_translation_m - take.head_translation_m
        np.testing.assert_allclose(moved, np.tile(0.1 * np.array(step), (40, 1)), atol=1e-6)
    placed = apply_edit(take, constant("head.z_m", -0.7, "replace"))
    np.testing.assert_allclose(placed.head_translation_m[:, 2], 0.7, atol=1e-6)


def test_gaze_keeps_the_toe_in_when_replaced(make_take):
    take = make_take()
    edited = apply_edit(take, constant("gaze.yaw_deg", 10, "replace"))
    np.testing.assert_allclose(np.degrees(edited.gaze_rad[:, :, 0].mean(axis=1)), 10, atol=1e-4)
    toe_in = take.gaze_rad[:, 0, 0] - take.gaze_rad[:, 1, 0]
    np.testing.assert_allclose(edited.gaze_rad[:, 0, 0] - edited.gaze_rad[:, 1, 0], toe_in, atol=1e-6)
    added = apply_edit(take, constant("gaze.pitch_deg", 5))
    np.testing.assert_allclose(added.gaze_rad[:, :, 1], take.gaze_rad[:, :, 1] + np.radians(5), atol=1e-6)
