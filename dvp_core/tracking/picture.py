"""The part of a plate around the head, in linear light, softened and shrunk, to be read between its pixels.

numpy alone: the tracker works where no image library is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.maths.colour import srgb_decode

LINEAR_OF_BYTE = srgb_decode(np.arange(256) / 255).astype(np.float32)
BINOMIAL = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16


@dataclass(frozen=True)
class Picture:
    """A linear picture of a window of the plate.

    Attributes:
        pixels: (H, W, 3) float32, linear.
        origin_px: (2,) plate position of the window's upper left corner.
        pixel_size_px: Plate pixels a picture pixel is wide.
    """

    pixels: np.ndarray
    origin_px: np.ndarray
    pixel_size_px: int

    def sample(self, points_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return colours (N, 3) at plate positions (N, 2), and their derivatives (N, 3, 2) by the position.

        Bilinear; outside the window the edge repeats.
        """
        height, width = self.pixels.shape[:2]
        place = (points_px - self.origin_px) / self.pixel_size_px - 0.5
        place = np.clip(place, 0.0, np.array([width - 1.001, height - 1.001]))
        corner = place.astype(np.int64)
        fraction = place - corner
        flat, start = self.pixels.reshape(-1, 3), corner[:, 1] * width + corner[:, 0]
        a, b, c, d = flat[start], flat[start + 1], flat[start + width], flat[start + width + 1]
        fx, fy = fraction[:, :1], fraction[:, 1:]
        top, bottom = a + fx * (b - a), c + fx * (d - c)
        by_x = (1 - fy) * (b - a) + fy * (d - c)
        gradient = np.stack([by_x, bottom - top], axis=-1) / self.pixel_size_px
        return top + fy * (bottom - top), gradient


def between_pixels(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return values (..., C) float32 of a picture (H, W, C) at places (..., 2) in its own pixels.

    Bilinear; outside the picture the edge repeats.
    """
    height, width = pixels.shape[:2]
    x = np.clip(places[..., 0] - 0.5, 0.0, width - 1.001).astype(np.float32)
    y = np.clip(places[..., 1] - 0.5, 0.0, height - 1.001).astype(np.float32)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x, y = (x - left).astype(np.float32)[..., None], (y - top).astype(np.float32)[..., None]
    start = top * width + left
    flat = pixels.reshape(height * width, -1)
    corners = (flat[start], flat[start + 1], flat[start + width], flat[start + width + 1])
    a, b, c, d = (corner.astype(np.float32, copy=False) for corner in corners)
    above = a + x * (b - a)
    return above + y * (c + x * (d - c) - above)


@dataclass(frozen=True)
class PlateWindow:
    """A window of the plate, shrunk by a whole number.

    Attributes:
        origin_px: (2,) plate position of its upper left corner.
        size: (2,) width and height in shrunk pixels.
        pixel_size_px: Plate pixels a shrunk pixel is wide.
    """

    origin_px: np.ndarray
    size: np.ndarray
    pixel_size_px: int

    def cut(self, plate: np.ndarray) -> np.ndarray:
        """Return the window's part of a plate (H, W, C), not yet shrunk."""
        start, stop = self.origin_px.astype(int), self.origin_px.astype(int) + self.size * self.pixel_size_px
        return plate[start[1] : stop[1], start[0] : stop[0]]

    def shrunk(self, pixels: np.ndarray) -> np.ndarray:
        """Return what was cut, shrunk to `size`."""
        width, height = self.size
        factor = self.pixel_size_px
        if factor == 1:
            return pixels
        # Rows first, which lie one after the other in memory: a quarter of the time of both at once.
        rows = pixels.reshape(height, factor, -1).sum(axis=1).reshape(height, width, factor, -1)
        return rows.sum(axis=2) / np.float32(factor**2)


def window_around(plate: np.ndarray, points_px: np.ndarray, *, across_px: int) -> PlateWindow:
    """Return the window around points of a plate with a quarter of their extent as margin.

    Args:
        plate: (H, W, C).
        points_px: (N, 2).
        across_px: Wanted size of the points' extent in shrunk pixels.
    """
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    extent = float((high - low).max())
    factor = max(1, round(extent / across_px))
    limit = np.array(plate.shape[1::-1])
    start = np.clip(np.floor(low - 0.25 * extent), 0, np.maximum(limit - 4 * factor, 0)).astype(int)
    stop = np.clip(np.ceil(high + 0.25 * extent), start + 4 * factor, limit).astype(int)
    return PlateWindow(start.astype(np.float64), np.maximum((stop - start) // factor, 1), factor)


@dataclass(frozen=True)
class PlateCut:
    """The part of a plate that a picture is made of.

    Attributes:
        pixels: (H, W, 3) uint8, sRGB-encoded; both sides whole multiples of the window's `pixel_size_px`.
        window: Where it lies.
    """

    pixels: np.ndarray
    window: PlateWindow


def cut_of_plate(plate: np.ndarray, points_px: np.ndarray, *, across_px: int) -> PlateCut:
    """Return a copy of the part of a plate that `window_of_plate` makes its picture of; see there."""
    window = window_around(plate, points_px, across_px=across_px)
    return PlateCut(window.cut(plate).copy(), window)


def window_of_plate(plate: np.ndarray, points_px: np.ndarray, *, across_px: int, soften_count: int = 1) -> Picture:
    """Return the window around points of a plate, about `across_px` pixels high over the points.

    Args:
        plate: (H, W, 3) uint8, sRGB-encoded.
        points_px: (N, 2) points that the window holds with a margin.
        across_px: Wanted size of the points' extent in the picture; the picture is shrunk by whole numbers only.
        soften_count: How often the 5-tap binomial filter runs.
    """
    window = window_around(plate, points_px, across_px=across_px)
    linear = window.shrunk(LINEAR_OF_BYTE.take(window.cut(plate)))
    for _ in range(soften_count):
        linear = softened(linear)
    return Picture(np.ascontiguousarray(linear), window.origin_px, window.pixel_size_px)


def softened(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W, C) after the 5-tap binomial filter along both axes; the edge repeats."""
    for axis in (0, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (2, 2)
        padded = np.pad(pixels, padding, mode="edge")
        pieces = shifted_views(padded, len(BINOMIAL), axis)
        pixels = pieces[0] * BINOMIAL[0]
        for piece, weight in zip(pieces[1:], BINOMIAL[1:], strict=True):
            pixels += piece * weight
    return pixels


def shifted_views(padded: np.ndarray, count: int, axis: int) -> list[np.ndarray]:
    """Return `count` views of an array, each a pixel further along an axis and `count - 1` pixels shorter."""
    length = padded.shape[axis] - count + 1
    before = (slice(None),) * axis
    return [padded[(*before, slice(shift, shift + length))] for shift in range(count)]
