"""A mirrored performance: what a mirror shows, twice nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.edit import find_neutral
from dvp_core.edit.mirroring import mirrored_motion, mirrored_names, mirrored_neutral
from dvp_core.edit.performing import performed_gaze, performed_head, performer_for
from dvp_core.edit.resampling import resampled
from dvp_core.maths.rotations import gaze_rotation, matrix_from_quaternion_wxyz

MIRROR = np.diag([-1.0, 1.0, 1.0])


@pytest.fixture
def motion(make_take):
    take = make_take(seed=3)
    return resampled(take, fps=take.clip.fps, frame_count=take.frame_count)


def test_twice_is_the_identity_bit_for_bit(make_take, motion):
    twice = mirrored_motion(mirrored_motion(motion))
    neutral = find_neutral(make_take(seed=3))
    neutral_twice = mirrored_neutral(mirrored_neutral(neutral))
    for name in ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(motion, name))
        np.testing.assert_array_equal(getattr(neutral_twice, name), getattr(neutral, name))
    names = ("mouthSmileLeft", "jawOpen", "mouthLeft", "browDown_R")
    assert mirrored_names(mirrored_names(names)) == ("mouthSmileLeft", "jawOpen", "mouthLeft", "browDownRight")
    assert mirrored_names(names) == ("mouthSmileRight", "jawOpen", "mouthRight", "browDownLeft")


def test_head_and_eyes_are_reflected_in_the_cameras_vertical_plane(motion):
    mirrored = mirrored_motion(motion)
    rotation = matrix_from_quaternion_wxyz(motion.head_rotation_wxyz)
    np.testing.assert_allclose(
        matrix_from_quaternion_wxyz(mirrored.head_rotation_wxyz), MIRROR @ rotation @ MIRROR, atol=1e-12
    )
    np.testing.assert_array_equal(mirrored.head_translation_m, motion.head_translation_m @ MIRROR)
    for side in (0, 1):
        own = gaze_rotation(*motion.gaze_rad[5, side]) @ [0, 0, 1]
        np.testing.assert_allclose(gaze_rotation(*mirrored.gaze_rad[5, 1 - side]) @ [0, 0, 1], MIRROR @ own, atol=1e-12)


def test_a_mirrored_performer_turns_the_other_way_from_the_targets_rest(make_take):
    source, target = make_take(seed=1), make_take(seed=2)
    arguments = {"frame_count": source.frame_count, "target_neutral": find_neutral(target)}
    straight = performer_for(source, target, **arguments)
    swapped = performer_for(source, target, is_mirrored=True, **arguments)
    rest = matrix_from_quaternion_wxyz(find_neutral(target).head_rotation_wxyz)
    turns = [rest.T @ matrix_from_quaternion_wxyz(performed_head(performer)[0]) for performer in (straight, swapped)]
    np.testing.assert_allclose(turns[1], MIRROR @ turns[0] @ MIRROR, atol=1e-12)
    assert np.abs(turns[1] - turns[0]).max() > 0.1
    at_rest = find_neutral(target).gaze_rad
    moved = performed_gaze(straight) - at_rest
    np.testing.assert_allclose(performed_gaze(swapped) - at_rest, moved[:, ::-1] * [-1, 1], atol=1e-12)


def test_numbered_modes_have_no_sides():
    with pytest.raises(DataError, match="no left and right"):
        mirrored_names(("expression_01", "expression_02"))
