# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys in the animator's layer, set by scripts: the values an animator would see, or changes to the tracked ones."""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.edit import Edit, Mode
from dvp_core.data.errors import DataError
from dvp_core.edit import apply_edit
from dvp_core.maths.frames import opengl_pose_from_take_pose
from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_matrix,
    rotation_from_yaw_pitch_roll,
)

from . import names
from .animation import animator_curves
from .layer_strips import values_below
from .memory import remembered_take
from .reading import face_object_of
from .timing import scene_frame, scene_frames

_NOTHING = 1e-7  # a change below float32's resolution of these numbers
_STRAIGHT = 1e-6  # rounding of float32 values around 1, which is no bend
_NO_TURN = np.array([1.0, 0.0, 0.0, 0.0])


def key_expression(rig: bpy.types.Object, name: str, frame: float, value: float, *, mode: Mode = "replace") -> None:
    """Key one expression at a frame.

    Args:
        rig: The portrait rig.
        name: Such as "mouthSmileLeft".
        frame: Plate frame.
        value: What is seen there while controls rest ("replace"), or what is added to what lies below ("add").
        mode: Which of both `value` means; the keys are the same kind, and hold beyond the first and last.
    """
    key = face_object_of(rig).data.shape_keys
    if name not in key.key_blocks:
        raise DataError(f"has no expression '{name}'", where=rig.name, remedy="See the shape keys of its face")
    path = names.expression_value(name)
    layers = [layer.name for layer in rig.dvp_layers.layers]
    at = scene_frame(rig, frame)
    below = values_below(key, path, np.array([at]), layers)[0] if mode == "replace" else 0.0
    curve = animator_curves(key).find_or_new(path, group="Expressions")
    _set_key(curve, at, value - below)


def key_head_rotation(
    rig: bpy.types.Object, frame: float, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0
) -> None:
    """Key a turn of the head on top of the tracked one, in the head's own axes.

    Args:
        rig: The portrait rig.
        frame: Plate frame.
        yaw_deg: Towards the subject's left.
        pitch_deg: Up.
        roll_deg: Towards the subject's left shoulder seen by the subject.
    """
    turn = _quaternion(yaw_deg, pitch_deg, roll_deg)
    curves = animator_curves(rig)
    for part, value in enumerate(turn.tolist()):
        _set_key(curves.find_or_new(names.HEAD_ROTATION, part, group=names.HEAD_BONE), scene_frame(rig, frame), value)


def key_gaze(rig: bpy.types.Object, frame: float, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> None:
    """Key a turn of both eyes on top of the tracked gaze, towards the subject's left and up."""
    curves = animator_curves(rig)
    for side, bone in enumerate(names.EYE_BONES):
        for axis, angle_deg in ((0, pitch_deg), (2, yaw_deg)):
            curve = curves.find_or_new(names.eye_rotation(side), axis, group=bone)
            _set_key(curve, scene_frame(rig, frame), float(np.radians(angle_deg)))


def apply_edit_as_keys(rig: bpy.types.Object, edit: Edit) -> None:
    """Write an edit of the tracked performance into the animator's layer, with as few keys as its curves need.

    `dvp_core.edit` says what the edited performance is; the layer receives what it differs by. Keys of the animator's
    in the same channels and frames are written over. Layers of a second performer stay below and are added to.

    Raises:
        DataError: The take has no such expression.
    """
    take = remembered_take(rig)
    edited = apply_edit(take, edit)
    frames = scene_frames(rig, take)
    key = face_object_of(rig).data.shape_keys
    for number, name in enumerate(take.expression_names):
        change = edited.expression[:, number].astype(np.float64) - take.expression[:, number]
        _key_changes(key, names.expression_value(name), [0], frames, change[:, None], group="Expressions")
    for side, bone in enumerate(names.EYE_BONES):
        change = edited.gaze_rad[:, side].astype(np.float64) - take.gaze_rad[:, side]
        _key_changes(rig, names.eye_rotation(side), [2, 0], frames, change, group=bone)
    before, place_before = opengl_pose_from_take_pose(take.head_rotation_wxyz, take.head_translation_m)
    after, place_after = opengl_pose_from_take_pose(edited.head_rotation_wxyz, edited.head_translation_m)
    change = place_after.astype(np.float64) - place_before
    _key_changes(rig, names.HEAD_LOCATION, [0, 1, 2], frames, change, group=names.HEAD_BONE)
    turn = normalized(multiply_quaternions(conjugate_quaternion(before.astype(np.float64)), after.astype(np.float64)))
    turn *= np.where(turn[:, :1] < 0, -1.0, 1.0)
    turn[(np.abs(turn[:, 1:]) < _NOTHING).all(axis=1)] = _NO_TURN
    _key_changes(rig, names.HEAD_ROTATION, [0, 1, 2, 3], frames, turn, group=names.HEAD_BONE, neutral=_NO_TURN)


def _key_changes(
    owner: bpy.types.ID,
    data_path: str,
    indices: list[int],
    frames: np.ndarray,
    values: np.ndarray,
    *,
    group: str,
    neutral: np.ndarray | float = 0.0,
) -> None:
    """Key the columns of values (F, C) that leave the neutral; a column that never does gets no curve."""
    is_changed = np.abs(values - neutral) > _NOTHING
    if not is_changed.any():
        return
    # A quaternion is one thing: keyed in all of its parts or in none.
    is_joint = data_path == names.HEAD_ROTATION
    kept = _kept_keys(values)
    for column, index in enumerate(indices):
        if is_joint or is_changed[:, column].any():
            curve = animator_curves(owner).find_or_new(data_path, index, group=group)
            for row in kept.tolist():
                _set_key(curve, float(frames[row]), float(values[row, column]))


def _kept_keys(values: np.ndarray) -> np.ndarray:
    """Return the rows of (F, C) between which straight lines pass through all others."""
    is_kept = np.ones(len(values), np.bool_)
    bend = np.abs(values[2:] - 2 * values[1:-1] + values[:-2]).max(axis=1, initial=0.0)
    is_kept[1:-1] = bend > _STRAIGHT
    return np.flatnonzero(is_kept)


def _quaternion(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    turn = rotation_from_yaw_pitch_roll(*np.radians([yaw_deg, pitch_deg, roll_deg]).tolist())
    return quaternion_wxyz_from_matrix(turn)


def _set_key(curve: bpy.types.FCurve, frame: float, value: float) -> None:
    """Set one key with straight lines to its neighbours; a key that stands there is replaced."""
    key = curve.keyframe_points.insert(frame, value)
    key.interpolation = "LINEAR"
