# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones an animator poses: head and eyes.

Bones rest such that their channels are the take's own numbers up to sign and order, so that nothing is rounded on the
way in or out: the head bone's local axes are head space's (X subject's left, Y up, Z out of the face) seen from a
camera with OpenGL's axes; an eye bone turns by its Euler X (pitch, positive up) and Z (yaw, positive to the subject's
left). The bones rest at the camera's place; the tracked strip carries them to the actor's.
"""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.face_model import FaceModel

from . import names
from .mesh import blender_positions

_HEAD_BONE_LENGTH_M = 0.14
_EYE_BONE_LENGTH_M = 0.05


def make_armature_object(
    face: FaceModel, *, name: str, collection: bpy.types.Collection, view_layer: bpy.types.ViewLayer
) -> bpy.types.Object:
    """Return an armature object with head and eye bones, linked to the collection and left active in object mode."""
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    collection.objects.link(rig)
    view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    head = _add_bone(armature, names.HEAD_BONE, np.zeros(3), np.array([0.0, _HEAD_BONE_LENGTH_M, 0.0]))
    head.align_roll(_blender_direction(0.0, 0.0, 1.0))
    for eye_name, center in zip(names.EYE_BONES, face.eye_centers, strict=True):
        eye = _add_bone(armature, eye_name, center, center + np.array([0.0, 0.0, _EYE_BONE_LENGTH_M]))
        eye.align_roll(_blender_direction(0.0, 1.0, 0.0))
        eye.parent = head
    bpy.ops.object.mode_set(mode="OBJECT")
    _set_channels(rig)
    armature.display_type = "STICK"
    rig.show_in_front = True
    return rig


def bind(face_object: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Let the rig's bones carry the face's vertex groups."""
    face_object.parent = rig
    modifier = face_object.modifiers.new(names.ARMATURE_MODIFIER, "ARMATURE")
    modifier.object = rig


def _add_bone(armature: bpy.types.Armature, name: str, head: np.ndarray, tail: np.ndarray) -> bpy.types.EditBone:
    bone = armature.edit_bones.new(name)
    bone.head = blender_positions(head).tolist()
    bone.tail = blender_positions(tail).tolist()
    return bone


def _blender_direction(x: float, y: float, z: float) -> list[float]:
    return blender_positions(np.array([x, y, z])).tolist()


def _set_channels(rig: bpy.types.Object) -> None:
    """Choose rotation modes, and lock what a take does not hold."""
    head = rig.pose.bones[names.HEAD_BONE]
    head.rotation_mode = "QUATERNION"
    head.lock_scale = (True, True, True)
    for name in names.EYE_BONES:
        eye = rig.pose.bones[name]
        eye.rotation_mode = "XYZ"
        eye.lock_location = (True, True, True)
        eye.lock_rotation = (False, True, False)
        eye.lock_scale = (True, True, True)
