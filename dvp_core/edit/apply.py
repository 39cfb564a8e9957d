"""Keyed changes to a take: the numbers behind an animator's curves when no Blender is at hand.

A curve acts from its first to its last key; outside, the tracked performance stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dvp_core.data.edit import Curve, Edit
from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.face.expression_names import SPLIT_NAMES, canonical_name, is_named
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA, relative_to_facing
from dvp_core.maths.rotations import (
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_matrix,
    rotation_from_yaw_pitch_roll,
    unwrapped_quaternions,
    yaw_pitch_roll_rad,
)

_ANGLES = ("yaw", "pitch", "roll")
_AXES = ("x", "y", "z")


def apply_edit(take: Take, edit: Edit) -> Take:
    """Return the take with the edit's curves applied in their order; a changed one has no measurement any more.

    - `expression.<name>`: weights, held in 0..1 where the shape is a named one; ARKit's single name drives both halves
      of a split shape.
    - `head.yaw_deg|pitch_deg|roll_deg`: "add" turns the head about its own axes; "replace" sets the angle as seen from
      a head that looks straight into the camera.
    - `head.x_m|y_m|z_m`: along the axes of a head that looks into the camera: to its left, up, towards the camera.
    - `gaze.yaw_deg|pitch_deg`: both eyes; "replace" keeps their difference (the toe-in).

    Raises:
        DataError: The take has no such expression.
    """
    edited = take
    for curve in edit.curves:
        edited = _with_curve(edited, curve)
    return take if edited is take else replace(edited, measured=None, smoothing=0.0)


def _with_curve(take: Take, curve: Curve) -> Take:
    frames = np.array(take.frames.numbers, dtype=np.float64)
    acts = np.flatnonzero((frames >= curve.frames[0]) & (frames <= curve.frames[-1]))
    if not acts.size:
        return take
    values = np.interp(frames[acts], curve.frames, curve.values)
    group, name = curve.channel.split(".", 1)
    change: Callable[[Take, Curve, str, np.ndarray, np.ndarray], Take]
    if group == "expression":
        change = _with_expression
    elif group == "gaze":
        change = _with_gaze
    else:
        change = _with_turn if name.endswith("_deg") else _with_shift
    return change(take, curve, name, acts, values)


def _with_expression(take: Take, curve: Curve, name: str, acts: np.ndarray, values: np.ndarray) -> Take:
    expression = take.expression.copy()
    for column in _columns_of(take, name):
        own = expression[acts, column] if curve.mode == "add" else 0.0
        changed = own + values
        is_limited = is_named(take.expression_names[column])
        expression[acts, column] = np.clip(changed, 0.0, 1.0) if is_limited else changed
    return replace(take, expression=expression)


def _columns_of(take: Take, name: str) -> list[int]:
    canonical = canonical_name(name)
    wanted = (canonical, *SPLIT_NAMES.get(canonical, ()))
    columns = [index for index, own in enumerate(take.expression_names) if canonical_name(own) in wanted]
    if not columns:
        raise DataError(
            f"the take of {take.clip.file_name} has no expression '{name}'",
            where=f"edit expression.{name}",
            remedy=f"It has: {', '.join(take.expression_names)}",
        )
    return columns


def _with_gaze(take: Take, curve: Curve, name: str, acts: np.ndarray, values: np.ndarray) -> Take:
    axis = _ANGLES.index(name.removesuffix("_deg"))
    gaze = take.gaze_rad.astype(np.float64)
    own = gaze[acts, :, axis]
    base = own if curve.mode == "add" else own - own.mean(axis=1, keepdims=True)
    gaze[acts, :, axis] = base + np.radians(values)[:, None]
    return replace(take, gaze_rad=gaze.astype(np.float32))


def _with_shift(take: Take, curve: Curve, name: str, acts: np.ndarray, values: np.ndarray) -> Take:
    axis = _AXES.index(name.removesuffix("_m"))
    facing = take.head_translation_m.astype(np.float64) @ OPENGL_CAMERA_FROM_CAMERA
    facing[acts, axis] = values + (facing[acts, axis] if curve.mode == "add" else 0.0)
    translation = facing @ OPENGL_CAMERA_FROM_CAMERA.T
    return replace(take, head_translation_m=translation.astype(np.float32))


def _with_turn(take: Take, curve: Curve, name: str, acts: np.ndarray, values: np.ndarray) -> Take:
    axis = _ANGLES.index(name.removesuffix("_deg"))
    rotation = normalized(take.head_rotation_wxyz.astype(np.float64))
    angles = np.zeros((len(acts), 3))
    angles[:, axis] = np.radians(values)
    if curve.mode == "replace":
        own = yaw_pitch_roll_rad(relative_to_facing(rotation[acts]))
        own[:, axis] = angles[:, axis]
        turned = OPENGL_CAMERA_FROM_CAMERA @ _rotations(own)
        rotation[acts] = quaternion_wxyz_from_matrix(turned)
    else:
        turn = quaternion_wxyz_from_matrix(_rotations(angles))
        rotation[acts] = multiply_quaternions(rotation[acts], turn)
    unwrapped = unwrapped_quaternions(normalized(rotation))
    return replace(take, head_rotation_wxyz=unwrapped.astype(np.float32))


def _rotations(angles_rad: np.ndarray) -> np.ndarray:
    """Return (N, 3, 3) rotations of yaw, pitch, roll (N, 3)."""
    return np.stack([rotation_from_yaw_pitch_roll(*angles) for angles in angles_rad])
