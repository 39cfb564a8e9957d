"""Reads what an OpenEXR file claims to hold, before any pixel is allocated.

The OpenEXR library trusts a header's window and makes room for it; a damaged or hostile file could ask for all
memory. This file reads the few bytes of the header itself ("OpenEXR File Layout", openexr.com) and refuses what is
not a picture of moderate size. It decodes no pixel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading

LARGEST_SIDE_PX = 8192
_LARGEST_HEADER_BYTES = 1 << 20
_USUAL_HEADER_BYTES = 8192
_LARGEST_PICTURE_BYTES = 2 << 30
_LARGEST_PART_COUNT = 64
_LARGEST_CHANNEL_COUNT = 256
_MAGIC = b"\x76\x2f\x31\x01"
_FLAG_TILED, _FLAG_DEEP, _FLAG_MULTIPART = 0x200, 0x800, 0x1000
_BYTES_OF_TYPE = {0: 4, 1: 2, 2: 4}  # unsigned integer, half, float
REMEDY = "Export the passes again"


@dataclass(frozen=True)
class ExrPart:
    """One part of a file.

    Attributes:
        channels: Bytes a sample by channel name; 2 is a half, 4 a float.
        window: First and last column and row that hold data: x0, y0, x1, y1, all included.
        display_window: The same of the whole picture.
        texts: The attributes that are text.
    """

    channels: dict[str, int]
    window: tuple[int, int, int, int]
    display_window: tuple[int, int, int, int]
    texts: dict[str, str]


def read_exr_header(path: Path | str) -> tuple[ExrPart, ...]:
    """Return the parts that a file claims to hold.

    Raises:
        DataError: Not an OpenEXR picture of scan lines, or one larger than any pass.
    """
    content = _beginning(path)
    if len(content) < 8 or content[:4] != _MAGIC:
        raise DataError("is no OpenEXR file", where=path, remedy=REMEDY)
    flags = struct.unpack_from("<I", content, 4)[0]
    if flags & 0xFF != 2 or flags & (_FLAG_TILED | _FLAG_DEEP):
        raise DataError("is no OpenEXR file of plain scan lines", where=path, remedy=REMEDY)
    try:
        parts = _parts(content, is_multipart=bool(flags & _FLAG_MULTIPART))
    except (struct.error, ValueError, KeyError) as error:
        raise DataError(f"has a damaged header ({error})", where=path, remedy=REMEDY) from error
    _check_size(parts, path)
    return parts


def _beginning(path: Path | str) -> bytes:
    """Return the bytes that hold the header: the first few thousand, or many more where the pixels begin later."""
    with open_for_reading(path) as stream:
        content = stream.read(_USUAL_HEADER_BYTES)
        if len(content) < _USUAL_HEADER_BYTES or _is_whole(content):
            return content
        return content + stream.read(_LARGEST_HEADER_BYTES - len(content))


def _is_whole(content: bytes) -> bool:
    flags = struct.unpack_from("<I", content, 4)[0]
    try:
        _parts(content, is_multipart=bool(flags & _FLAG_MULTIPART))
    except (struct.error, ValueError, KeyError):
        return False
    return True


def _parts(content: bytes, *, is_multipart: bool) -> tuple[ExrPart, ...]:
    parts: list[ExrPart] = []
    position = 8
    while len(parts) < _LARGEST_PART_COUNT:
        attributes, position = _attributes(content, position)
        parts.append(_part(attributes))
        if not is_multipart or content[position : position + 1] == b"\0":
            return tuple(parts)
    raise ValueError(f"more than {_LARGEST_PART_COUNT} parts")


def _attributes(content: bytes, position: int) -> tuple[dict[str, tuple[str, bytes]], int]:
    """Return type and bytes by name of one header, and where the next thing begins."""
    attributes: dict[str, tuple[str, bytes]] = {}
    while content[position : position + 1] != b"\0":
        name, position = _text(content, position)
        kind, position = _text(content, position)
        size = struct.unpack_from("<i", content, position)[0]
        position += 4
        if not 0 <= size <= len(content) - position:
            raise ValueError(f"attribute '{name}' claims {size} bytes")
        if name in attributes:
            raise ValueError(f"attribute '{name}' stands twice")
        attributes[name] = (kind, content[position : position + size])
        position += size
    return attributes, position + 1


def _text(content: bytes, position: int) -> tuple[str, int]:
    end = content.find(b"\0", position, position + 256)
    if end < 0:
        raise ValueError("a name without an end")
    return content[position:end].decode("utf-8"), end + 1


def _part(attributes: dict[str, tuple[str, bytes]]) -> ExrPart:
    if attributes.get("type", ("string", b"scanlineimage"))[1] != b"scanlineimage":
        raise ValueError("a part that is no picture of scan lines")
    return ExrPart(
        channels=_channels(attributes["channels"][1]),
        window=_box(attributes["dataWindow"][1]),
        display_window=_box(attributes["displayWindow"][1]),
        texts={
            name: value.decode("utf-8", errors="replace")
            for name, (kind, value) in attributes.items()
            if kind == "string"
        },
    )


def _box(value: bytes) -> tuple[int, int, int, int]:
    left, top, right, bottom = struct.unpack("<4i", value)
    return left, top, right, bottom


def _channels(value: bytes) -> dict[str, int]:
    channels: dict[str, int] = {}
    position = 0
    while value[position : position + 1] != b"\0":
        name, position = _text(value, position)
        kind, _, step_x, step_y = struct.unpack_from("<iIii", value, position)
        position += 16
        if kind not in _BYTES_OF_TYPE or (step_x, step_y) != (1, 1) or name in channels:
            raise ValueError(f"channel '{name}' is of unknown type, thinned out, or stands twice")
        channels[name] = 0 if kind == 0 else _BYTES_OF_TYPE[kind]
        if len(channels) > _LARGEST_CHANNEL_COUNT:
            raise ValueError(f"more than {_LARGEST_CHANNEL_COUNT} channels")
    return channels


def _check_size(parts: tuple[ExrPart, ...], path: Path | str) -> None:
    claimed_bytes = 0
    for part in parts:
        left, top, right, bottom = part.window
        width_px, height_px = right - left + 1, bottom - top + 1
        if not (0 < width_px <= LARGEST_SIDE_PX and 0 < height_px <= LARGEST_SIDE_PX):
            raise DataError(
                f"claims a picture of {width_px} x {height_px} px, expected 1 to {LARGEST_SIDE_PX} each way",
                where=path,
                remedy=REMEDY,
            )
        claimed_bytes += width_px * height_px * 4 * len(part.channels)
    if claimed_bytes > _LARGEST_PICTURE_BYTES:
        raise DataError(f"claims {claimed_bytes:,} bytes of pixels", where=path, remedy=REMEDY)
