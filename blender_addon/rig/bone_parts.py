# SPDX-License-Identifier: GPL-3.0-or-later
"""What every control bone needs: a place at rest, an outline, and limits on what of it may move.

At rest a control's axes are head space's, on both sides alike; that is what makes Blender's mirrored paste right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np

from .control_table import Control, Widget
from .mesh import blender_positions
from .widgets import widget_object

_BONE_LENGTH_M = 0.01
BOARD_WIDTH_M = 0.12
_WIDTH_M: dict[Widget, float] = {
    "dot": 0.007,
    "cross": 0.014,
    "bar": 0.012,
    "arc": 0.028,
    "cup": 0.028,
    "mouth": 0.075,
    "head": 0.34,
    "neck": 0.14,
    "aim": 0.12,
    "slider": 0.016,
    "square": 0.012,
}


@dataclass(frozen=True)
class ControlBone:
    """A bone to make.

    Attributes:
        name: Of the bone.
        place: (3,) where it rests, in head space.
        parent: The bone it hangs on, or None.
        widget: How it is drawn; None for what is not posed.
        shown_at: (3,) where it is drawn, from its place.
        is_carrying: Whether it carries vertices of the mesh.
    """

    name: str
    place: np.ndarray
    parent: str | None
    widget: Widget | None
    shown_at: np.ndarray = field(default_factory=lambda: np.zeros(3))
    is_carrying: bool = False


def add_edit_bone(armature: bpy.types.Armature, bone: ControlBone) -> None:
    """Add a bone to an armature in edit mode; its parent is there already."""
    edit_bone = armature.edit_bones.new(bone.name)
    edit_bone.head = blender_positions(bone.place).tolist()
    edit_bone.tail = blender_positions(bone.place + np.array([0.0, _BONE_LENGTH_M, 0.0])).tolist()
    edit_bone.align_roll(blender_positions(np.array([0.0, 0.0, 1.0])).tolist())
    edit_bone.parent = armature.edit_bones[bone.parent] if bone.parent else None
    edit_bone.use_deform = bone.is_carrying


def draw_widget(bone: Any, widget: Widget, shown_at: np.ndarray | None = None, *, scale: float = 1.0) -> None:
    """Give a pose bone one of the shared outlines, in its usual width or a multiple of it."""
    draw(bone, widget_object(widget), scale * _WIDTH_M[widget])
    if shown_at is not None:
        bone.custom_shape_translation = shown_at.tolist()


def draw(bone: Any, outline: bpy.types.Object, width_m: float) -> None:
    """Give a pose bone an outline, which is one unit wide."""
    bone.custom_shape = outline
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_scale_xyz = [width_m] * 3


def limit(bone: Any, control: Control) -> None:
    """Let a control move as far as its table says, both ways, and on no other axis."""
    reach = dict.fromkeys("xyz", 0.0)
    turn = 0.0
    for pull in control.pulls:
        if pull.axis == "turn_x":
            turn = max(turn, abs(pull.reach))
        else:
            reach[pull.axis] = max(reach[pull.axis], abs(pull.reach))
    lock(bone, free_axes="".join(axis for axis in "xyz" if reach[axis]), is_turning=turn > 0)
    constraint = own_constraint(bone, "LIMIT_LOCATION")
    for axis in "xyz":
        setattr(constraint, f"use_min_{axis}", True)
        setattr(constraint, f"use_max_{axis}", True)
        setattr(constraint, f"min_{axis}", -reach[axis])
        setattr(constraint, f"max_{axis}", reach[axis])
    if turn:
        constraint = own_constraint(bone, "LIMIT_ROTATION")
        constraint.use_limit_x = True
        constraint.min_x, constraint.max_x = -turn, turn


def own_constraint(bone: Any, kind: str) -> Any:
    """Return a new limit that holds the bone's own numbers, which are what drivers read, back while it is moved."""
    constraint = bone.constraints.new(kind)
    constraint.owner_space = "LOCAL"
    constraint.use_transform_limit = True
    return constraint


def lock(bone: Any, *, free_axes: str, is_turning: bool) -> None:
    """Lock what of a pose bone must not move; a turning bone turns about X alone."""
    bone.rotation_mode = "XYZ"
    bone.lock_location = tuple(axis not in free_axes for axis in "xyz")
    bone.lock_rotation = (not is_turning, True, True)
    bone.lock_scale = (True, True, True)
