# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controls that turn bones instead of moving shapes: the neck, and the point that the eyes look at.

The head bone's channels are the tracked pose and stay so. The neck therefore hangs on the head bone, at the base of
the neck, and carries a bone `skull` that rests where the head does and holds skin and eyes: turning the neck turns the
face about that base, on top of whatever the head does.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from dvp_core.data.face_model import FaceModel

from . import names
from .bone_parts import ControlBone, lock

_AIM_DISTANCE_M = 0.5
_NECK_BELOW_CHIN_M = 0.02
_NECK_BEHIND_HINGE_M = 0.02
_EYES_AND_AIMS = tuple(zip(names.EYE_BONES, names.AIM_BONES, strict=True))


def neck_bones(places: dict[str, np.ndarray]) -> list[ControlBone]:
    """Return neck and skull."""
    down = places["chin"][1] - _NECK_BELOW_CHIN_M
    back = places["jaw_hinge"][2] - _NECK_BEHIND_HINGE_M
    return [
        ControlBone(names.NECK_BONE, np.array([0.0, down, back]), names.HEAD_BONE, "neck"),
        ControlBone(names.SKULL_BONE, np.zeros(3), names.NECK_BONE, None, is_carrying=True),
    ]


def aim_bones(face: FaceModel) -> list[ControlBone]:
    """Return the point both eyes look at, and one for each eye beside it."""
    half, height, depth = (face.eye_centers[0] + face.eye_centers[1] * [-1.0, 1.0, 1.0]) / 2
    middle = np.array([0.0, height, depth + _AIM_DISTANCE_M])
    sides = [
        ControlBone(name, middle + np.array([x, 0.0, 0.0]), names.AIM_BONE, "dot")
        for name, x in zip(names.AIM_BONES, (half, -half), strict=True)
    ]
    return [ControlBone(names.AIM_BONE, middle, None, "aim"), *sides]


def hang_on_skull(armature: bpy.types.Armature) -> None:
    """Let the skull carry what the head carried; in edit mode."""
    armature.edit_bones[names.HEAD_BONE].use_deform = False
    for name in names.EYE_BONES:
        armature.edit_bones[name].parent = armature.edit_bones[names.SKULL_BONE]


def set_up_neck(rig: bpy.types.Object, face_object: bpy.types.Object) -> None:
    """Free the neck to turn, fix the skull to it, and give the skull the head's vertices."""
    neck, skull = rig.pose.bones[names.NECK_BONE], rig.pose.bones[names.SKULL_BONE]
    for bone in (neck, skull):
        lock(bone, free_axes="", is_turning=False)
    neck.lock_rotation = (False, False, False)
    neck.rotation_mode = "ZXY"  # the turn about the neck's own length comes last
    rig.data.bones[names.SKULL_BONE].hide = True
    face_object.vertex_groups[names.HEAD_BONE].name = names.SKULL_BONE


def set_up_aim(rig: bpy.types.Object) -> None:
    """Let the eyes look at their points as far as two sliders say, which begin at 0: the tracked gaze."""
    bones = rig.pose.bones
    aim = bones[names.AIM_BONE]
    for name in (names.AIM_BONE, *names.AIM_BONES):
        lock(bones[name], free_axes="xyz", is_turning=False)
    _add_share(aim, names.INFLUENCE, 0.0, "How far the eyes look at this point instead of where they were tracked")
    _add_share(aim, names.FOLLOW_HEAD, 1.0, "Whether this point moves with the head, or stays where it is in the scene")
    _add_share(aim, names.LIDS_FOLLOW, 1.0, "How far lids follow eyes that this point has turned")
    _follow_head(rig, aim)
    for eye_name, aim_name in _EYES_AND_AIMS:
        _add_share(bones[aim_name], names.INFLUENCE, 1.0, "How much of the aim's influence this eye takes")
        constraint = bones[eye_name].constraints.new("DAMPED_TRACK")
        constraint.name = names.AIM_CONSTRAINT
        constraint.target, constraint.subtarget = rig, aim_name
        constraint.track_axis = "TRACK_Y"
    rig.update_tag()
    for eye_name, aim_name in _EYES_AND_AIMS:
        _drive(
            rig, eye_name, {"both": (names.AIM_BONE, names.INFLUENCE), "one": (aim_name, names.INFLUENCE)}, "both*one"
        )
    _drive(rig, names.AIM_BONE, {"share": (names.AIM_BONE, names.FOLLOW_HEAD)}, "share")


def is_neck_at_rest(rig: bpy.types.Object) -> bool:
    """Say whether the face is where the head bone is: there is no neck, or nothing turns it."""
    turned = [rig.pose.bones[name] for name in (names.NECK_BONE, names.SKULL_BONE) if name in rig.pose.bones]
    return all(_is_at_rest(bone) for bone in turned)


def _is_at_rest(bone: Any) -> bool:
    numbers = (*bone.location, *bone.rotation_euler, *(value - 1 for value in bone.scale))
    is_free = not any(not constraint.mute and constraint.influence > 0 for constraint in bone.constraints)
    is_by_euler = bone.rotation_mode not in ("QUATERNION", "AXIS_ANGLE")
    return is_free and is_by_euler and not any(numbers)


def _follow_head(rig: bpy.types.Object, aim: Any) -> None:
    constraint = aim.constraints.new("CHILD_OF")
    constraint.name = names.AIM_CONSTRAINT
    constraint.target, constraint.subtarget = rig, names.HEAD_BONE
    constraint.inverse_matrix = rig.data.bones[names.HEAD_BONE].matrix_local.inverted()


def _add_share(bone: Any, name: str, value: float, description: str) -> None:
    bone[name] = value
    bone.id_properties_ui(name).update(min=0.0, max=1.0, default=value, description=description)


def _drive(rig: bpy.types.Object, bone: str, sources: dict[str, tuple[str, str]], expression: str) -> None:
    """Drive the influence of a bone's own constraint by custom properties (bone, name) of the rig's bones."""
    path = f'pose.bones["{bone}"].constraints["{names.AIM_CONSTRAINT}"].influence'
    driver = rig.driver_add(path).driver
    driver.type = "SCRIPTED"
    for variable_name, (source, name) in sources.items():
        variable = driver.variables.new()
        variable.name = variable_name
        variable.targets[0].id = rig
        variable.targets[0].data_path = f'pose.bones["{source}"]["{name}"]'
    driver.expression = expression
