# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's numbers as animated channels of the rig and of the face's shape keys, and the range of their sliders."""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.face.expression_names import is_named
from dvp_core.maths.frames import opengl_pose_from_take_pose
from dvp_core.maths.rotations import unwrapped_quaternions

from . import names
from .animation import Channel

_KEY_LIMIT = 10.0  # Blender's own limit of a shape key's range
_NUMBERED_REACH = 4.0  # standard deviations; as far as the tracker goes


def expression_channels(take: Take) -> list[Channel]:
    """Return the channels of the face's Key data-block."""
    return [
        Channel(names.expression_value(name), 0, take.expression[:, number], "Expressions")
        for number, name in enumerate(take.expression_names)
    ]


def rig_channels(take: Take) -> list[Channel]:
    """Return the channels of the armature object: head, eyes and light."""
    channels = head_channels(unwrapped_quaternions(take.head_rotation_wxyz), take.head_translation_m)
    channels += gaze_channels(take.gaze_rad)
    light = take.illumination_sh.reshape(-1, names.LIGHT_FLOATS)
    channels += [Channel(names.LIGHT, number, light[:, number], "Light") for number in range(names.LIGHT_FLOATS)]
    return channels


def head_channels(rotation_wxyz: np.ndarray, translation_m: np.ndarray) -> list[Channel]:
    """Return the channels of a head's pose `T_camera_head`: quaternions (F, 4) without jumps of sign, and (F, 3)."""
    rotation, location = opengl_pose_from_take_pose(rotation_wxyz, translation_m)
    channels = [Channel(names.HEAD_LOCATION, axis, location[:, axis], names.HEAD_BONE) for axis in range(3)]
    return channels + [Channel(names.HEAD_ROTATION, part, rotation[:, part], names.HEAD_BONE) for part in range(4)]


def gaze_channels(gaze_rad: np.ndarray) -> list[Channel]:
    """Return the channels of both eyes' gaze (F, 2, 2)."""
    channels = []
    for side, bone in enumerate(names.EYE_BONES):
        yaw, pitch = gaze_rad[:, side, 0], gaze_rad[:, side, 1]
        channels.append(Channel(names.eye_rotation(side), 0, pitch, bone))
        channels.append(Channel(names.eye_rotation(side), 2, yaw, bone))
    return channels


def check_key_limits(take: Take) -> None:
    """Check that Blender can show the expressions.

    Raises:
        DataError: One of them leaves what a shape key can hold.
    """
    largest = np.abs(take.expression).max(axis=0, initial=0.0)
    beyond = np.flatnonzero(largest > _KEY_LIMIT)
    if beyond.size:
        raise DataError(
            f"expression '{take.expression_names[beyond[0]]}' leaves Blender's limit of 10",
            where=f"take of {take.clip.file_name}",
            remedy="Track the clip again",
        )


def set_key_limits(face_object: bpy.types.Object, take: Take, *, before: Take | None = None) -> None:
    """Widen a key's slider where the tracked values leave 0..1, which Blender would cut off.

    Args:
        face_object: The mesh object.
        take: What it will show.
        before: What it showed so far; a slider that does not have the range of that was set by hand and stays.
    """
    keys = face_object.data.shape_keys.key_blocks
    wanted = _key_limits(take)
    given = wanted if before is None else _key_limits(before)
    for name, limits, old in zip(take.expression_names, wanted, given, strict=True):
        key = keys[name]
        if before is None or (key.slider_min, key.slider_max) == old:
            key.slider_min, key.slider_max = limits


def _key_limits(take: Take) -> list[tuple[float, float]]:
    """Return each range: 0..1 of a named shape, both sides of zero of a numbered mode, and what the take shows."""
    lowest, highest = take.expression.min(axis=0).tolist(), take.expression.max(axis=0).tolist()
    usual = [(0.0, 1.0) if is_named(name) else (-_NUMBERED_REACH, _NUMBERED_REACH) for name in take.expression_names]
    return [(min(least, low), max(most, high)) for (least, most), low, high in zip(usual, lowest, highest, strict=True)]
