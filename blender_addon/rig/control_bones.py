# SPDX-License-Identifier: GPL-3.0-or-later
"""Control bones as Blender has them: where they rest, what of them may move, how they look, how they are sorted.

At rest a control's axes are head space's, on both sides alike; that is what makes Blender's mirrored paste right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from dvp_core.data.face_model import FaceModel

from .. import compat
from . import names
from .control_table import BOARD, LEFT, RIGHT, SHAPE_BONES, Control, Widget, all_controls
from .mesh import blender_positions
from .places import control_places
from .widgets import widget_object

_BONE_LENGTH_M = 0.01
_BOARD_COLUMNS = 4
_CELL_M = (0.03, 0.06)
_SHAPES_BELOW_M = 0.075
_WIDTH_M: dict[Widget, float] = {
    "dot": 0.008,
    "ring": 0.045,
    "cross": 0.014,
    "bar": 0.02,
    "arc": 0.026,
    "square": 0.012,
    "slider": 0.016,
    "frame": 0.13,
}
_PALETTES = {LEFT: "THEME04", RIGHT: "THEME01", "": "THEME09"}  # blue, red, yellow
_COLLECTIONS = {LEFT: "Left", RIGHT: "Right", "": "Middle"}


@dataclass(frozen=True)
class _Bone:
    """A bone to make: name, rest place (3,) in head axes, parent, and how it is drawn."""

    name: str
    place: np.ndarray
    parent: str
    widget: Widget
    shown_at: np.ndarray


def own_bone_names() -> frozenset[str]:
    """Return the names of all bones that this program makes; none but head and eyes carries the mesh."""
    controls = (control.name for control in all_controls())
    return frozenset((names.HEAD_BONE, *names.EYE_BONES, BOARD, *SHAPE_BONES, *controls))


def add_control_bones(
    rig: bpy.types.Object, face: FaceModel, controls: tuple[Control, ...], *, view_layer: bpy.types.ViewLayer
) -> None:
    """Add the bones of controls, of the board and of the shapes' sliders, and leave the rig in object mode."""
    places = control_places(face)
    bones = [*_face_bones(controls, places), *_board_bones(controls, places)]
    view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in bones:
        _add_edit_bone(rig.data, bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in bones:
        _draw(rig.pose.bones[bone.name], bone.widget, bone.shown_at)
    for control in controls:
        _limit(rig.pose.bones[control.name], control)
    for name in SHAPE_BONES:
        _lock(rig.pose.bones[name], free_axes="", is_turning=False)
    _lock(rig.pose.bones[BOARD], free_axes="xyz", is_turning=False)
    _draw_head_and_eyes(rig)
    _sort_and_color(rig)


def _face_bones(controls: tuple[Control, ...], places: dict[str, np.ndarray]) -> list[_Bone]:
    """Return the bones that rest on the face; the jaw turns about its hinge and is drawn at the chin."""
    bones = []
    for control in controls:
        if control.place == BOARD:
            continue
        side = np.array([-1.0 if control.name.endswith(RIGHT) else 1.0, 1.0, 1.0])
        place = places[control.place] * side + control.offset_m
        shown_at = places["chin"] - place if control.place == "jaw_hinge" else np.zeros(3)
        bones.append(_Bone(control.name, place, names.HEAD_BONE, control.widget, shown_at))
    return bones


def _board_bones(controls: tuple[Control, ...], places: dict[str, np.ndarray]) -> list[_Bone]:
    """Return the board, its sliders in rows, and below them the bones that carry the shapes' own sliders."""
    corner = places[BOARD]
    middle = corner + np.array([0.5 * _BOARD_COLUMNS * _CELL_M[0], 0.0, 0.0])
    bones = [_Bone(BOARD, middle, names.HEAD_BONE, "frame", np.zeros(3))]
    for number, control in enumerate(control for control in controls if control.place == BOARD):
        row, column = divmod(number, _BOARD_COLUMNS)
        cell = np.array([(column + 0.5) * _CELL_M[0], (0.5 - row) * _CELL_M[1], 0.0])
        bones.append(_Bone(control.name, corner + cell, BOARD, control.widget, np.zeros(3)))
    for name, x in zip(SHAPE_BONES, (0.0, _CELL_M[0], -_CELL_M[0]), strict=True):
        place = middle + np.array([x, -_SHAPES_BELOW_M, 0.0])
        bones.append(_Bone(name, place, BOARD, "square", np.zeros(3)))
    return bones


def _add_edit_bone(armature: bpy.types.Armature, bone: _Bone) -> None:
    edit_bone = armature.edit_bones.new(bone.name)
    edit_bone.head = blender_positions(bone.place).tolist()
    edit_bone.tail = blender_positions(bone.place + np.array([0.0, _BONE_LENGTH_M, 0.0])).tolist()
    edit_bone.align_roll(blender_positions(np.array([0.0, 0.0, 1.0])).tolist())
    edit_bone.parent = armature.edit_bones[bone.parent]
    edit_bone.use_deform = False


def _draw(bone: Any, widget: Widget, shown_at: np.ndarray, *, scale: float | None = None) -> None:
    bone.custom_shape = widget_object(widget)
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_scale_xyz = [scale or _WIDTH_M[widget]] * 3
    bone.custom_shape_translation = shown_at.tolist()


def _draw_head_and_eyes(rig: bpy.types.Object) -> None:
    _draw(rig.pose.bones[names.HEAD_BONE], "ring", np.zeros(3), scale=0.4)
    for name in names.EYE_BONES:
        # An eye bone's Y axis points out of the face, so its outline is put upright.
        eye = rig.pose.bones[name]
        _draw(eye, "dot", np.array([0.0, 0.03, 0.0]), scale=0.02)
        eye.custom_shape_rotation_euler = (np.pi / 2, 0.0, 0.0)


def _limit(bone: Any, control: Control) -> None:
    """Let a control move as far as its table says, both ways, and on no other axis."""
    reach = dict.fromkeys("xyz", 0.0)
    turn = 0.0
    for pull in control.pulls:
        if pull.axis == "turn_x":
            turn = max(turn, abs(pull.reach))
        else:
            reach[pull.axis] = max(reach[pull.axis], abs(pull.reach))
    _lock(bone, free_axes="".join(axis for axis in "xyz" if reach[axis]), is_turning=turn > 0)
    constraint = _own_constraint(bone, "LIMIT_LOCATION")
    for axis in "xyz":
        setattr(constraint, f"use_min_{axis}", True)
        setattr(constraint, f"use_max_{axis}", True)
        setattr(constraint, f"min_{axis}", -reach[axis])
        setattr(constraint, f"max_{axis}", reach[axis])
    if turn:
        constraint = _own_constraint(bone, "LIMIT_ROTATION")
        constraint.use_limit_x = True
        constraint.min_x, constraint.max_x = -turn, turn


def _own_constraint(bone: Any, kind: str) -> Any:
    """Return a new limit that holds the bone's own numbers, which are what drivers read, back while it is moved."""
    constraint = bone.constraints.new(kind)
    constraint.owner_space = "LOCAL"
    constraint.use_transform_limit = True
    return constraint


def _lock(bone: Any, *, free_axes: str, is_turning: bool) -> None:
    bone.rotation_mode = "XYZ"
    bone.lock_location = tuple(axis not in free_axes for axis in "xyz")
    bone.lock_rotation = (not is_turning, True, True)
    bone.lock_scale = (True, True, True)


def _sort_and_color(rig: bpy.types.Object) -> None:
    """Put the bones in collections by side, board and sliders apart, and give each side its colour."""
    members: dict[str, list[str]] = {"Left": [], "Right": [], "Middle": [], "Board": [], "Shapes": []}
    for bone in rig.pose.bones:
        side = next((ending for ending in (LEFT, RIGHT) if bone.name.endswith(ending)), "")
        compat.color_bone(bone, _PALETTES[side])
        members[_COLLECTIONS[side]].append(bone.name)
        if bone.name.startswith(BOARD):
            members["Board"].append(bone.name)
        if bone.name in SHAPE_BONES:
            members["Shapes"].append(bone.name)
    compat.collect_bones(rig.data, members)
