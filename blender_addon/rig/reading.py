# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene says about a face at one frame, after animation, drivers and constraints.

A rig that was only animated is read channel by channel, which gives the take's own numbers bit for bit. What channels
cannot tell (a constrained or re-parented head, other deformations of the mesh) is read from evaluated matrices and the
evaluated mesh, to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.maths.frames import (
    BLENDER_WORLD_FROM_OPENGL_CAMERA,
    OPENGL_CAMERA_FROM_CAMERA,
    take_pose_from_opengl_pose,
)
from dvp_core.maths.rotations import quaternion_wxyz_from_matrix

from .. import compat
from . import names
from .control_bones import own_bone_names
from .neck_and_aim import is_neck_at_rest

_UNMOVED = 1e-6


@dataclass(frozen=True)
class ScenePose:
    """One frame of a face as the scene has it; the fields are those of `Take`.

    Attributes:
        expression: (E,) float32.
        head_rotation_wxyz: (4,) float32.
        head_translation_m: (3,) float32.
        gaze_rad: (2, 2) float32.
        illumination_sh: (9, 3) float32.
        vertices_camera: (V, 3) float64 of the evaluated mesh, or None where the fields above tell everything.
        notes: Sentences for the user on what was not read channel by channel.
    """

    expression: np.ndarray
    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    gaze_rad: np.ndarray
    illumination_sh: np.ndarray
    vertices_camera: np.ndarray | None
    notes: tuple[str, ...]


def rigs_of_scene(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the scene's portrait rigs."""
    return [item for item in scene.objects if item.type == "ARMATURE" and item.dvp_rig.is_rig]


def rig_of_scene(scene: bpy.types.Scene) -> bpy.types.Object:
    """Return the scene's portrait rig: the one chosen in its settings, the only one, or that of the scene's camera.

    Raises:
        DataError: There is none, or several and none is chosen, nor by the camera.
    """
    rigs = rigs_of_scene(scene)
    if scene.dvp.rendered_rig in rigs:
        return scene.dvp.rendered_rig
    if not rigs:
        raise DataError(
            "has no portrait rig",
            where=f"scene '{scene.name}'",
            remedy="Import a take with File > Import > Deep Video Portraits Take",
        )
    seen = [rig for rig in rigs if rig.dvp_rig.camera == scene.camera]
    if len(rigs) > 1 and len(seen) != 1:
        raise DataError(
            f"has {len(rigs)} portrait rigs",
            where=f"scene '{scene.name}'",
            remedy="Choose one in the sidebar tab Portrait, or make its camera the scene's camera",
        )
    return seen[0] if seen else rigs[0]


def face_object_of(rig: bpy.types.Object) -> bpy.types.Object:
    """Return the rig's mesh object.

    Raises:
        DataError: It was deleted, or has lost its shape keys.
    """
    face = rig.dvp_rig.face
    if face is None or face.type != "MESH" or face.data.shape_keys is None:
        raise DataError("has lost its face mesh or its shape keys", where=rig.name, remedy="Import the take again")
    return face


def read_pose(rig: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph) -> ScenePose:
    """Return the rig's pose in an evaluated scene.

    Raises:
        DataError: Rig or face are not part of what is evaluated, or the mesh no longer is the take's.
    """
    face = face_object_of(rig)
    rig_evaluated = _evaluated(rig, depsgraph)
    face_evaluated = _evaluated(face, depsgraph)
    notes: list[str] = []
    rotation, translation = _head_pose(rig, rig_evaluated, depsgraph, notes)
    expression = _expression(face, take, depsgraph)
    gaze = _gaze(rig_evaluated)
    vertices = None
    reason = _other_deformation(rig, face, face_evaluated, take)
    if reason:
        notes.append(f"{reason}: the evaluated mesh is used")
        vertices = _vertices_camera(rig, face_evaluated, take, depsgraph)
    light = np.array(rig_evaluated.dvp_rig.light_sh, np.float32).reshape(9, 3)
    return ScenePose(expression, rotation, translation, gaze, light, vertices, tuple(notes))


def is_told_by_channels(rig: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph) -> bool:
    """Say whether the rig is part of what was evaluated and its pose lies in channels alone.

    Channels are the same in views and in renders, hidden or not; the evaluated mesh is not, since each has modifiers of
    its own.

    Raises:
        DataError: The face was deleted, or has lost its shape keys.
    """
    face = face_object_of(rig)
    for item in (rig, face, rig.dvp_rig.camera):
        if item is None or not item.evaluated_get(depsgraph).is_evaluated:
            return False
    return _other_deformation(rig, face, face.evaluated_get(depsgraph), take) is None


def _evaluated(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> bpy.types.Object:
    evaluated = item.evaluated_get(depsgraph)
    if not evaluated.is_evaluated:
        raise DataError(
            "is excluded from the view layer or switched off for rendering",
            where=f"object '{item.name}'",
            remedy="Switch it on in the Outliner",
        )
    return evaluated


def _expression(face: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph) -> np.ndarray:
    keys = face.data.shape_keys.evaluated_get(depsgraph).key_blocks
    missing = [name for name in take.expression_names if name not in keys]
    if missing:
        raise DataError(
            f"has lost the shape key '{missing[0]}'", where=f"object '{face.name}'", remedy="Import the take again"
        )
    return np.array([_shown(keys, name) for name in take.expression_names], np.float32)


def _shown(keys: Any, name: str) -> float:
    """Return a shape's value and what controls add to it; controls at rest add 0, which changes no bit."""
    blocks = [keys[name]] + [keys[added] for added in (names.added_key(name),) if added in keys]
    return sum(0.0 if block.mute else block.value for block in blocks)


def _gaze(rig_evaluated: bpy.types.Object) -> np.ndarray:
    gaze = np.zeros((2, 2), np.float32)
    for side, name in enumerate(names.EYE_BONES):
        bone = rig_evaluated.pose.bones[name]
        if _is_free(bone):
            gaze[side] = bone.rotation_euler.z, bone.rotation_euler.x
        else:
            gaze[side] = _gaze_of_matrix(bone)
    return gaze


def _gaze_of_matrix(bone: bpy.types.PoseBone) -> tuple[float, float]:
    """Return yaw and pitch of a bone that a constraint turns, from where its Y axis points in its rest frame."""
    rest = bone.bone.matrix_local.to_3x3()
    parent = bone.parent.matrix.to_3x3() @ bone.parent.bone.matrix_local.to_3x3().inverted()
    direction = rest.inverted() @ parent.inverted() @ bone.matrix.to_3x3().col[1].normalized()
    return float(np.arctan2(-direction.x, direction.y)), float(np.arcsin(np.clip(direction.z, -1.0, 1.0)))


def _is_free(bone: bpy.types.PoseBone) -> bool:
    return not any(not constraint.mute and constraint.influence > 0 for constraint in bone.constraints)


def _head_pose(
    rig: bpy.types.Object, rig_evaluated: bpy.types.Object, depsgraph: bpy.types.Depsgraph, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return quaternion and translation of `T_camera_head`, float32."""
    bones = rig_evaluated.pose.bones
    head = bones[names.HEAD_BONE]
    camera_from_rig = _opengl_camera_from_world(rig, depsgraph) @ np.array(rig_evaluated.matrix_world)
    expected = np.eye(4)
    expected[:3, :3] = BLENDER_WORLD_FROM_OPENGL_CAMERA.T
    is_at_camera = np.abs(camera_from_rig - expected).max() < _UNMOVED
    is_free = is_at_camera and _is_free(head) and head.parent is None and head.rotation_mode == "QUATERNION"
    if is_free and is_neck_at_rest(rig_evaluated):
        rotation = np.array(head.rotation_quaternion, np.float32)
        return take_pose_from_opengl_pose(rotation, np.array(head.location, np.float32))
    if not is_free:
        notes.append("The head is constrained, or was moved against the camera: its evaluated matrix is used")
    carrier = bones[names.SKULL_BONE] if names.SKULL_BONE in bones else head
    matrix = camera_from_rig @ np.array(carrier.matrix)
    rotation, translation = take_pose_from_opengl_pose(
        quaternion_wxyz_from_matrix(_without_scale(matrix[:3, :3])), matrix[:3, 3]
    )
    return rotation.astype(np.float32), translation.astype(np.float32)


def _without_scale(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=0)


def _opengl_camera_from_world(rig: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> np.ndarray:
    camera = rig.dvp_rig.camera
    if camera is None or camera.type != "CAMERA":
        raise DataError("has lost its camera", where=rig.name, remedy="Import the take again")
    return np.array(camera.evaluated_get(depsgraph).matrix_world.inverted())


def _other_deformation(
    rig: bpy.types.Object, face: bpy.types.Object, face_evaluated: bpy.types.Object, take: Take
) -> str | None:
    """Return what else than the take's own controls shapes the mesh, or None."""
    known = {names.BASIS_KEY, *take.expression_names, *(names.added_key(name) for name in take.expression_names)}
    for key in face.data.shape_keys.key_blocks:
        if key.name not in known and not key.mute:
            return f"Shape key '{key.name}' is not the take's"
    for modifier in face.modifiers:
        is_own = modifier.type == "ARMATURE" and modifier.object == rig
        if not is_own and modifier.show_render:
            return f"Modifier '{modifier.name}' deforms the face"
    if not own_bone_names().issuperset(rig.pose.bones.keys()):
        return "The rig has further bones"
    if np.abs(np.array(face_evaluated.matrix_world) - np.array(face_evaluated.parent.matrix_world)).max() > _UNMOVED:
        return "The face was moved against its rig"
    return None


def _vertices_camera(
    rig: bpy.types.Object, face_evaluated: bpy.types.Object, take: Take, depsgraph: bpy.types.Depsgraph
) -> np.ndarray:
    """Return the evaluated mesh (V, 3) in the camera space of the plate."""
    mesh = face_evaluated.data
    expected = len(take.reflectance)
    if len(mesh.vertices) != expected:
        raise DataError(
            f"its evaluated mesh has {len(mesh.vertices)} vertices where the take has {expected}",
            where=f"object '{face_evaluated.name}'",
            remedy="Remove modifiers that add or remove vertices, or switch them off for rendering",
        )
    matrix = _opengl_camera_from_world(rig, depsgraph) @ np.array(face_evaluated.matrix_world)
    points = compat.vertex_positions(mesh).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    return points @ OPENGL_CAMERA_FROM_CAMERA
