"""Finding the invisible mark again, in frames that were encoded, shrunk or cropped since.

The reader takes out of each frame what is too coarse or too strong to be the mark, adds the rest up over time, folds
it to one tile and correlates that with the key's patterns: at its own place, or at every shift and many scales.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from dvp_core.trust.watermark import (
    PATTERNS_PER_SYMBOL,
    SYMBOL_COUNT,
    TILE_PX,
    id_of_symbols,
    symbol_pattern,
    sync_pattern,
)

MarkSearch = Literal["no", "plain", "search"]
"""Where a mark is looked for: nowhere, at its own place, or at every shift and many scales."""
THRESHOLD, THRESHOLD_OF_SEARCH = 6.0, 7.5
_COARSE_PX = 2.5
_LARGEST_LEVELS = 8.0
_LOCAL_PX = 33
_SCALES = (0.5, 2.0)
_DRIFT_PX = 3.0
_TINY = 1e-12


@dataclass(frozen=True)
class MarkReading:
    """What was found of the mark.

    Attributes:
        is_found: Whether the known pattern stands out by more than the threshold.
        z: How many standard deviations it stands out by.
        id: The 32 bits as eight hexadecimal digits; None where nothing was found.
        scale: Size of the pictures in those that were marked.
        frame_count: How many frames were added up.
    """

    is_found: bool
    z: float
    id: str | None
    scale: float
    frame_count: int

    def as_text(self) -> str:
        """Return one line for people."""
        told = f"z {self.z:.1f} in {self.frame_count} frames"
        return f"{self.id} ({told}, scale {self.scale:.2f})" if self.is_found else f"none found ({told})"


@dataclass(frozen=True)
class Residue:
    """What is left of a clip when picture content is taken out: (height, width) float32, and from how many frames."""

    values: np.ndarray
    frame_count: int


def residue_of(frames: Iterable[np.ndarray]) -> Residue:
    """Return what stands still in frames (height, width, 3), uint8, and is as fine and as weak as the mark."""
    total: np.ndarray | None = None
    count = 0
    for frame in frames:
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = luma - cv2.GaussianBlur(luma, (0, 0), _COARSE_PX)
        limited = np.clip(fine, -_LARGEST_LEVELS, _LARGEST_LEVELS)
        total = limited if total is None else total + limited
        count += 1
    if total is None:
        return Residue(np.zeros((TILE_PX, TILE_PX), np.float32), 0)
    spread = np.sqrt(cv2.blur(total * total, (_LOCAL_PX, _LOCAL_PX))) + 0.05 * count
    return Residue(total / spread, count)


def read_mark(residue: Residue, key: bytes, *, is_searching: bool = False) -> MarkReading:
    """Return what a residue holds of a key's mark.

    Args:
        residue: See `residue_of`.
        key: The studio's secret.
        is_searching: Whether the pictures may have been scaled, cropped or moved since they were marked.
    """
    best = strongest(list(scaled_tiles(residue)), key) if is_searching else _at_home(residue, key)
    is_found = best.z >= (THRESHOLD_OF_SEARCH if is_searching else THRESHOLD)
    id_text = id_of_symbols(_symbols(best.tile, key)) if is_found else None
    return MarkReading(is_found, round(best.z, 2), id_text, round(best.scale, 4), residue.frame_count)


@dataclass(frozen=True)
class Hit:
    """The strongest place of the known pattern at one scale; `tile` is shifted so that it begins with the pattern."""

    z: float
    scale: float
    tile: np.ndarray


def _at_home(residue: Residue, key: bytes) -> Hit:
    tile = _folded(residue.values)
    surface = _correlation(tile, key)
    return Hit(float(surface[0, 0] / (surface.std() + _TINY)), 1.0, tile)


def strongest(tiles: Sequence[tuple[float, np.ndarray]], key: bytes) -> Hit:
    """Return the place at which the known pattern fits best, of all shifts at all scales; see `scaled_tiles`."""
    return max(_hits(tiles, key), key=lambda hit: hit.z)


def _hits(tiles: Sequence[tuple[float, np.ndarray]], key: bytes) -> Iterator[Hit]:
    for scale, tile in tiles:
        surface = _correlation(tile, key)
        row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
        shifted = np.roll(tile, (-int(row), -int(column)), axis=(0, 1))
        yield Hit(float(surface[row, column] / (surface.std() + _TINY)), scale, shifted)


def scaled_tiles(residue: Residue) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the tile as it is at every scale that is searched, in steps that the largest side does not notice."""
    height_px, width_px = residue.values.shape
    step = 1 + _DRIFT_PX / max(height_px, width_px)
    count = int(np.ceil(np.log(_SCALES[1] / _SCALES[0]) / np.log(step)))
    scales = {1.0, *np.geomspace(*_SCALES, count).tolist()}
    for scale in sorted(scales):
        size = (max(1, round(width_px / scale)), max(1, round(height_px / scale)))
        yield scale, _folded(cv2.resize(residue.values, size, interpolation=cv2.INTER_LINEAR))


def _folded(values: np.ndarray) -> np.ndarray:
    """Return the sum of all tiles of a picture, (128, 128), with noise of one strength at every frequency."""
    height_px, width_px = (-(-side // TILE_PX) * TILE_PX for side in values.shape)
    padded = np.zeros((height_px, width_px), np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    tile = padded.reshape(height_px // TILE_PX, TILE_PX, width_px // TILE_PX, TILE_PX).sum(axis=(0, 2))
    waves = np.fft.rfft2(tile)
    ring, power = _rings(), np.square(np.abs(waves))
    usual = (np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()))[ring]
    return np.fft.irfft2(waves / np.sqrt(usual + power + _TINY), s=tile.shape)


@lru_cache(maxsize=1)
def _rings() -> np.ndarray:
    """Return the whole number of waves in a tile of each frequency, (128, 65)."""
    rows, columns = np.fft.fftfreq(TILE_PX, 1 / TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX, 1 / TILE_PX)[None, :]
    return np.rint(np.hypot(rows, columns)).astype(np.int64)


def _correlation(tile: np.ndarray, key: bytes) -> np.ndarray:
    """Return how well the known pattern fits at each shift, (128, 128)."""
    return np.fft.irfft2(np.fft.rfft2(tile) * _sync_waves(key), s=tile.shape)


@lru_cache(maxsize=8)
def _sync_waves(key: bytes) -> np.ndarray:
    return np.conj(np.fft.rfft2(sync_pattern(key)))


@lru_cache(maxsize=2)
def _dictionary(key: bytes) -> np.ndarray:
    """Return all patterns of all symbols, (4, 128, 16384) float32."""
    patterns = [
        [symbol_pattern(key, symbol, number).ravel() for number in range(PATTERNS_PER_SYMBOL)]
        for symbol in range(SYMBOL_COUNT)
    ]
    return np.asarray(patterns, np.float32)


def _symbols(tile: np.ndarray, key: bytes) -> list[tuple[int, int]]:
    """Return pattern and sign of each symbol, the one that fits best."""
    fits = _dictionary(key) @ tile.ravel().astype(np.float32)
    numbers = np.argmax(np.abs(fits), axis=1)
    return [(int(number), 1 if fits[place, number] > 0 else -1) for place, number in enumerate(numbers)]
