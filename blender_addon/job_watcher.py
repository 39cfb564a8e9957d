# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a job without freezing Blender: a thread asks the farm, a timer of Blender's takes its answers.

The thread never touches Blender's data, which only the main thread may. The timer outlives the loading of another file,
as an operator would not; the job's id lies in the scene, so that a reopened file can follow its job again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from farm.client import FarmClient

from .farm_jobs import JobState, job_state, show_job_state, submit_job

_ASK_EVERY_S = 1.0
_LOOK_EVERY_S = 0.25


@dataclass
class JobWatcher:
    """A thread that asks for one job's state until it has ended.

    Attributes:
        client: The farm.
        job_id: Which job.
        job: To submit first; None for one that is there already.
        answers: What the farm said, oldest first; an error ends them.
        stopped: Set to let the thread end.
    """

    client: FarmClient
    job_id: str
    job: Job | None = None
    answers: queue.Queue[JobState | DataError] = field(default_factory=queue.Queue)
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        """Start the thread."""
        thread = threading.Thread(target=self._follow, name=f"job {self.job_id}", daemon=True)
        thread.start()
        return thread

    def _follow(self) -> None:
        try:
            state = submit_job(self.client, self.job) if self.job is not None else job_state(self.client, self.job_id)
            self.answers.put(state)
            while not state.is_ended and not self.stopped.wait(_ASK_EVERY_S):
                state = job_state(self.client, self.job_id)
                self.answers.put(state)
        except DataError as error:
            self.answers.put(error)


def watch(scene: bpy.types.Scene, watcher: JobWatcher) -> Callable[[], float | None]:
    """Start following a job for a scene, and return the timer's function (which tests call themselves)."""
    scene_name = scene.name
    thread = watcher.start()

    def look() -> float | None:
        shown = bpy.data.scenes.get(scene_name)
        is_alive = thread.is_alive()  # asked first, so that its last answer is never left behind
        is_ended = shown is None or not take_answers(shown, watcher)
        if is_ended or not is_alive:
            watcher.stopped.set()
            return None
        return _LOOK_EVERY_S

    for ended in [other for other in _watchers if not bpy.app.timers.is_registered(other)]:
        del _watchers[ended]
    _watchers[look] = watcher
    bpy.app.timers.register(look, first_interval=_LOOK_EVERY_S, persistent=True)
    return look


_watchers: dict[Callable[[], float | None], JobWatcher] = {}


def take_answers(scene: bpy.types.Scene, watcher: JobWatcher) -> bool:
    """Show all answers that have come; say whether more may come."""
    while True:
        try:
            answer = watcher.answers.get_nowait()
        except queue.Empty:
            return True
        if isinstance(answer, DataError):
            scene.dvp.job_state = str(answer)
            _redraw()
            return False
        show_job_state(scene, answer)
        _redraw()
        if answer.is_ended:
            return False


def stop_watching() -> None:
    """Stop following all jobs, which go on on the farm; a timer left behind would hang Blender's exit."""
    while _watchers:
        look, watcher = _watchers.popitem()
        watcher.stopped.set()
        if bpy.app.timers.is_registered(look):
            bpy.app.timers.unregister(look)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PROPERTIES"):
                area.tag_redraw()
