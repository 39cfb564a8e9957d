"""The task function of the farm under test: the farm's own, frame by frame, slowed, counted, and now and then poisoned.

Its orders come in files of the control folder, named by the environment, so that the run can change them at any time.
Being slow while a file is written makes it likely that a plug is pulled in the middle of that.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dvp_core.data import files
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_bytes, sha256_of_file, write_bytes_atomically
from dvp_core.passes import PassFolder
from dvp_core.pipeline.render_frames import FrameRecord, frame_path
from farm import worker
from farm.failures import lost_frames
from farm.tasks import FileRecord, Record, WorkOrder
from tools.chaos.control import Control

_SHARE_OF_WRITING = 0.5
_sync_to_disk = files.sync_to_disk


def run_order(order: WorkOrder) -> Iterator[Record]:
    """Run an order as the farm's own task function does, or as the quick one where the control folder says so."""
    control = Control.of_environment()
    files.sync_to_disk = _slow_sync  # pyright: ignore[reportAttributeAccessIssue]
    run = quick_order if control.is_quick() else worker.run_order
    if order.task.kind != "render":
        yield from run(order)
        return
    output = order.roots.resolve(order.job.output)
    for frame in order.frames:
        _misbehave(control, frame)
        if not frame_path(output, frame).exists():
            time.sleep(control.pace_s() * (1 - _SHARE_OF_WRITING))
        for record in run(replace(order, frames=(frame,))):
            if isinstance(record, FrameRecord) and not record.is_reused:
                control.note_execution(frame)
            yield record


def _slow_sync(path: Path) -> None:
    if ".part" in path.name:
        time.sleep(Control.of_environment().pace_s() * _SHARE_OF_WRITING)
    _sync_to_disk(path)


def _misbehave(control: Control, frame: int) -> None:
    trouble = control.take_trouble(frame)
    if trouble == "raise":
        raise DataError("the frame was poisoned")
    if trouble == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "hang":
        time.sleep(10_000)
    if trouble == "full":
        raise OSError(28, "No space left on device")


def quick_order(order: WorkOrder) -> Iterator[Record]:
    """Run an order without a network: read the passes, publish a small file with a key for each frame."""
    order.check_may_publish()
    output = order.roots.resolve(order.job.output)
    if order.task.kind == "plan":
        return  # whatever stands is taken over when its chunk runs
    if order.task.kind != "render":
        if lost := lost_frames(order):
            raise DataError(f"frame {lost[0]} is gone or was changed", where=frame_path(output, lost[0]))
        path = output.parent / f"{order.task.kind}.json"
        write_bytes_atomically(path, canonical_json([[item.frame, item.sha256] for item in order.finished]))
        yield FileRecord(path.name, sha256_of_file(path))
        return
    passes = PassFolder(order.roots.resolve(order.shot.passes))
    for frame in order.frames:
        key = sha256_of_bytes(passes.read(frame).content_sha256.encode(), str(frame).encode())
        path, content = frame_path(output, frame), f"{key}\n".encode() * 200
        is_there = path.exists() and path.read_bytes() == content
        if not is_there:
            order.check_may_publish()
            write_bytes_atomically(path, content)
        order.check_may_publish()
        yield FrameRecord(frame, key, sha256_of_file(path), 0.0 if is_there else 0.01, is_there)
