"""Turns a job into tasks. Pure: equal jobs and openings give equal tasks, and no file, clock or database is touched.

What tells most about a shot comes first: its ends, its middle and the extremes of its curves, a frame a task, so that
many workers share them, and a contact sheet of these. The rest is contiguous, so that a worker opens each frame of
passes about once. Tasks know the window that their frames reach back to; cutting a job otherwise changes no pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from dvp_core.data.errand import AnyJob, Errand
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job
from dvp_core.data.passes import WINDOW_FRAMES
from farm.tasks import Task, TaskKind

PLAN_PREFIX = "plan."
_PLAN_FRAMES = 1000
"""Of the passes that two tasks of a plan read, ten frames are the same."""
LONGEST_RUN_FRAMES = 256
"""A run without a size of its own is cut again when a worker takes it; finding a frame in it must stay cheap."""


@dataclass(frozen=True)
class Opening:
    """What a job's files say when it is taken in; decides the order of its frames and nothing else.

    Attributes:
        first_frames: Those to be rendered before all others, in that order.
        has_frames: Whether any frame of the job stands already, so that it is worth a look which are kept.
    """

    first_frames: tuple[int, ...] = ()
    has_frames: bool = False


def compile_job(job: AnyJob, opening: Opening | None = None) -> tuple[Task, ...]:
    """Return the tasks of a job: plan, frames, then manifest, contact sheet and movie, each after what it needs."""
    if isinstance(job, Errand):
        return (Task(name=job.task, kind=cast(TaskKind, job.task)),)
    opening = opening or Opening()
    plans = plan_tasks(job) if opening.has_frames or job.task == "plan" else ()
    return plans if job.task == "plan" else (*plans, *_render_tasks(job, opening, tuple(task.name for task in plans)))


def plan_tasks(job: Job) -> tuple[Task, ...]:
    """Return the tasks that look which frames of a job stand and are kept; `reads` are the frames looked at."""
    runs = job.frame_range.chunks(_PLAN_FRAMES)
    return tuple(
        Task(name=f"{PLAN_PREFIX}{index:06d}", kind="plan", reads=tuple(run)) for index, run in enumerate(runs)
    )


def _render_tasks(job: Job, opening: Opening, after: tuple[str, ...]) -> tuple[Task, ...]:
    firsts = tuple(
        Task(name=f"first.{index:06d}", kind="render", frames=(frame,), reads=window_of((frame,)), after=after)
        for index, frame in enumerate(opening.first_frames)
    )
    first_sheet = Task(name="first_sheet", kind="contact_sheet", after=tuple(task.name for task in firsts))
    renders = tuple(
        Task(name=f"render.{index:06d}", kind="render", frames=run, reads=window_of(run), after=after)
        for index, run in enumerate(_runs(job, opening))
    )
    manifest = Task(name="manifest", kind="manifest", after=tuple(task.name for task in (*firsts, *renders)))
    begun = (first_sheet,) if firsts else ()  # both sheets write one file, so the last one waits for the first
    sheet = Task(name="contact_sheet", kind="contact_sheet", after=(manifest.name, *(task.name for task in begun)))
    movie = Task(name="movie", kind="movie", after=(manifest.name,))
    return (*firsts, *begun, *renders, manifest, sheet, *((movie,) if job.is_movie_wanted else ()))


def _runs(job: Job, opening: Opening) -> Iterator[tuple[int, ...]]:
    """Yield the frames that are not among the first, in runs of the job's size or of the longest."""
    first = set(opening.first_frames)
    rest = FrameRange(tuple(frame for frame in job.frame_range if frame not in first))
    size = job.chunk_size or LONGEST_RUN_FRAMES
    yield from (tuple(chunk) for chunk in rest.chunks(size))


def window_of(frames: tuple[int, ...]) -> tuple[int, ...]:
    """Return the frames of passes that rendering `frames` reads, ascending.

    Frames before the first of the passes are named too; the reader repeats the first one there.
    """
    reads = {frame - back for frame in frames for back in range(WINDOW_FRAMES)}
    return tuple(sorted(reads))
