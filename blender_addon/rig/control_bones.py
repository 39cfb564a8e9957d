# SPDX-License-Identifier: GPL-3.0-or-later
"""All bones by which a face is posed: those of the table laid out on the face and the board, the neck and the aim."""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.face_model import FaceModel

from .. import compat
from . import names
from .bone_parts import BOARD_WIDTH_M, ControlBone, add_edit_bone, draw, draw_widget, limit, lock
from .control_table import BOARD, LEFT, RIGHT, SHAPE_BONES, Control, all_controls
from .neck_and_aim import aim_bones, hang_on_skull, neck_bones, set_up_aim, set_up_neck
from .places import control_places
from .widgets import BOARD_SLOT_LENGTH, BOARD_SLOTS, board_object

# Below the board, in widths of it, the subject's right on the left as seen from the front.
_SHAPES_PLACES = {"shapes": (0.0, -0.62), "shapes.L": (0.25, -0.62), "shapes.R": (-0.25, -0.62)}
_SHAPES_LABEL_BELOW = 0.1
_LABEL_GAP = 0.02
_JAW = "jaw"
_LOWER_LIP = "lip.lower"
_COLORS = {LEFT: (0.25, 0.55, 1.0), RIGHT: (1.0, 0.3, 0.25), "": (0.95, 0.75, 0.1)}  # blue, red, yellow
_SIDE_NAMES = {LEFT: "Left", RIGHT: "Right", "": "Middle"}
_BOARD_NAME = "Face Board"
_HIDDEN_NAME = "Mechanism"


def own_bone_names() -> frozenset[str]:
    """Return the names of all bones that this program makes; none but head or skull and eyes carry the mesh."""
    controls = (control.name for control in all_controls())
    carrying = (names.HEAD_BONE, names.NECK_BONE, names.SKULL_BONE, *names.EYE_BONES)
    return frozenset((*carrying, names.AIM_BONE, *names.AIM_BONES, BOARD, *SHAPE_BONES, *controls))


def add_control_bones(
    rig: bpy.types.Object,
    face_object: bpy.types.Object,
    face: FaceModel,
    controls: tuple[Control, ...],
    *,
    view_layer: bpy.types.ViewLayer,
) -> None:
    """Add the bones of controls, board, shapes' sliders, neck and aim, and leave the rig in object mode."""
    places = control_places(face)
    bones = [*neck_bones(places), *aim_bones(face), *_face_bones(controls, places), *_board_bones(controls, places)]
    view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in bones:
        add_edit_bone(rig.data, bone)
    hang_on_skull(rig.data)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in bones:
        if bone.widget is not None:
            draw_widget(rig.pose.bones[bone.name], bone.widget, bone.shown_at)
    _write_on_board(rig, controls)
    for control in controls:
        limit(rig.pose.bones[control.name], control)
    for name in SHAPE_BONES:
        lock(rig.pose.bones[name], free_axes="", is_turning=False)
    lock(rig.pose.bones[BOARD], free_axes="xyz", is_turning=False)
    set_up_neck(rig, face_object)
    set_up_aim(rig)
    _draw_head_and_eyes(rig)
    _sort_and_color(rig)


def _face_bones(controls: tuple[Control, ...], places: dict[str, np.ndarray]) -> list[ControlBone]:
    """Return the bones that rest on the face.

    The jaw turns about its hinge and is drawn at the chin; the lower lip's controls go along with it.
    """
    has_jaw = any(control.name == _JAW for control in controls)
    bones = []
    for control in controls:
        if control.place == BOARD:
            continue
        side = np.array([-1.0 if control.name.endswith(RIGHT) else 1.0, 1.0, 1.0])
        place = places[control.place] * side + control.offset_m
        shown_at = places["chin"] - place if control.place == "jaw_hinge" else np.zeros(3)
        parent = _JAW if has_jaw and control.name.startswith(_LOWER_LIP) else names.SKULL_BONE
        bones.append(ControlBone(control.name, place, parent, control.widget, shown_at))
    return bones


def _board_bones(controls: tuple[Control, ...], places: dict[str, np.ndarray]) -> list[ControlBone]:
    """Return the board, its sliders in rows, and below them the bones that carry the shapes' own sliders."""
    middle = places[BOARD]
    bones = [ControlBone(BOARD, middle, names.HEAD_BONE, None)]
    for control, (x, y) in zip(_board_sliders(controls), BOARD_SLOTS, strict=False):
        place = middle + BOARD_WIDTH_M * np.array([x, y, 0.0])
        bones.append(ControlBone(control.name, place, BOARD, control.widget))
    for name, (x, y) in _SHAPES_PLACES.items():
        bones.append(ControlBone(name, middle + BOARD_WIDTH_M * np.array([x, y, 0.0]), BOARD, "square"))
    return bones


def _write_on_board(rig: bpy.types.Object, controls: tuple[Control, ...]) -> None:
    """Draw the sliders' ways and what each slider is called."""
    sliders = _board_sliders(controls)
    slots = BOARD_SLOTS[: len(sliders)]
    above = BOARD_SLOT_LENGTH / 2 + _LABEL_GAP
    labels = [
        (control.name.removeprefix(f"{BOARD}.").removeprefix("mouth"), x, y + above)
        for control, (x, y) in zip(sliders, slots, strict=True)
    ]
    labels += [(name, x, y - _SHAPES_LABEL_BELOW) for name, (x, y) in _SHAPES_PLACES.items()]
    draw(rig.pose.bones[BOARD], board_object(tuple(labels), slots), BOARD_WIDTH_M)


def _board_sliders(controls: tuple[Control, ...]) -> list[Control]:
    """Return the board's sliders, the right side's before the left's: so they stand as seen from the front."""
    return sorted((control for control in controls if control.place == BOARD), key=_board_order)


def _board_order(control: Control) -> int:
    return 2 * control.name.endswith(LEFT) + control.name.endswith(RIGHT)


def _draw_head_and_eyes(rig: bpy.types.Object) -> None:
    draw_widget(rig.pose.bones[names.HEAD_BONE], "head")
    for name in names.EYE_BONES:
        # An eye bone's Y axis points out of the face, so its outline is put upright.
        eye = rig.pose.bones[name]
        draw_widget(eye, "dot", np.array([0.0, 0.03, 0.0]), scale=2.0)
        eye.custom_shape_rotation_euler = (np.pi / 2, 0.0, 0.0)


def _sort_and_color(rig: bpy.types.Object) -> None:
    """Give each side its colour, and put every bone in one collection: its side, the board, or what is not posed."""
    members: dict[str, list[str]] = {name: [] for name in (*_SIDE_NAMES.values(), _BOARD_NAME, _HIDDEN_NAME)}
    for bone in rig.pose.bones:
        side = next((ending for ending in (LEFT, RIGHT) if bone.name.endswith(ending)), "")
        compat.color_bone(rig, bone, _COLORS[side], group=_SIDE_NAMES[side])
        collection = _SIDE_NAMES[side]
        if bone.name.startswith(BOARD) or bone.name in SHAPE_BONES:
            collection = _BOARD_NAME
        elif bone.name == names.SKULL_BONE:
            collection = _HIDDEN_NAME
        members[collection].append(bone.name)
    compat.collect_bones(rig.data, members, hidden=_HIDDEN_NAME)
