# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens to the scene: marks the preview stale when it changes, and with 'Live' on asks again once it is still.

One question is open at a time, and each change is asked for once, so a farm that refuses is not asked over and over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy

from dvp_core.data.errors import DataError

from .asking import ask_preview, is_asking, redraw, stop_asking
from .picture import forget_preview, shown_preview
from .staleness import edit_count, mark_changes
from .window import is_reading, read_window

STILL_S = 0.4
_LOOK_AGAIN_S = 0.1


@dataclass
class _Changes:
    """What was heard of the scene, in seconds of the monotonic clock."""

    count: int = 0
    asked_count: int = 0
    last_s: float = 0.0


_changes = _Changes()


def set_live(context: bpy.types.Context, is_live: bool) -> None:
    """Switch asking by itself on or off; on, the first preview comes without any change."""
    context.window_manager.dvp_preview.is_live = is_live
    if is_live:
        note_change()


def note_change() -> None:
    """Remember that the scene has changed; where previews are live, ask once it is still."""
    _changes.count += 1
    _changes.last_s = time.monotonic()
    if not bpy.app.background and not bpy.app.timers.is_registered(settle):
        bpy.app.timers.register(settle, first_interval=STILL_S, persistent=True)


def settle() -> float | None:
    """Ask where the scene has been still after a change; return when to look again, None where there is no more to do.

    It is a timer's function; tests call it themselves.
    """
    context = bpy.context
    settings = context.window_manager.dvp_preview
    if not settings.is_live:
        return None
    if is_asking() or _is_playing(context):
        return _LOOK_AGAIN_S
    still_s = time.monotonic() - _changes.last_s
    if still_s < STILL_S:
        return STILL_S - still_s
    if _changes.asked_count == _changes.count:
        return None
    _changes.asked_count = _changes.count
    try:
        _ask_where_changed(context)
    except DataError as error:
        settings.message = str(error)
        redraw()
    return _LOOK_AGAIN_S


def _ask_where_changed(context: bpy.types.Context) -> None:
    """Ask, unless the whole window proves to be what the preview was painted from."""
    shown, window = shown_preview(), read_window(context)
    if shown is not None and shown.stamp == window.stamp:
        shown.edit_count = edit_count()
        mark_changes(context.scene, context.evaluated_depsgraph_get())
    if shown is None or shown.is_stale or shown.rig_name != window.rig_name:
        ask_preview(context, window)
    redraw()


def _is_playing(context: bpy.types.Context) -> bool:
    return any(window.screen.is_animation_playing for window in context.window_manager.windows)


@bpy.app.handlers.persistent
def hear_edit(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Compare the preview with the scene; Blender calls this after each edit."""
    _compare(scene, depsgraph, is_edit=True)


@bpy.app.handlers.persistent
def hear_frame(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Compare the preview with the scene; Blender calls this when it stands at another frame."""
    _compare(scene, depsgraph, is_edit=False)


def _compare(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None, *, is_edit: bool) -> None:
    is_render = threading.current_thread() is not threading.main_thread()  # it sets frames from a thread of its own
    if is_render or is_reading() or depsgraph is None:
        return
    shown = shown_preview()
    if mark_changes(scene, depsgraph, is_edit=is_edit):
        redraw()
    is_wanted = shown is None or (shown.is_stale and shown.scene_name == scene.name)
    if is_wanted and bpy.context.window_manager.dvp_preview.is_live:
        note_change()


@bpy.app.handlers.persistent
def forget_on_load(*_: object) -> None:
    """Show nothing of the file before, and take no answer that was asked for it."""
    stop_asking()
    forget_preview()


def add_handlers() -> None:
    """Listen to scenes, frames and files."""
    for handlers, handler in _handlers():
        handlers.append(handler)


def remove_handlers() -> None:
    """Undo `add_handlers`, and wait for no stillness any more."""
    if bpy.app.timers.is_registered(settle):
        bpy.app.timers.unregister(settle)
    for handlers, handler in _handlers():
        if handler in handlers:
            handlers.remove(handler)


def _handlers() -> tuple[tuple[Any, Callable[..., None]], ...]:
    lists = bpy.app.handlers
    return (
        (lists.depsgraph_update_post, hear_edit),
        (lists.frame_change_post, hear_frame),
        (lists.load_post, forget_on_load),
    )
