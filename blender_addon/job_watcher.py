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

from .farm_jobs import (
    ENDED,
    JobState,
    LogEntry,
    farm_client,
    job_log,
    job_state,
    show_job_state,
    show_log,
    submit_job,
)
from .landing import land_submitted_result

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
    answers: queue.Queue[JobState | list[LogEntry] | DataError] = field(default_factory=queue.Queue)
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        """Start the thread."""
        thread = threading.Thread(target=self._follow, name=f"job {self.job_id}", daemon=True)
        thread.start()
        return thread

    def _follow(self) -> None:
        try:
            state = submit_job(self.client, self.job) if self.job is not None else job_state(self.client, self.job_id)
            last_line = self._tell(state, 0)
            while not state.is_ended and not self.stopped.wait(_ASK_EVERY_S):
                state = job_state(self.client, self.job_id)
                last_line = self._tell(state, last_line)
        except DataError as error:
            self.answers.put(error)

    def _tell(self, state: JobState, last_line: int) -> int:
        """Put the new lines of the log and then the state, which may be the last answer; return the last line."""
        entries = job_log(self.client, self.job_id, after=last_line)
        if entries:
            self.answers.put(entries)
        self.answers.put(state)
        return entries[-1].number if entries else last_line


def watch(scene: bpy.types.Scene, watcher: JobWatcher) -> Callable[[], float | None]:
    """Start following a job for a scene, and return the timer's function (which tests call themselves)."""
    scene_name = scene.name
    scene.dvp.job_id = watcher.job_id
    scene.dvp_submit.log.clear()
    thread = watcher.start()

    def look() -> float | None:
        shown = bpy.data.scenes.get(scene_name)
        is_alive = thread.is_alive()  # asked first, so that its last answer is never left behind
        is_meant = shown is not None and shown.dvp.job_id == watcher.job_id  # another file, another job, or undone
        is_ended = not is_meant or not take_answers(shown, watcher)
        if is_ended or not is_alive:
            watcher.stopped.set()
            return None
        return _LOOK_EVERY_S

    for other in list(_watchers):
        if _watchers[other].job_id == watcher.job_id or not bpy.app.timers.is_registered(other):
            _stop(other)
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
        if isinstance(answer, list):
            show_log(scene, answer)
            continue
        show_job_state(scene, answer)
        if answer.state == "completed" and scene.dvp_submit.is_result_landed:
            _land(scene)
        _redraw()
        if answer.is_ended:
            return False


def _land(scene: bpy.types.Scene) -> None:
    """Show a job's frames when it is done, as an undo step of its own; what hinders that stands behind the state."""
    try:
        landed = land_submitted_result(bpy.context, scene)
    except DataError as error:
        scene.dvp.job_state += f". {error}"
        return
    if landed.notes:
        scene.dvp.job_state += f" ({'; '.join(landed.notes)})"
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message="Show Result")


@bpy.app.handlers.persistent
def follow_unfinished_jobs(*_: object) -> list[Callable[[], float | None]]:
    """Follow the unfinished jobs of the file that was opened, and return the timers' functions.

    Nothing is asked where Blender may not go online or no farm is known; *Follow* then says why. Blender calls this
    after loading a file.
    """
    followed = []
    for scene in bpy.data.scenes:
        if not scene.dvp.job_id or scene.dvp.job_state.split(":")[0] in ENDED:
            continue
        try:
            client = farm_client(bpy.context)
        except DataError:
            break
        followed.append(watch(scene, JobWatcher(client, scene.dvp.job_id)))
    return followed


def add_handler() -> None:
    """Follow unfinished jobs whenever a file is opened in a window; scripts have no timers and ask by themselves."""
    if not bpy.app.background:
        bpy.app.handlers.load_post.append(follow_unfinished_jobs)


def remove_handler() -> None:
    """Undo `add_handler`."""
    if follow_unfinished_jobs in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(follow_unfinished_jobs)


def stop_watching() -> None:
    """Stop following all jobs, which go on on the farm; a timer left behind would hang Blender's exit."""
    for look in list(_watchers):
        _stop(look)


def _stop(look: Callable[[], float | None]) -> None:
    _watchers.pop(look).stopped.set()
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PROPERTIES"):
                area.tag_redraw()
