# SPDX-License-Identifier: GPL-3.0-or-later
"""A second head that plays the tracked performance alone, beside the edited one or as wires over it.

It is a copy of the rig that shares the tracked strip's action, so a turn of the dial shows in it. It is no portrait
rig: passes never see it, and other engines are told not to render it. It stands in the axes of the plate's camera,
whatever was done to the rig; the animator's poses, constraints, drivers, modifiers and shapes are left out.
"""

from __future__ import annotations

from typing import Literal

import bpy
import numpy as np
from mathutils import Matrix

from dvp_core.maths.frames import BLENDER_WORLD_FROM_OPENGL_CAMERA

from ..compat import vertex_positions
from . import names
from .reading import face_object_of

Place = Literal["BESIDE", "OVER"]
_WIDTHS_BESIDE = 1.25
_REACH = 10.0  # Blender's own limit of a shape key's range


def is_tracked_shown(rig: bpy.types.Object) -> bool:
    """Say whether the tracked head is there."""
    return rig.dvp_layers.tracked_head is not None


def show_tracked(rig: bpy.types.Object, *, place: Place = "BESIDE") -> bpy.types.Object:
    """Add the head that plays the tracked performance alone, and return its mesh object.

    Args:
        rig: The portrait rig.
        place: "BESIDE" stands it on the picture's right of the edited head, "OVER" lays it over as wires.

    Raises:
        DataError: The rig has lost its face.
    """
    original = face_object_of(rig)
    hide_tracked(rig)
    collection = bpy.data.collections.new(f"{rig.name} Tracked")
    for parent in rig.users_collection:
        parent.children.link(collection)
    collection.hide_render = True
    skeleton = _copied_rig(rig, collection)
    face = _copied_face(original, rig, skeleton, collection)
    width_m = float(np.ptp(vertex_positions(original.data)[:, 0]))
    distance_m = _WIDTHS_BESIDE * width_m if place == "BESIDE" else 0.0
    _stand_in_camera_axes(skeleton, rig.dvp_rig.camera, distance_m)
    if place == "OVER":
        face.display_type = "WIRE"
    rig.dvp_layers.tracked_head = collection
    return face


def hide_tracked(rig: bpy.types.Object) -> None:
    """Remove the tracked head and everything that came with it; nothing where there is none."""
    collection = rig.dvp_layers.tracked_head
    if collection is None:
        return
    rig.dvp_layers.tracked_head = None
    for item in list(collection.objects):
        mesh = item.data if item.type == "MESH" else None
        bpy.data.objects.remove(item)
        if mesh is not None and mesh.users == 0:
            bpy.data.meshes.remove(mesh)
    bpy.data.collections.remove(collection)


def _copied_rig(rig: bpy.types.Object, collection: bpy.types.Collection) -> bpy.types.Object:
    copy = rig.copy()
    copy.name = f"{rig.name} Tracked"
    collection.objects.link(copy)
    for group in (copy.dvp_rig, copy.dvp_layers):
        for name in group.bl_rna.properties.keys():
            if name not in ("rna_type", "name"):
                group.property_unset(name)
    _keep_tracked_alone(copy)
    for item in (copy, *copy.pose.bones):
        item.matrix_basis = Matrix()
        while item.constraints:
            item.constraints.remove(item.constraints[0])
    copy.hide_select = copy.hide_render = copy.hide_viewport = True
    return copy


def _copied_face(
    face: bpy.types.Object, rig: bpy.types.Object, skeleton: bpy.types.Object, collection: bpy.types.Collection
) -> bpy.types.Object:
    copy = face.copy()
    copy.data = face.data.copy()
    copy.name = f"{face.name} Tracked"
    collection.objects.link(copy)
    copy.parent = skeleton
    for modifier in list(copy.modifiers):
        if modifier.type == "ARMATURE" and modifier.object == rig:
            modifier.object = skeleton
        else:
            copy.modifiers.remove(modifier)
    key = copy.data.shape_keys
    _keep_tracked_alone(key)
    for block in key.key_blocks:
        block.slider_min, block.slider_max, block.value = -_REACH, _REACH, 0.0
    copy.hide_select = copy.hide_render = True
    return copy


def _keep_tracked_alone(owner: bpy.types.ID) -> None:
    """Remove the animator's keys, all drivers and every track but the tracked one from a copied data-block."""
    animation = owner.animation_data
    for driver in list(animation.drivers):
        animation.drivers.remove(driver)
    animation.action = None
    for track in list(animation.nla_tracks):
        if track.name != names.TRACKED_TRACK:
            animation.nla_tracks.remove(track)
        else:
            track.mute = track.is_solo = False


def _stand_in_camera_axes(skeleton: bpy.types.Object, camera: bpy.types.Object | None, distance_m: float) -> None:
    """Place the copy where an untouched rig stands before the plate's camera, shifted to the picture's right."""
    skeleton.parent = camera
    skeleton.matrix_basis = Matrix.Translation((distance_m, 0.0, 0.0))
    if camera is not None:
        at_rest = Matrix(BLENDER_WORLD_FROM_OPENGL_CAMERA.tolist()).to_4x4()
        skeleton.matrix_parent_inverse = at_rest.inverted()
