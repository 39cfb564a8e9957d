"""Brings a performance back to what a generator has seen, for animators who would rather have less than a guess."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvp_core.data.coverage import Coverage, parameter_names, parameter_values
from dvp_core.data.take import Take
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import (
    normalized,
    quaternion_wxyz_from_matrix,
    rotation_from_yaw_pitch_roll,
    unwrapped_quaternions,
)


def clamped_to_seen(take: Take, coverage: Coverage) -> Take:
    """Return the take with every parameter held in the range that a generator has seen.

    Curves are cut, not bent: what lies inside stays as it is, bit for bit, and nothing jumps. Parameters that the
    generator does not know stay. A changed take has no measurement any more.

    Args:
        take: The performance.
        coverage: What the generator has seen.
    """
    names = parameter_names(take.expression_names)
    own = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    known = {name: number for number, name in enumerate(coverage.names)}
    held = own.copy()
    for column, name in enumerate(names):
        if name in known:
            held[:, column] = own[:, column].clip(coverage.lowest[known[name]], coverage.highest[known[name]])
    is_held = held != own
    if not is_held.any():
        return take
    turned = is_held[:, :3].any(axis=1)
    rotation = normalized(take.head_rotation_wxyz.astype(np.float64))
    for index in np.flatnonzero(turned):
        rotation[index] = _rotation_wxyz(held[index, :3])
    count = len(held)
    changed = {
        "head_rotation_wxyz": unwrapped_quaternions(rotation) if turned.any() else take.head_rotation_wxyz,
        "head_translation_m": np.where(is_held[:, 3:6], held[:, 3:6], take.head_translation_m),
        "gaze_rad": np.where(is_held[:, 6:10], held[:, 6:10], take.gaze_rad.reshape(count, 4)).reshape(count, 2, 2),
        "expression": np.where(is_held[:, 10:], held[:, 10:], take.expression),
    }
    curves = {name: values.astype(np.float32) for name, values in changed.items()}
    return replace(take, measured=None, smoothing=0.0, **curves)


def _rotation_wxyz(angles_rad: np.ndarray) -> np.ndarray:
    """Return the quaternion of a head at yaw, pitch, roll from looking straight into the camera."""
    return quaternion_wxyz_from_matrix(OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(*angles_rad))
