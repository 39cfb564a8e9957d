# SPDX-License-Identifier: GPL-3.0-or-later
"""A take file becomes a rig: mesh, bones, camera, plate, and the tracked performance as an NLA strip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take, read_take

from .animation import add_tracked_layer
from .armature import bind, make_armature_object
from .camera import make_camera_object
from .channels import check_key_limits, expression_channels, rig_channels, set_key_limits
from .controls import add_controls
from .memory import face_of, remember_take
from .mesh import make_face_object
from .plate import find_plate, show_plate
from .scene_setup import set_up_scene
from .sound import add_plate_sound
from .timing import scene_frames


@dataclass(frozen=True)
class ImportedTake:
    """What an import made.

    Attributes:
        take: The take, as read.
        rig: The armature object; everything else hangs on it.
        face: The mesh object.
        camera: The plate's camera.
        plate: Where the plate was found, or None.
        notes: Sentences for the user on what was left out.
    """

    take: Take
    rig: bpy.types.Object
    face: bpy.types.Object
    camera: bpy.types.Object
    plate: Path | None
    notes: tuple[str, ...] = ()


def import_take(
    path: Path | str,
    *,
    context: bpy.types.Context,
    plate_path: Path | str | None = None,
    face_model_path: Path | str | None = None,
    is_packed: bool = True,
    is_scene_set_up: bool = True,
    has_controls: bool = True,
    start_frame: int | None = None,
    has_sound: bool = True,
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
        start_frame: The scene's frame that shows the take's first; None keeps the plate's own number. Passes, jobs and
            what comes back carry the plate's numbers all the same.
        has_sound: Whether the sound of a plate that has one is put into the sequencer.

    Raises:
        DataError: Not a take, a damaged one, one without its face, a plate that is not there, or a start below 0.
    """
    path = Path(path)
    take = read_take(path)
    check_key_limits(take)
    _check_start(start_frame)
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
    rig.dvp_rig.frame_shift = 0 if start_frame is None else start_frame - take.clip.start_frame
    rig.dvp_rig.face_model_path = "" if face_model_path is None else str(face_model_path)
    _add_performance(rig, face_object, take)
    if has_controls:
        add_controls(rig, face, view_layer=context.view_layer)
    if plate is not None:
        show_plate(rig, plate)
    if is_scene_set_up:
        set_up_scene(context.scene, take.clip, shift=rig.dvp_rig.frame_shift)
        context.scene.camera = camera
        context.scene.frame_set(context.scene.frame_start)
    notes = _add_sound(context.scene, rig) if has_sound else ()
    return ImportedTake(take=take, rig=rig, face=face_object, camera=camera, plate=plate, notes=notes)


def _add_sound(scene: bpy.types.Scene, rig: bpy.types.Object) -> tuple[str, ...]:
    """Put the plate's sound into the sequencer, and return why not where it does not fit the scene."""
    try:
        add_plate_sound(scene, rig)
    except DataError as error:
        return (f"the sound was left out: {error}",)
    return ()


def _check_start(start_frame: int | None) -> None:
    if start_frame is not None and start_frame < 0:
        raise DataError(
            f"the start frame is {start_frame}", where="import", remedy="Blender's scenes have no frames below 0"
        )


def _add_performance(rig: bpy.types.Object, face_object: bpy.types.Object, take: Take) -> None:
    frames = scene_frames(rig, take)
    key = face_object.data.shape_keys
    expressions = expression_channels(take)
    add_tracked_layer(key, expressions, frames, name=f"{take.subject} expression", blend_type="ADD")
    add_tracked_layer(rig, rig_channels(take), frames, name=f"{take.subject} pose", blend_type="COMBINE")
