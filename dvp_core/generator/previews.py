"""Pictures of a training run: wanted above made, as PNG, for people to look at while it runs."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def preview(wanted: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Return pairs of images (N, H, W, 3) uint8 as one picture: wanted above, made below."""
    rows = [np.concatenate(list(images), axis=1) for images in (wanted, made)]
    return np.concatenate(rows, axis=0)


def encoded_png(image: np.ndarray) -> bytes:
    """Return an (H, W, 3) uint8 image as PNG; this room has no imaging library and needs no more than this."""
    height, width, _ = image.shape
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)
    lines[:, 1:] = image.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
