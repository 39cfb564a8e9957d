# SPDX-License-Identifier: GPL-3.0-or-later
"""A take file becomes a rig: mesh, bones, camera, plate, and the tracked performance as an NLA strip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from dvp_core.data.take import Take, read_take

from .animation import add_tracked_layer
from .armature import bind, make_armature_object
from .camera import find_plate, make_camera_object, put_plate_behind
from .channels import check_key_limits, expression_channels, rig_channels, set_key_limits
from .controls import add_controls
from .memory import face_of, remember_take
from .mesh import make_face_object
from .scene_setup import set_up_scene


@dataclass(frozen=True)
class ImportedTake:
    """What an import made.

    Attributes:
        take: The take, as read.
        rig: The armature object; everything else hangs on it.
        face: The mesh object.
        camera: The plate's camera.
        plate: Where the plate was found, or None.
    """

    take: Take
    rig: bpy.types.Object
    face: bpy.types.Object
    camera: bpy.types.Object
    plate: Path | None


def import_take(
    path: Path | str,
    *,
    context: bpy.types.Context,
    plate_path: Path | str | None = None,
    face_model_path: Path | str | None = None,
    is_packed: bool = True,
    is_scene_set_up: bool = True,
    has_controls: bool = True,
) -> ImportedTake:
    """Build the rig of a take in the current scene and return what was made.

    Args:
        path: The `*.take`.
        context: Blender's context, in object mode.
        plate_path: The clip: movie, folder or `####` pattern; None looks for the clip's name beside the take.
        face_model_path: The `*.face.npz`, for takes whose model's licence keeps the face out of them.
        is_packed: Whether the take's bytes are packed into the .blend, so that it renders anywhere.
        is_scene_set_up: Whether the scene gets the clip's frame rate, range and size, and the camera.
        has_controls: Whether the rig gets the controls by which the face is posed.
        has_controls: Whether the face gets the bones by which it is posed.

    Raises:
        DataError: Not a take, a damaged one, one without its face, or a plate that is not there.
    """
    path = Path(path)
    take = read_take(path)
    check_key_limits(take)
    face = face_of(take, face_model_path or "")
    plate = find_plate(take.clip, path, None if plate_path is None else Path(plate_path))
    collection = bpy.data.collections.new(take.subject or path.stem)
    context.scene.collection.children.link(collection)
    rig = make_armature_object(
        face, name=f"{collection.name} Rig", collection=collection, view_layer=context.view_layer
    )
    face_object = make_face_object(face, take.reflectance, name=f"{collection.name} Face")
    camera = make_camera_object(take.camera, name=f"{collection.name} Camera")
    collection.objects.link(face_object)
    collection.objects.link(camera)
    bind(face_object, rig)
    set_key_limits(face_object, take)
    remember_take(rig, take, path, is_packed=is_packed)
    rig.dvp_rig.face = face_object
    rig.dvp_rig.camera = camera
    rig.dvp_rig.face_model_path = "" if face_model_path is None else str(face_model_path)
    _add_performance(rig, face_object, take)
    if has_controls:
        add_controls(rig, face, view_layer=context.view_layer)
    if plate is not None:
        put_plate_behind(camera, plate, take.clip)
    if is_scene_set_up:
        set_up_scene(context.scene, take.clip)
        context.scene.camera = camera
        context.scene.frame_set(take.frames.first)
    return ImportedTake(take=take, rig=rig, face=face_object, camera=camera, plate=plate)


def _add_performance(rig: bpy.types.Object, face_object: bpy.types.Object, take: Take) -> None:
    frames = np.array(take.frames.numbers)
    key = face_object.data.shape_keys
    expressions = expression_channels(take)
    add_tracked_layer(key, expressions, frames, name=f"{take.subject} expression", blend_type="ADD")
    add_tracked_layer(rig, rig_channels(take), frames, name=f"{take.subject} pose", blend_type="COMBINE")
