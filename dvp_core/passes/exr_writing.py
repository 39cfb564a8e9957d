"""Encodes OpenEXR pictures with numpy and zlib alone, so that Blender writes the bytes that the command line writes.

Blender's Python has no OpenEXR library. The layout is that of "OpenEXR File Layout" (openexr.com): a header, the places
of the blocks, and blocks of sixteen rows. ZIP keeps a block's even bytes before its odd ones and the difference of each
to the one before, which zlib packs well.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

_MAGIC_AND_VERSION = struct.pack("<II", 20000630, 2)
_LONG_NAMES_FLAG = 0x400
_LONGEST_SHORT_NAME = 31
_ZIP_COMPRESSION = 3
_BLOCK_ROWS = 16
_LEVEL = 2  # of zlib; the slower levels save 3 % of a pass file
_KIND_OF_TYPE = {"<f2": 1, "<f4": 2}


def encode_exr(channels: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> bytes:
    """Return the bytes of a picture; equal arguments give equal bytes with one build of zlib.

    Args:
        channels: Planes (H, W) of one shape by their full names, float16 or float32.
        attributes: Texts for the header, by name.

    Raises:
        ValueError: No channel, or planes of several shapes or of another type.
    """
    planes = {name: np.ascontiguousarray(channels[name]) for name in sorted(channels)}
    if len({plane.shape for plane in planes.values()}) != 1 or any(plane.ndim != 2 for plane in planes.values()):
        raise ValueError("channels of one picture must be planes of one shape")
    height_px, width_px = next(iter(planes.values())).shape
    little = {name: plane.astype(plane.dtype.newbyteorder("<"), copy=False) for name, plane in planes.items()}
    header = _header(little, attributes, width_px, height_px)
    rows = np.concatenate([plane.view(np.uint8).reshape(height_px, -1) for plane in little.values()], axis=1)
    blocks = [_block(top, rows[top : top + _BLOCK_ROWS]) for top in range(0, height_px, _BLOCK_ROWS)]
    first = len(header) + 8 * len(blocks)
    places = np.cumsum([first, *map(len, blocks[:-1])], dtype="<u8")
    return b"".join((header, places.tobytes(), *blocks))


def _header(planes: Mapping[str, np.ndarray], attributes: Mapping[str, str], width_px: int, height_px: int) -> bytes:
    window = struct.pack("<4i", 0, 0, width_px - 1, height_px - 1)
    listed = b"".join(_channel(name, plane) for name, plane in planes.items()) + b"\0"
    entries = {
        "channels": ("chlist", listed),
        "compression": ("compression", bytes([_ZIP_COMPRESSION])),
        "dataWindow": ("box2i", window),
        "displayWindow": ("box2i", window),
        "lineOrder": ("lineOrder", b"\0"),
        "pixelAspectRatio": ("float", struct.pack("<f", 1.0)),
        "screenWindowCenter": ("v2f", struct.pack("<2f", 0.0, 0.0)),
        "screenWindowWidth": ("float", struct.pack("<f", 1.0)),
    }
    entries |= {name: ("string", text.encode()) for name, text in attributes.items()}
    body = b"".join(_attribute(name, *entries[name]) for name in sorted(entries))
    return _magic([*planes, *entries]) + body + b"\0"


def _magic(names: list[str]) -> bytes:
    """Return the file's first eight bytes, which say whether names are longer than old readers expect."""
    if max(len(name.encode()) for name in names) <= _LONGEST_SHORT_NAME:
        return _MAGIC_AND_VERSION
    number, version = struct.unpack("<II", _MAGIC_AND_VERSION)
    return struct.pack("<II", number, version | _LONG_NAMES_FLAG)


def _channel(name: str, plane: np.ndarray) -> bytes:
    kind = _KIND_OF_TYPE.get(plane.dtype.str)
    if kind is None:
        raise ValueError(f"channel '{name}' is of type {plane.dtype}, expected float16 or float32")
    return name.encode() + b"\0" + struct.pack("<iIii", kind, 0, 1, 1)


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def _block(top: int, rows: np.ndarray) -> bytes:
    """Return the rows (R, bytes of a row) from `top` on, packed, or as they are where packing gains nothing."""
    plain = rows.reshape(-1)
    parted = np.concatenate([plain[0::2], plain[1::2]])
    differences = parted.copy()
    differences[1:] -= parted[:-1]
    differences[1:] += 128
    packed = zlib.compress(differences.tobytes(), _LEVEL)
    content = packed if len(packed) < plain.size else plain.tobytes()
    return struct.pack("<ii", top, len(content)) + content
