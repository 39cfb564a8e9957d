"""Runs inside Blender: answers questions about the window, so that the tour outside knows where to click.

It changes nothing of the work; every change of the scene comes from the mouse and the keyboard. Questions are Python
expressions, one a line, over a socket to the port in DVP_TOUR_PORT; answers are JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import socket
import threading
import time
from typing import Any

import addon_utils
import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d

ADDON = "deep_video_portraits"
_INTERVAL_S = 0.02
_NOTHING = "-"

_questions: queue.Queue[str] = queue.Queue()
_drawn_at: dict[str, float] = {}
_previews: list[dict[str, float]] = []  # what each that was shown took


def area_of(kind: str) -> tuple[Any, Any]:
    """Return the largest area of a kind, such as VIEW_3D, and its window."""
    found = [
        (area.width * area.height, window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == kind
    ]
    _, window, area = max(found, key=lambda item: item[0])
    return window, area


def region_of(kind: str, part: str) -> tuple[Any, Any, Any]:
    """Return window, area and region, such as VIEW_3D and UI."""
    window, area = area_of(kind)
    return window, area, next(region for region in area.regions if region.type == part)


def box(kind: str, part: str) -> list[int]:
    """Return left, top, width and height of a region in pixels of the screen."""
    window, _, region = region_of(kind, part)
    top = window.height - region.y - region.height
    return [region.x, top, region.width, region.height]


def under_mouse(kind: str, part: str) -> str:
    """Return what the button under the mouse does: an operator's call, or the path of a property; else nothing."""
    window, area, region = region_of(kind, part)
    manager = bpy.context.window_manager
    manager.clipboard = _NOTHING
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
        for ask in (bpy.ops.ui.copy_python_command_button, lambda: bpy.ops.ui.copy_data_path_button(full_path=True)):
            try:
                ask()
            except RuntimeError:  # the poll of buttons of the other kind
                continue
            if manager.clipboard != _NOTHING:
                return manager.clipboard
    return ""


def bone_on_screen(bone: str) -> list[int]:
    """Return where a bone of the scene's rig begins, in pixels of the screen."""
    rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    rig = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    left, top, _, height = box("VIEW_3D", "WINDOW")
    _, area, region = region_of("VIEW_3D", "WINDOW")
    posed = rig.pose.bones[bone]
    place = posed.custom_shape_transform.matrix if posed.custom_shape_transform else posed.matrix
    middle = location_3d_to_region_2d(region, area.spaces.active.region_3d, rig.matrix_world @ place.translation)
    return [round(left + middle.x), round(top + height - middle.y)]


def frame_on_screen(frame: int) -> list[int]:
    """Return where a frame lies on the timeline's ruler, in pixels of the screen."""
    left, top, _, _ = box("DOPESHEET_EDITOR", "WINDOW")
    _, _, region = region_of("DOPESHEET_EDITOR", "WINDOW")
    across, _ = region.view2d.view_to_region(frame, 0, clip=False)
    return [left + across, top + 12]


def frames_keyed(path: str) -> list[int]:
    """Return the frames where the rig's active action has keys of the channels with a text in their path."""
    action = bpy.context.object.animation_data.action
    curves = [curve for curve in (action.fcurves if action else ()) if path in curve.data_path]
    return sorted({round(key.co.x) for curve in curves for key in curve.keyframe_points})


def preview_count() -> int:
    """Return how many previews have been shown, as far as it was asked for after each."""
    shown = importlib.import_module(f"{ADDON}.preview.picture").shown_preview()
    if shown is not None and shown.seconds not in _previews:
        _previews.append(shown.seconds)
    return len(_previews)


def is_drawn(what: str, since: float) -> bool:
    """Say whether a panel, or the "view" (3D or of files), was drawn after a time."""
    return _drawn_at.get(what, since) > since


def is_browsing() -> bool:
    """Say whether a file browser is open."""
    screens = [window.screen for window in bpy.context.window_manager.windows]
    return any(area.type == "FILE_BROWSER" for screen in screens for area in screen.areas)


def copy(text: str) -> None:
    """Put a text on the clipboard."""
    bpy.context.window_manager.clipboard = text


def redraw() -> float:
    """Have everything drawn again, and return the time."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    return time.monotonic()


def _note_drawings(*panels: str) -> None:
    def note(what: str) -> None:
        _drawn_at[what] = time.monotonic()

    for panel in panels:
        getattr(bpy.types, panel).append(lambda *_, panel=panel: note(panel))
    for space in (bpy.types.SpaceView3D, bpy.types.SpaceFileBrowser):
        space.draw_handler_add(note, ("view",), "WINDOW", "POST_PIXEL")


def _listen(connection: socket.socket) -> None:
    with connection.makefile() as lines:
        for line in lines:
            _questions.put(line)


def _answer(connection: socket.socket) -> float:
    """Answer what was asked since the last call, in Blender's own thread."""
    while not _questions.empty():
        question = _questions.get()
        try:
            answer = {"value": eval(question, globals())}  # the tour's own questions, from this machine
        except Exception as error:  # noqa: BLE001 - whatever it was, the tour outside says it
            answer = {"error": f"{type(error).__name__}: {error}"}
        connection.sendall(json.dumps(answer, default=str).encode() + b"\n")
    return _INTERVAL_S


def _begin() -> None:
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.view.filebrowser_display_type = "SCREEN"
    addon_utils.enable(ADDON, default_set=True)
    farm = preferences.addons[ADDON].preferences
    farm.server, farm.token = os.environ["DVP_TOUR_FARM"], os.environ["DVP_TOUR_TOKEN"]
    farm.root_folder, farm.root_name = os.environ["DVP_TOUR_FOLDER"], "work"
    _note_drawings("DVP_PT_take", "DVP_PT_shapes")
    connection = socket.create_connection(("127.0.0.1", int(os.environ["DVP_TOUR_PORT"])))
    threading.Thread(target=_listen, args=(connection,), daemon=True).start()
    bpy.app.timers.register(lambda: _answer(connection), first_interval=1.0, persistent=True)


if __name__ == "__main__":
    _begin()
