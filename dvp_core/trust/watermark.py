"""The invisible mark: 32 bits under a studio's key, woven into the pictures, so that it outlives a lost label.

Spread spectrum: one tile of band-passed noise, drawn from the key, is repeated over the picture and added to its
luma where the picture itself is busy enough to hide it. The tile is the sum of a known pattern, by which the reader
finds it again, and of four symbols, each one of 128 patterns with a sign: 8 bits. Choosing among many patterns in
place of a sign a bit is what corrects errors. The mark stands still in the plate while the picture moves, which is
what a reader that adds up frames lives on.

It finds careless stripping. It proves nothing: who has the key can set it anywhere, who has a marked and an unmarked
picture can take it out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, sha256_of_bytes

MARK_VERSION = 1
"""Raise it whenever the same key and id give other pixels."""
TILE_PX = 128
SYMBOL_COUNT = 4
PATTERNS_PER_SYMBOL = 128
_SYMBOL_BITS = 8
_SYNC = 0
_WAVELENGTHS_PX = (5.0, 20.0)
_CONTRAST_PX = 5  # of the picture at half its size
# Strong enough to be found in four seconds at crf 28, weak enough not to be seen on a wall (looked at, at four times
# the size); the limit keeps 40 dB.
_LEAST_LEVELS, _LEVELS_PER_CONTRAST, _MOST_LEVELS = 0.8, 0.45, 4.5
_RMS_LIMIT_LEVELS = 2.1


@dataclass(frozen=True)
class Mark:
    """What is woven into pictures.

    Attributes:
        key: The studio's secret, 32 bytes.
        id: The 32 bits, as eight hexadecimal digits.
    """

    key: bytes
    id: str

    @property
    def identity(self) -> dict[str, str | int]:
        """What a marked frame's key must hold besides what the frame is made from; the secret is not in it."""
        return {"id": self.id, "key": key_fingerprint(self.key), "version": MARK_VERSION}

    def on(
        self, picture: np.ndarray, *, weight: np.ndarray | None = None, top_px: int = 0, left_px: int = 0
    ) -> np.ndarray:
        """Return a picture with the mark in it.

        Args:
            picture: sRGB codes, (height, width, 3), float32 in 0..1.
            weight: (height, width) how much of it will be seen, 0..1; all of it where not given. Where much is, the
                mark keeps within its limit.
            top_px: Row of the whole picture at which this part of it begins; the mark goes by the whole picture.
            left_px: Column, likewise.

        Returns:
            The same shape, float32, in 0..1.
        """
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        added = self._added_levels(255.0 * luma, weight, top_px, left_px) / 255.0
        return np.clip(cv2.add(picture, cv2.merge([added, added, added])), 0.0, 1.0)

    def on_levels(self, picture: np.ndarray) -> np.ndarray:
        """Return a whole picture (height, width, 3), uint8 sRGB, with the mark in it."""
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        added = np.rint(self._added_levels(luma, None, 0, 0)).astype(np.int16)
        return cv2.add(picture, cv2.merge([added, added, added]), dtype=cv2.CV_8U)

    def _added_levels(self, luma: np.ndarray, weight: np.ndarray | None, top_px: int, left_px: int) -> np.ndarray:
        """Return what is added to a luma (height, width) of 0..255."""
        height_px, width_px = luma.shape
        tile = np.roll(_tile_of(self.key, self.id), (-top_px, -left_px), axis=(0, 1))
        repeats = (-(-height_px // TILE_PX), -(-width_px // TILE_PX))
        return np.tile(tile, repeats)[:height_px, :width_px] * _strength(luma, weight)


def mark_id(*parts: str | None) -> str:
    """Return the 32 bits, as eight hexadecimal digits, that stand for what an output is made from.

    Args:
        parts: Hashes, such as those of consent record and plate; the same ones give the same bits, so that whoever
            keeps them can look a mark up.
    """
    return sha256_of_bytes(canonical_json(list(parts)))[:8]


def key_fingerprint(key: bytes) -> str:
    """Return what tells keys apart without giving them away."""
    return hashlib.sha256(b"fingerprint|" + key).hexdigest()[:16]


def symbols_of(id_text: str) -> tuple[tuple[int, int], ...]:
    """Return pattern and sign (+1 or -1) of each symbol.

    Raises:
        DataError: Not eight hexadecimal digits.
    """
    try:
        content = bytes.fromhex(id_text)
    except ValueError:
        content = b""
    if len(content) != SYMBOL_COUNT:
        raise DataError(f"is '{id_text}', not eight hexadecimal digits", where="watermark id")
    return tuple((byte & (PATTERNS_PER_SYMBOL - 1), -1 if byte >> (_SYMBOL_BITS - 1) else 1) for byte in content)


def id_of_symbols(symbols: list[tuple[int, int]]) -> str:
    """Return the digits of four patterns with their signs; see `symbols_of`."""
    return bytes(number | (PATTERNS_PER_SYMBOL if sign < 0 else 0) for number, sign in symbols).hex()


def sync_pattern(key: bytes) -> np.ndarray:
    """Return the pattern by which a reader finds the tile, (128, 128) float32 of unit variance, periodic."""
    return _pattern(key, _SYNC, 0)


def symbol_pattern(key: bytes, symbol: int, number: int) -> np.ndarray:
    """Return one of the patterns among which a symbol (0..3) chooses (0..127); see `sync_pattern`."""
    return _pattern(key, 1 + symbol, number)


def _pattern(key: bytes, family: int, number: int) -> np.ndarray:
    """Return noise of the mark's band: random signs from the key, all other waves taken out."""
    stream = hashlib.shake_256(b"dvp mark 1|" + key + bytes([family, number])).digest(TILE_PX * TILE_PX // 8)
    signs = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(TILE_PX, TILE_PX).astype(np.float64) * 2 - 1
    noise = np.fft.irfft2(np.fft.rfft2(signs) * _band(), s=(TILE_PX, TILE_PX))
    return (noise / noise.std()).astype(np.float32)


@lru_cache(maxsize=1)
def _band() -> np.ndarray:
    """Return which waves of a tile the mark has, (128, 65) bool."""
    rows, columns = np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None, :]
    waves_per_px = np.hypot(rows, columns)
    short_px, long_px = _WAVELENGTHS_PX
    return (waves_per_px >= 1 / long_px) & (waves_per_px <= 1 / short_px)


@lru_cache(maxsize=4)
def _tile_of(key: bytes, id_text: str) -> np.ndarray:
    """Return the tile of unit variance: the known pattern and the symbols, all of one strength."""
    chosen = [sign * symbol_pattern(key, place, number) for place, (number, sign) in enumerate(symbols_of(id_text))]
    tile = sync_pattern(key) + np.sum(chosen, axis=0)
    return (tile / tile.std()).astype(np.float32)


def _strength(luma: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return by how many levels the mark may change each pixel: more where the picture is busy, within a limit."""
    height_px, width_px = luma.shape
    half = (max(1, width_px // 2), max(1, height_px // 2))  # nobody sees where a strength ends, and it is half the work
    small = cv2.resize(luma, half, interpolation=cv2.INTER_AREA)
    busy = cv2.absdiff(small, cv2.blur(small, (_CONTRAST_PX, _CONTRAST_PX)))
    contrast = cv2.blur(busy, (_CONTRAST_PX, _CONTRAST_PX))
    levels = np.minimum(_LEAST_LEVELS + _LEVELS_PER_CONTRAST * contrast, _MOST_LEVELS)
    seen = None if weight is None else cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    power = np.average(np.square(levels), weights=seen)
    limited = levels * np.float32(min(1.0, _RMS_LIMIT_LEVELS / np.sqrt(power)))
    return cv2.resize(limited, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
