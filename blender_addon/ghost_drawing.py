# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the ghosts over the 3D view, and looks at frames when Blender is idle, never while it draws or renders.

While the animation plays, only what is known already is drawn, so that playback keeps its pace; when it stands, the
missing frames are looked at a moment later. Without a window there is no drawing; `refresh` does all but that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

from dvp_core.data.errors import DataError

from . import compat
from .rig.ghosts import ASIDE, Ghost, edges_of, forget_ghosts, ghosts_of, known_vertices, look_at
from .rig.reading import rigs_of_scene

BEFORE = (0.15, 0.45, 1.0)
AFTER = (1.0, 0.45, 0.1)
_IDLE_S = 0.1
_handles: list[Any] = []
_settled: dict[str, tuple[Any, ...]] = {}  # settings that were drawn last, by rig's name


def wanted_ghosts(rig: bpy.types.Object, scene: bpy.types.Scene) -> tuple[Ghost, ...]:
    """Return the ghosts that a rig's settings ask for at the scene's frame."""
    settings = rig.dvp_ghosts
    if not settings.is_shown:
        return ()
    return ghosts_of(
        scene.frame_current,
        count=settings.count,
        step=settings.step,
        first=scene.frame_start,
        last=scene.frame_end,
    )


def refresh(scene: bpy.types.Scene) -> int:
    """Look at all frames whose ghosts are wanted and not known, and return how many these were.

    Raises:
        DataError: A rig has lost its face.
    """
    return sum(look_at(rig, (ghost.frame for ghost in wanted_ghosts(rig, scene))) for rig in rigs_of_scene(scene))


def known_ghosts(rig: bpy.types.Object, scene: bpy.types.Scene) -> list[tuple[Ghost, np.ndarray]]:
    """Return the ghosts of a rig that can be drawn now, each with its vertices (V, 3) in the world."""
    pairs = [(ghost, known_vertices(rig, ghost.frame)) for ghost in wanted_ghosts(rig, scene)]
    return [(ghost, vertices) for ghost, vertices in pairs if vertices is not None]


def color_of(ghost: Ghost, opacity: float) -> tuple[float, float, float, float]:
    """Return a ghost's colour: blue before, orange after, fainter the further away."""
    return (*(BEFORE if ghost.is_before else AFTER), opacity * ghost.strength)


def is_change(updates: Iterable[Any]) -> bool:
    """Say whether something was updated that ghosts may show; what a frame's change alone updates is none."""
    return any(
        isinstance(update.id, bpy.types.Action)
        or (isinstance(update.id, bpy.types.Object) and (update.is_updated_transform or update.is_updated_geometry))
        for update in updates
    )


def redraw_soon() -> None:
    """Look at missing frames when Blender is idle, and draw anew."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_when_idle):
        bpy.app.timers.register(_when_idle, first_interval=_IDLE_S)


def follow_settings(rig: bpy.types.Object) -> None:
    """Draw anew where a rig's settings are others than those drawn last; Blender tells nobody when a slider moved."""
    if _settled.get(rig.name) != _settings_of(rig):
        redraw_soon()


def _settings_of(rig: bpy.types.Object) -> tuple[Any, ...]:
    settings = rig.dvp_ghosts
    return settings.is_shown, settings.count, settings.step, settings.opacity


def add_handlers() -> None:
    """Follow frames and changes, and draw in every 3D view."""
    bpy.app.handlers.frame_change_post.append(_on_frame)
    bpy.app.handlers.depsgraph_update_post.append(_on_update)
    for handlers in _of_other_files():
        handlers.append(_on_other_file)
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW"))


def remove_handlers() -> None:
    """Undo `add_handlers`."""
    bpy.app.handlers.frame_change_post.remove(_on_frame)
    bpy.app.handlers.depsgraph_update_post.remove(_on_update)
    for handlers in _of_other_files():
        handlers.remove(_on_other_file)
    if bpy.app.timers.is_registered(_when_idle):
        bpy.app.timers.unregister(_when_idle)
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    forget_ghosts()


def _of_other_files() -> tuple[list[Any], ...]:
    return bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post


@bpy.app.handlers.persistent
def _on_frame(scene: bpy.types.Scene, _depsgraph: Any = None) -> None:
    if scene.name != ASIDE and _is_any_shown(scene):
        redraw_soon()


@bpy.app.handlers.persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if is_change(depsgraph.updates):
        forget_ghosts()
    if _is_any_shown(scene):
        redraw_soon()


@bpy.app.handlers.persistent
def _on_other_file(*_: Any) -> None:
    forget_ghosts()
    redraw_soon()


def _is_any_shown(scene: bpy.types.Scene) -> bool:
    return any(rig.dvp_ghosts.is_shown for rig in rigs_of_scene(scene))


def _when_idle() -> float | None:
    """Fill in what is missing in the scenes that windows show; asked again while Blender plays or renders."""
    windows = list(bpy.context.window_manager.windows)
    if bpy.app.is_job_running("RENDER") or any(window.screen.is_animation_playing for window in windows):
        return _IDLE_S
    for rig in {rig for window in windows for rig in rigs_of_scene(window.scene)}:
        _settled[rig.name] = _settings_of(rig)
    for scene in {window.scene for window in windows}:
        _refresh_if_possible(scene)
    for area in (area for window in windows for area in window.screen.areas if area.type == "VIEW_3D"):
        area.tag_redraw()
    return None


def _refresh_if_possible(scene: bpy.types.Scene) -> None:
    try:
        refresh(scene)
    except DataError:
        return  # a rig without its face has no ghosts; its panel says what it lacks


def _draw() -> None:
    scene = bpy.context.scene
    for rig in rigs_of_scene(scene):
        for ghost, vertices in known_ghosts(rig, scene):
            compat.draw_wires(vertices, edges_of(rig), color_of(ghost, rig.dvp_ghosts.opacity))
