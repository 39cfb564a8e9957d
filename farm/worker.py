"""The task function: runs one order in whatever process it is called, and yields a record for each thing it published.

Both backends call `run_order`, and `paint_preview` for what is no job, and nothing else, so the laptop and the farm
cannot differ. They keep the generators they have loaded, because loading one takes longer than a frame; everything else
is opened again for each order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from dvp_core.data.errand import Errand
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.passes import PassFrame
from dvp_core.data.preview import check_window, unpack_pass_frame
from dvp_core.data.render_settings import RenderSettings
from dvp_core.pipeline.consent import admitted_sha256, work_with_generator
from dvp_core.pipeline.frame_keys import open_frame_keys, standing_frame
from dvp_core.pipeline.preview import PreviewPainter, make_preview, open_preview
from dvp_core.pipeline.render_frames import Shot, open_shot, render_frames
from dvp_core.pipeline.render_settings import settled_settings
from dvp_core.pipeline.shot_files import ListedFrame, publish_contact_sheet, publish_job_files, publish_shot_movie
from farm.errands import run_errand
from farm.tasks import FileRecord, PreviewOrder, PreviewResult, Record, TaskFunction, TaskKind, WorkOrder

_KEPT_GENERATORS = 2
_KEPT_PREVIEW_FRAMES = 24
"""Of 512 x 512 pixels they take a quarter of a GB."""


def run_order(order: WorkOrder) -> Iterator[Record]:
    """Run one order: render its frames in their order, look which stand already, or make the one file it asks for.

    What was published just as its share went away is not told: it may lie where nobody will find it.
    """
    order.check_may_publish()
    for record in _records(order):
        order.check_may_publish()
        yield record


def _records(order: WorkOrder) -> Iterator[Record]:
    if isinstance(order.job, Errand):
        yield from run_errand(order.job, order.roots)
        return
    makers: dict[TaskKind, TaskFunction] = {
        "plan": _plan,
        "render": _render,
        "manifest": _make_manifest,
        "contact_sheet": _make_contact_sheet,
        "movie": _make_movie,
    }
    yield from makers[order.task.kind](order)


def _plan(order: WorkOrder) -> Iterator[Record]:
    """Yield the records of those frames that stand with their keys; no network is loaded."""
    job, roots = order.shot, order.roots
    output = roots.resolve(job.output)
    keys = open_frame_keys(roots.resolve(job.passes), roots.resolve(job.generator), output=output, device=_device())
    if keys is None:
        return
    for frame in order.frames:
        with suppress(DataError):  # whoever renders the frame names what is wrong with it
            if record := standing_frame(keys, frame, output):
                yield record


def _render(order: WorkOrder) -> Iterator[Record]:
    check_inputs(order)
    shot = _opened_shot(order)
    _check_passes_are_there(order, shot)
    output = order.roots.resolve(order.shot.output)
    may_publish = order.check_may_publish
    yield from render_frames(shot, order.frames, output=output, anew=order.anew, before_publish=may_publish)


def _check_passes_are_there(order: WorkOrder, shot: Shot) -> None:
    for frame in order.frames:
        if frame not in shot.passes.frames:
            shot.passes.read(frame)  # which says what is missing, and where


def check_inputs(order: WorkOrder) -> None:
    """Refuse a generator or consent record that is no longer the one the job was submitted with.

    The record is asked for every chunk, so that one which has ended or was taken back ends the job.
    """
    for field in ("generator", "consent"):
        expected, path = order.shot.inputs_sha256.get(field), getattr(order.shot, field)
        if expected is None or path is None:
            continue
        local = order.roots.resolve(path)
        if _sha256(str(local), *_stamp(local)) != expected:
            raise DataError(
                f"the {field} is not the one the job was submitted with", where=local, remedy="submit the job again"
            )
    if order.shot.consent is not None:
        work = work_with_generator("render", order.roots.resolve(order.shot.generator))
        admitted_sha256(order.roots.resolve(order.shot.consent), work)


def _opened_shot(order: WorkOrder) -> Shot:
    """Open the passes anew, for they may have been exported again, and the generator where its file has changed."""
    generator = order.roots.resolve(order.shot.generator)
    settings = settled_settings(_folder(order), generator, device=_device())
    kept = _kept_shot(str(order.roots.resolve(order.shot.passes)), str(generator), settings, *_stamp(generator))
    return kept.reopened(order.roots.resolve(order.shot.passes))


@lru_cache(maxsize=_KEPT_GENERATORS)
def _kept_shot(passes: str, generator: str, settings: RenderSettings, size_bytes: int, changed_ns: int) -> Shot:
    del size_bytes, changed_ns  # part of the cache's key: a file that changed is loaded again
    return open_shot(passes, generator, device=_device(), settings=settings)


@lru_cache(maxsize=16)
def _sha256(path: str, size_bytes: int, changed_ns: int) -> str:
    del size_bytes, changed_ns
    return sha256_of_file(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    return status.st_size, status.st_mtime_ns


def _device() -> str:
    """Return the GPU where this worker was given one (Ray names it in the environment), else the CPU."""
    return "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"


def paint_preview(order: PreviewOrder) -> PreviewResult:
    """Return the labelled picture of a preview's last frame.

    Raises:
        DataError: A generator, consent record or window of passes that cannot be used; each is named.
    """
    started_s = time.monotonic()
    request, roots = order.request, order.roots
    generator = roots.resolve(request.generator)
    painter = _kept_painter(str(generator), *_stamp(generator))
    window = tuple(_kept_frame(content) for content in request.frames)
    check_window(window)
    unpacked_s = time.monotonic()
    consent = None if request.consent is None else roots.resolve(request.consent)
    made = make_preview(painter, window, consent=consent)
    return PreviewResult(made.png, unpacked_s - started_s, made.paint_s, made.label_s)


@lru_cache(maxsize=_KEPT_GENERATORS)
def _kept_painter(generator: str, size_bytes: int, changed_ns: int) -> PreviewPainter:
    del size_bytes, changed_ns
    return open_preview(generator, device=_device())


@lru_cache(maxsize=_KEPT_PREVIEW_FRAMES)
def _kept_frame(content: bytes) -> PassFrame:
    """Unpack one frame; of a pose that is worked on, the ten before it come again and again."""
    return unpack_pass_frame(content)


def _make_manifest(order: WorkOrder) -> Iterator[Record]:
    folder = _folder(order)
    consent = None if order.shot.consent is None else order.roots.resolve(order.shot.consent)
    listed = [ListedFrame(item.frame, item.key, item.sha256, item.worker, item.seconds) for item in order.finished]
    for path in publish_job_files(order.shot, listed, output=order.roots.resolve(order.shot.output), consent=consent):
        yield _file_record(folder, path)


def _make_contact_sheet(order: WorkOrder) -> Iterator[Record]:
    consent = None if order.shot.consent is None else order.roots.resolve(order.shot.consent)
    frames = [item.frame for item in order.finished]
    path = publish_contact_sheet(frames, output=order.roots.resolve(order.shot.output), consent=consent)
    yield _file_record(_folder(order), path)


def _make_movie(order: WorkOrder) -> Iterator[Record]:
    job, roots = order.shot, order.roots
    path = publish_shot_movie(
        [item.frame for item in order.finished],
        output=roots.resolve(job.output),
        passes=roots.resolve(job.passes),
        plate=None if job.plate is None else roots.resolve(job.plate),
        unedited=None if job.unedited is None else roots.resolve(job.unedited),
        consent=None if job.consent is None else roots.resolve(job.consent),
    )
    yield _file_record(_folder(order), path)


def _folder(order: WorkOrder) -> Path:
    return order.roots.resolve(order.shot.output).parent


def _file_record(folder: Path, path: Path) -> FileRecord:
    return FileRecord(path.relative_to(folder).as_posix(), sha256_of_file(path))
