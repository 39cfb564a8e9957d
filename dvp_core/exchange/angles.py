"""Yaw, pitch and roll of other tools, and the quaternions and gaze of a `Performance`.

Angles here are ARKit's: about the face's own right-handed axes (X to the subject's left, Y up, Z out of the face), so
yaw is positive to the subject's left, pitch positive *down*, roll positive towards the subject's right shoulder. A head
rolls first, then pitches, then yaws.
"""

from __future__ import annotations

import numpy as np

from dvp_core.edit.apply import yaw_pitch_roll_rad
from dvp_core.maths.rotations import (
    matrix_from_quaternion_wxyz,
    multiply_quaternions,
    quaternion_wxyz_from_rotation_vector,
)


def head_rotation_from_angles(yaw_rad: np.ndarray, pitch_rad: np.ndarray, roll_rad: np.ndarray) -> np.ndarray:
    """Return quaternions (S, 4) of the head; NaN angles give NaN."""
    about_y, about_x, about_z = (
        quaternion_wxyz_from_rotation_vector(np.outer(np.nan_to_num(angle), axis))
        for angle, axis in ((yaw_rad, (0, 1, 0)), (pitch_rad, (1, 0, 0)), (roll_rad, (0, 0, 1)))
    )
    rotation = multiply_quaternions(about_y, multiply_quaternions(about_x, about_z))
    rotation[~np.isfinite(yaw_rad + pitch_rad + roll_rad)] = np.nan
    return rotation


def angles_from_head_rotation(rotation_wxyz: np.ndarray) -> np.ndarray:
    """Return yaw, pitch and roll (S, 3) in radians of quaternions (S, 4)."""
    return yaw_pitch_roll_rad(matrix_from_quaternion_wxyz(rotation_wxyz)) * np.array([1.0, -1.0, 1.0])


def gaze_from_angles(yaw_rad: np.ndarray, pitch_rad: np.ndarray) -> np.ndarray:
    """Return one eye's gaze (S, 2): yaw and pitch, pitch positive up."""
    return np.stack([yaw_rad, -pitch_rad], axis=-1)


def angles_from_gaze(gaze_rad: np.ndarray) -> np.ndarray:
    """Return yaw and pitch (..., 2), pitch positive down, of gaze (..., 2)."""
    return gaze_rad * np.array([1.0, -1.0])
