"""Turns a job into tasks. Pure: equal jobs give equal tasks, and no file, clock or database is touched.

Chunks are contiguous, so that a worker opens each frame of passes about once, and they know the window that their
frames reach back to, so that cutting a job otherwise changes no pixel.
"""

from __future__ import annotations

from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job
from dvp_core.data.passes import WINDOW_FRAMES
from farm.tasks import Task


def compile_job(job: Job) -> tuple[Task, ...]:
    """Return the tasks of a job: render chunks, then manifest, contact sheet and movie, each after what it needs."""
    renders = tuple(
        Task(name=f"render.{index:06d}", kind="render", frames=tuple(chunk), reads=window_of(chunk))
        for index, chunk in enumerate(job.frame_range.chunks(job.chunk_size))
    )
    manifest = Task(name="manifest", kind="manifest", after=tuple(task.name for task in renders))
    sheet = Task(name="contact_sheet", kind="contact_sheet", after=(manifest.name,))
    movie = Task(name="movie", kind="movie", after=(manifest.name,))
    return (*renders, manifest, sheet, *((movie,) if job.is_movie_wanted else ()))


def window_of(frames: FrameRange) -> tuple[int, ...]:
    """Return the frames of passes that rendering `frames` reads, ascending.

    Frames before the first of the passes are named too; the reader repeats the first one there.
    """
    reads = {frame - back for frame in frames for back in range(WINDOW_FRAMES)}
    return tuple(sorted(reads))
