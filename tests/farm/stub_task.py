"""A task function without a network: it writes a small file for each frame, and misbehaves where its plan says so.

The plan is `plan.json` beside the output: for each kind of trouble the frames that get it and how often. How often
it has happened is counted in files, because the process that counted may be gone.
"""

import ctypes
import hashlib
import json
import os
import time

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file, write_bytes_atomically
from dvp_core.pipeline.render_frames import FrameRecord, frame_path
from farm.tasks import FileRecord


def run_order(order):
    output = order.roots.resolve(order.job.output)
    order.check_may_publish()
    if order.task.kind != "render":
        path = output.parent / f"{order.task.kind}.txt"
        write_bytes_atomically(path, "\n".join(str(item.frame) for item in order.finished).encode())
        yield FileRecord(path.name, sha256_of_file(path))
        return
    plan = json.loads((output.parent / "plan.json").read_text()) if (output.parent / "plan.json").exists() else {}
    for frame in order.frames:
        _misbehave(plan, frame, output.parent)
        yield _publish(order, frame, frame_path(output, frame), plan)


def _publish(order, frame, path, plan):
    key = hashlib.sha256(f"{order.job.generator} {frame}".encode()).hexdigest()
    content = f"{key}\n".encode() * 20
    is_there = path.exists() and path.read_bytes() == content
    if not is_there:
        time.sleep(plan.get("seconds_per_frame", 0.0))
        order.check_may_publish()
        write_bytes_atomically(path, content)
        _append(path.parent / "executions.txt", f"{frame}\n")
    return FrameRecord(frame, key, sha256_of_file(path), plan.get("seconds_per_frame", 0.001), is_there)


def _misbehave(plan, frame, folder):
    for trouble, act in _TROUBLES.items():
        times = plan.get(trouble, {}).get(str(frame), 0)
        counter = folder / f"{trouble}.{frame}.count"
        happened = counter.stat().st_size if counter.exists() else 0
        if happened < times:
            _append(counter, "x")
            act()


def _append(path, text):
    with open(path, "a") as stream:
        stream.write(text)


def _raise():
    raise DataError("the stub was told to fail")


def _fill_disk():
    raise OSError(28, "No space left on device")


def _crash():
    ctypes.string_at(0)


def _hang():
    time.sleep(10_000)


def _leave():
    os._exit(7)


_TROUBLES = {"raise": _raise, "full": _fill_disk, "crash": _crash, "hang": _hang, "leave": _leave}
