# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the farm for a preview: poses are read at once, a thread draws their passes and waits, a timer takes the answer.

The thread never touches Blender's data. One question is open at a time: whoever asks again while one is, gives the
older one up, and the farm does not paint it where it has not begun.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.preview import PreviewRequest, request_to_bytes
from farm.client import FarmClient, FarmError

from ..actors import rig_of_context
from ..farm_jobs import farm_client, preview_paths
from .picture import PreviewAnswer, ShownPreview, show_answer
from .staleness import edit_count, mark_changes
from .window import PackedFrames, PosedWindow, read_window

_LOOK_EVERY_S = 0.05
_SUPERSEDED = 409
_packed = PackedFrames()
_drawing = threading.Lock()  # the frames packed lately are shared by the threads of successive questions


@dataclass
class PreviewAsker:
    """One question to the farm.

    Attributes:
        client: The farm.
        window: The poses.
        edit_count: How often keys had been edited when they were read.
        generator: As `root:relative`.
        consent: As `root:relative`, where the scene names a record.
        answers: Gets one item: the answer, what went wrong, or None where a newer question took its place.
    """

    client: FarmClient
    window: PosedWindow
    edit_count: int
    generator: str
    consent: str | None
    answers: queue.Queue[PreviewAnswer | DataError | None] = field(default_factory=queue.Queue)

    def answer(self) -> PreviewAnswer | None:
        """Draw the passes, ask, and return the answer; it blocks, and may run in any thread.

        Raises:
            DataError: The farm refused it or does not answer.
        """
        started_s = time.monotonic()
        with _drawing:
            frames = _packed.of_window(self.window)
        drawn_s = time.monotonic()
        request = PreviewRequest(self.generator, frames, self.consent)
        try:
            painted = self.client.preview(request_to_bytes(request))
        except FarmError as error:
            if error.status == _SUPERSEDED:
                return None
            raise DataError(str(error), where="farm", remedy=_remedy(error)) from error
        own = {"draw": drawn_s - started_s, "whole": time.monotonic() - started_s}
        return PreviewAnswer(self.window, self.edit_count, self.generator, painted.png, painted.seconds | own)

    def start(self) -> threading.Thread:
        """Answer in a thread of its own."""
        thread = threading.Thread(target=self._put_answer, name="portrait preview", daemon=True)
        thread.start()
        return thread

    def _put_answer(self) -> None:
        try:
            self.answers.put(self.answer())
        except DataError as error:
            self.answers.put(error)


def _remedy(error: FarmError) -> str | None:
    return None if error.status else "Start it, or fill in farm and token in the add-on's preferences"


def make_asker(context: bpy.types.Context, window: PosedWindow | None = None) -> PreviewAsker:
    """Return the question that the scene's pose and panel make; the window is read where it was not before.

    Raises:
        DataError: No rig, no generator, a file outside the shared folder, or no farm is known.
    """
    rig = rig_of_context(context) if window is None else context.scene.objects[window.rig_name]
    client, (generator, consent) = farm_client(context), preview_paths(context, rig)
    return PreviewAsker(client, window or read_window(context), edit_count(), generator, consent)


def preview_now(context: bpy.types.Context) -> ShownPreview:
    """Ask for the preview of the scene's pose, wait for it and show it; for scripts, since it blocks.

    Raises:
        DataError: What keeps it from being asked for or painted.
    """
    answer = make_asker(context).answer()
    if answer is None:
        raise DataError("a newer preview was asked for meanwhile", where="farm")
    _settings(context).message = ""
    return show_answer(answer)


def ask_preview(context: bpy.types.Context, window: PosedWindow | None = None) -> Callable[[], float | None]:
    """Ask in a thread, and return the timer's function that takes the answer (which tests call themselves).

    Args:
        context: Its scene is asked about.
        window: The scene's window, where it was read already.

    Raises:
        DataError: What keeps it from being asked for. What the farm says comes later, into the panel.
    """
    asker = make_asker(context, window)
    thread = asker.start()
    _settings(context).message = ""

    def look() -> float | None:
        is_alive = thread.is_alive()  # asked first, so that its answer is never left behind
        if _askers.get(look) is not asker:
            return None
        if asker.answers.empty() and is_alive:
            return _LOOK_EVERY_S
        del _askers[look]
        _take(asker)
        return None

    stop_asking()
    _askers[look] = asker
    if not bpy.app.background:  # there no timer ever ticks, and one that is left hangs Blender's exit
        bpy.app.timers.register(look, first_interval=_LOOK_EVERY_S, persistent=True)
    return look


_askers: dict[Callable[[], float | None], PreviewAsker] = {}


def is_asking() -> bool:
    """Say whether a question is open."""
    return bool(_askers)


def stop_asking() -> None:
    """Give the open question up; a timer left behind would hang Blender's exit."""
    for look in list(_askers):
        del _askers[look]
        if bpy.app.timers.is_registered(look):
            bpy.app.timers.unregister(look)


def _take(asker: PreviewAsker) -> None:
    """Show what has come: a picture, or in words why there is none."""
    failed = DataError("the preview's thread failed", remedy="See the console, and report what it says")
    answer = failed if asker.answers.empty() else asker.answers.get_nowait()
    if isinstance(answer, DataError):
        _settings(bpy.context).message = str(answer)
    elif answer is not None and answer.window.scene_name in bpy.data.scenes:
        show_answer(answer)
        mark_changes(bpy.context.scene, bpy.context.evaluated_depsgraph_get())
    redraw()


def _settings(context: bpy.types.Context) -> Any:
    return context.window_manager.dvp_preview


def redraw() -> None:
    """Let every view draw itself anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
