"""A task function without a network: it writes a small file for each frame, and misbehaves where its plan says so.

The plan is `plan.json` beside the output: for each kind of trouble the frames that get it and how often. How often
it has happened is counted in files, because the process that counted may be gone.
"""

import ctypes
import hashlib
import json
import os
import struct
import time
import zlib

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file, write_bytes_atomically
from dvp_core.pipeline.render_frames import FrameRecord, frame_path
from farm.tasks import FileRecord


def run_order(order):
    output = order.roots.resolve(order.job.output)
    order.check_may_publish()
    plan = json.loads((output.parent / "plan.json").read_text()) if (output.parent / "plan.json").exists() else {}
    if order.task.kind == "plan":
        for frame in order.frames:
            if _stands(order, frame_path(output, frame), frame, plan):
                yield _publish(order, frame, frame_path(output, frame), plan)
        return
    if order.task.kind != "render":
        name, content = _file_of(order, plan)
        write_bytes_atomically(output.parent / name, content)
        yield FileRecord(name, sha256_of_file(output.parent / name))
        return
    for frame in order.frames:
        _misbehave(plan, frame, output.parent)
        yield _publish(order, frame, frame_path(output, frame), plan)


def _file_of(order, plan):
    if plan.get("pictures") and order.task.kind == "contact_sheet":
        return "contact.png", _png(0)
    return f"{order.task.kind}.txt", "\n".join(str(item.frame) for item in order.finished).encode()


def _png(frame):
    """Return a small picture whose grey tells the frame."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + bytes([frame % 256]) * 16) * 16
    facts = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", facts) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _key(order, frame):
    return hashlib.sha256(f"{order.job.generator} {frame}".encode()).hexdigest()


def _content(order, frame, plan):
    return _png(frame) if plan.get("pictures") else f"{_key(order, frame)}\n".encode() * 20


def _stands(order, path, frame, plan):
    return frame not in order.anew and path.exists() and path.read_bytes() == _content(order, frame, plan)


def _publish(order, frame, path, plan):
    key, content = _key(order, frame), _content(order, frame, plan)
    is_there = _stands(order, path, frame, plan)
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
            act(plan)


def _append(path, text):
    with open(path, "a") as stream:
        stream.write(text)


def _raise(plan):
    raise DataError(plan.get("words", "the stub was told to fail"))


def _fill_disk(plan):
    raise OSError(28, "No space left on device")


def _crash(plan):
    ctypes.string_at(0)


def _hang(plan):
    time.sleep(10_000)


def _leave(plan):
    os._exit(7)


_TROUBLES = {"raise": _raise, "full": _fill_disk, "crash": _crash, "hang": _hang, "leave": _leave}
