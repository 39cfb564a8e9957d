"""PNG files whose bytes depend on the pixels and the texts alone, and the reading of those texts.

Frames of a sequence carry their key in a text chunk, and equal frames must be equal files. The encoders of FFmpeg and
OpenCV write no text chunks and choose filters by version, so the forty lines that a PNG takes stand here:
one filter (up), one zlib level, chunks in one order (PNG specification, third edition, sections 5, 9 and 11.3).
Reading pixels is left to `images.read_image`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Level 3 with the up filter: 14 ms for 512x512 of video; level 6 takes 48 ms and saves 7 %.
_ZLIB_LEVEL = 3
_FILTER_UP = 2
_TEXT_LIMIT_BYTES = 65536
_LARGEST_SIDE_PX = 65535


def encode_png(image: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """Return RGB of shape (height, width, 3), uint8, as a PNG; equal input gives equal bytes.

    Args:
        image: The pixels.
        text: Texts by keyword (Latin letters, at most 79), written as tEXt chunks in order of keyword.

    Raises:
        DataError: The array is no such picture or a text cannot stand in a PNG.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(f"a picture must be (height, width, 3) uint8, this is {image.shape} {image.dtype}")
    height_px, width_px = image.shape[:2]
    if max(height_px, width_px) > _LARGEST_SIDE_PX:
        raise DataError(f"a picture of {width_px}x{height_px} is too large for a PNG")
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    texts = [_chunk(b"tEXt", _text_content(keyword, value)) for keyword, value in sorted((text or {}).items())]
    body = zlib.compress(_filtered_rows(image), _ZLIB_LEVEL)
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), *texts, _chunk(b"IDAT", body), _chunk(b"IEND", b"")])


def write_png(path: Path | str, image: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Write a picture to `path` as it stands; publishing under a final name is the business of `dvp_core.trust`."""
    Path(path).write_bytes(encode_png(image, text))


def _filtered_rows(image: np.ndarray) -> bytes:
    height_px, width_px = image.shape[:2]
    samples = image.reshape(height_px, width_px * 3)
    rows = np.empty((height_px, width_px * 3 + 1), np.uint8)
    rows[:, 0] = _FILTER_UP
    rows[0, 1:] = samples[0]
    np.subtract(samples[1:], samples[:-1], out=rows[1:, 1:])
    return rows.tobytes()


def _text_content(keyword: str, value: str) -> bytes:
    try:
        name, content = keyword.encode("ascii"), value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise DataError(f"the text '{keyword}' of a PNG may hold Latin letters only") from error
    if not 1 <= len(name) <= 79 or b"\0" in name + content:
        raise DataError(f"'{keyword}' cannot be a keyword of a PNG text")
    return name + b"\0" + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def read_png_text(path: Path | str) -> dict[str, str]:
    """Return the texts of a PNG by keyword, without decoding its pixels.

    Raises:
        DataError: Missing, no PNG, cut, or a chunk whose checksum is wrong.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path, remedy="Check the path") from error
    texts: dict[str, str] = {}
    for kind, body in _chunks(content, path):
        if kind == b"tEXt" and len(body) <= _TEXT_LIMIT_BYTES:
            keyword, _, value = body.partition(b"\0")
            texts[keyword.decode("latin-1")] = value.decode("latin-1")
    return texts


def _chunks(content: bytes, path: Path | str) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(_SIGNATURE):
        raise DataError("is no PNG", where=path)
    position, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise DataError("is a cut PNG", where=path, remedy="Copy or render it again")
        (length,) = struct.unpack_from(">I", content, position)
        kind, body = content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        checksum = content[position + 8 + length : position + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(kind + body)):
            raise DataError(f"has a damaged chunk at byte {position}", where=path, remedy="Copy or render it again")
        yield kind, body
        position += length + 12
