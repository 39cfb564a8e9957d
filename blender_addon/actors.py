# SPDX-License-Identifier: GPL-3.0-or-later
"""Several actors in one scene: whose rig a button means, and what their files are called.

A button means the rig of the active object: the armature, its face or its camera. Where nothing of a rig is active it
means the scene's, which `rig_of_scene` finds; so do F12, which has no active object, and scripts.
"""

from __future__ import annotations

import re

import bpy

from .rig.reading import rig_of_scene, rigs_of_scene

ACTOR = "{actor}"
"""Stands in a path or a job's name for the actor."""
_RIG_SUFFIX = " Rig"
_NO_LETTERS = re.compile(r"[^\w.-]+")


def rig_of_context(context: bpy.types.Context) -> bpy.types.Object:
    """Return the rig that buttons and panels mean: the active object's, else the scene's.

    Raises:
        DataError: The scene has none, or several and none is chosen.
    """
    rig = rig_of_object(context.view_layer.objects.active, context.scene)
    return rig_of_scene(context.scene) if rig is None else rig


def rig_of_object(item: bpy.types.Object | None, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """Return the scene's rig that an object is, belongs to or hangs on; None for any other object."""
    rigs = rigs_of_scene(scene)
    while item is not None:
        for rig in rigs:
            if item in (rig, rig.dvp_rig.face, rig.dvp_rig.camera):
                return rig
        item = item.parent
    return None


def actor_of(rig: bpy.types.Object) -> str:
    """Return the actor's name as files carry it: the rig's own, which is unique in a `.blend`."""
    return _NO_LETTERS.sub("_", rig.name.removesuffix(_RIG_SUFFIX)).strip("_.") or "actor"


def actor_path(text: str, actor: str, *, is_alone: bool) -> str:
    """Return a path of an actor's own: `{actor}` is the name; without it, several actors get a folder each.

    Args:
        text: As the field has it: a folder, or files with `#` for the frame number.
        actor: The name.
        is_alone: Whether no other actor uses the same field.
    """
    if ACTOR in text:
        return text.replace(ACTOR, actor)
    if is_alone or not text.strip():
        return text
    if "#" not in text:
        return f"{text.rstrip('/')}/{actor}" if text.strip("/") else f"{text}{actor}"
    cut = max(text.rfind(mark) for mark in "/\\:") + 1
    return f"{text[:cut]}{actor}/{text[cut:]}"


def passes_folder_of(scene: bpy.types.Scene, rig: bpy.types.Object | None) -> str:
    """Return where the scene's field puts the passes of a rig; the field itself where there is no rig."""
    return _of_actor(scene.dvp.passes_folder, scene, rig)


def output_of(scene: bpy.types.Scene, rig: bpy.types.Object | None) -> str:
    """Return where the scene's field puts the frames that the farm renders of a rig; the field itself without one."""
    return _of_actor(scene.dvp.output, scene, rig)


def named_for(text: str, rig: bpy.types.Object | None) -> str:
    """Return a field that names something of one actor, such as a generator, with `{actor}` filled in."""
    return text if rig is None else text.replace(ACTOR, actor_of(rig))


def _of_actor(text: str, scene: bpy.types.Scene, rig: bpy.types.Object | None) -> str:
    if rig is None:
        return text
    return actor_path(text, actor_of(rig), is_alone=len(rigs_of_scene(scene)) < 2)
