"""A run's measurements and pictures as event files, which TensorBoard draws; writing them needs nothing installed.

An event file is a row of records (length, checksum, content, checksum), each content one protocol buffer message
"Event". Sources: "TFRecords" (tensorflow.org), "Encoding" (protobuf.dev), RFC 3720 appendix B.4 for the checksum, and
the field numbers in tensorboard's event.proto and summary.proto.

Every preview adds one file, written in one step, so that a reader never meets half a record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.files import write_bytes_atomically

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_RGB = 3


@dataclass(frozen=True)
class Picture:
    """An image to show beside the curves.

    Attributes:
        png: The encoded file.
        width_px: Its width.
        height_px: Its height.
    """

    png: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Event:
    """What is known of one step.

    Attributes:
        step: Steps done.
        time_s: Seconds since 1970.
        values: Measurements by name.
        pictures: Images by name.
    """

    step: int
    time_s: float
    values: Mapping[str, float]
    pictures: Mapping[str, Picture]


def write_events(folder: Path, events: Iterable[Event]) -> Path | None:
    """Add a file of ascending events to a folder of curves and return it; without events there is no file.

    The file is named after its last step, so that files sort as the steps do.

    Raises:
        DataError: The file cannot be written.
    """
    events = list(events)
    if not events:
        return None
    path = folder / f"events.out.tfevents.{events[-1].step:010d}"
    version = _number(1, _FIXED_64, struct.pack("<d", events[0].time_s)) + _text(3, b"brain.Event:2")
    write_bytes_atomically(path, b"".join(_record(content) for content in (version, *map(_event, events))))
    return path


def _event(event: Event) -> bytes:
    summaries = [
        _text(1, _text(1, name.encode()) + _number(2, _FIXED_32, struct.pack("<f", value)))
        for name, value in event.values.items()
    ]
    summaries += [_text(1, _text(1, name.encode()) + _text(4, _image(it))) for name, it in event.pictures.items()]
    head = _number(1, _FIXED_64, struct.pack("<d", event.time_s)) + _number(2, _VARINT, _varint(event.step))
    return head + _text(5, b"".join(summaries))


def _image(picture: Picture) -> bytes:
    numbers = ((1, picture.height_px), (2, picture.width_px), (3, _RGB))
    return b"".join(_number(field, _VARINT, _varint(value)) for field, value in numbers) + _text(4, picture.png)


def _number(field: int, kind: int, content: bytes) -> bytes:
    return _varint(field << 3 | kind) + content


def _text(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _masked_checksum(length) + content + _masked_checksum(content)


def _masked_checksum(content: bytes) -> bytes:
    checksum = crc32c(content)
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the Castagnoli checksum, a byte at a time through a table."""
    checksum = 0xFFFFFFFF
    for byte in content:
        checksum = checksum >> 8 ^ _TABLE[(checksum ^ byte) & 0xFF]
    return checksum ^ 0xFFFFFFFF


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_table_entry(value) for value in range(256))
