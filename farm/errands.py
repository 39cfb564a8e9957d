"""Runs what is no rendering in a worker: the pipeline's own functions, with their progress as records.

The function runs in a thread, so that its progress can be told while it works. Closing the records stops it at its next
word of progress; what it has written by then stands, and the same job goes on from there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from dvp_core.data.errand import Errand, PassesJob, TrackJob, TrainJob
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress
from farm.roots import Roots
from farm.tasks import FileRecord, ProgressRecord, Record

_NEWS_S = 0.5
Work = Callable[[Progress], object]


class _StoppedError(Exception):
    """Nobody waits for the work any more."""


def run_errand(job: Errand, roots: Roots) -> Iterator[Record]:
    """Yield the progress of a job that renders nothing, and at last its file where it makes one.

    Raises:
        DataError: What the pipeline refuses.
    """
    yield from told(_work_of(job, roots))
    output = roots.resolve(job.output)
    if output.is_file():
        yield FileRecord(output.name, sha256_of_file(output))


def told(work: Work) -> Iterator[ProgressRecord]:
    """Run work in a thread and yield the latest of its progress twice a second, then raise what it raised."""
    latest: list[ProgressRecord] = []
    raised: list[BaseException] = []
    finished, is_unwanted = threading.Event(), threading.Event()

    def note(stage: str, done: int, total: int) -> None:
        if is_unwanted.is_set():
            raise _StoppedError
        latest[:] = [ProgressRecord(stage, done, total)]

    def run() -> None:
        try:
            work(note)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            raised.append(error)
        finally:
            finished.set()

    thread = threading.Thread(target=run, name="errand", daemon=True)
    thread.start()
    try:
        said: ProgressRecord | None = None
        while not finished.wait(_NEWS_S):
            if latest and latest[0] != said:
                said = latest[0]
                yield said
        yield from latest
    finally:
        is_unwanted.set()
        thread.join()
    if raised:
        raise raised[0]


def _work_of(job: Errand, roots: Roots) -> Work:
    local: dict[str, Any] = {
        name: None if getattr(job, name) is None else roots.resolve(getattr(job, name))
        for name in (*job.needed_paths, *job.optional_paths, "output")
    }
    if isinstance(job, PassesJob):
        return lambda progress: _passes(job, local, progress)
    if isinstance(job, TrackJob):
        return lambda progress: _track(job, local, progress)
    if isinstance(job, TrainJob):
        return lambda progress: _train(job, local, progress)
    raise DataError(f"nothing runs a job of kind {job.task}", where=f"job {job.id}")


def _passes(job: PassesJob, local: dict[str, Any], progress: Progress) -> object:
    from dvp_core.pipeline.passes import export_passes

    return export_passes(**_renamed(local, take="take_path"), frames=_frames(job.frames), progress=progress)


def _track(job: TrackJob, local: dict[str, Any], progress: Progress) -> object:
    from dvp_core.pipeline.track import DEFAULT_SMOOTHING, track_clip, track_options

    return track_clip(
        **local,
        options=track_options(focal_px=job.focal_px, resolution_px=job.resolution_px),
        smoothing=DEFAULT_SMOOTHING if job.smoothing is None else job.smoothing,
        fps=job.rate,
        frames=_frames(job.frames),
        subject=job.subject,
        detector=job.detector,
        progress=progress,
    )


def _train(job: TrainJob, local: dict[str, Any], progress: Progress) -> object:
    from dvp_core.pipeline.train import train_generator, train_options

    wishes = {"minutes": job.minutes, "steps": job.steps, "hold_out": job.hold_out, "seed": job.seed}
    return train_generator(**local, options=train_options(preset=job.preset, **wishes), progress=progress)


def _renamed(values: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def _frames(text: str | None) -> FrameRange | None:
    return None if text is None else FrameRange.parse(text)
