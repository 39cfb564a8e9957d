"""A picture's fine pattern without its light: brows, hairline, freckles, pores - what sticks to the skin.

The logarithm turns light times reflectance into a sum; light changes slowly over skin, so that what is left after
taking away the surroundings is the skin's own pattern. Shading does not move with a turning head, and would else pass
for a head that does not turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.tracking.picture import PlateWindow, between_pixels, shifted_views, softened, window_around

DARK = 0.05  # added to encoded brightness: noise of dark pixels counts less
_BOX_WIDTH, BOX_PASSES = 5, 3  # three boxes are nearly a Gaussian of 2.4 pixels


@dataclass(frozen=True)
class Texture:
    """The fine pattern of a window of the plate.

    Attributes:
        values: (H, W) float32, natural logarithm of brightness over that of the surroundings.
        window: Where the pixels lie in the plate.
    """

    values: np.ndarray
    window: PlateWindow

    def sample(self, points_px: np.ndarray) -> np.ndarray:
        """Return values (...) at plate positions (..., 2); bilinear, the edge repeats outside."""
        places = (points_px - self.window.origin_px) / self.window.pixel_size_px
        return between_pixels(self.values[..., None], places)[..., 0]

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return values (...) at places (...) float32 in the pattern's own pixels, as `sample` does but faster."""
        height, width = self.values.shape
        x = np.clip(x - np.float32(0.5), 0.0, np.float32(width - 1.001))
        y = np.clip(y - np.float32(0.5), 0.0, np.float32(height - 1.001))
        left, top = x.astype(np.intp), y.astype(np.intp)
        x -= left.astype(np.float32)
        y -= top.astype(np.float32)
        start, flat = top * width + left, self.values.ravel()
        a, b, c, d = (flat.take(start + step) for step in (0, 1, width, width + 1))
        above = a + x * (b - a)
        return above + y * (c + x * (d - c) - above)


def texture_of_plate(plate: np.ndarray, points_px: np.ndarray, *, across_px: int) -> Texture:
    """Return the pattern around points of a plate, about `across_px` pixels high over the points.

    Args:
        plate: (H, W, 3) uint8, sRGB-encoded.
        points_px: (N, 2) points that the window holds with a margin.
        across_px: Wanted size of the points' extent; the plate is shrunk by whole numbers only.
    """
    window = window_around(plate, points_px, across_px=across_px)
    red, green, blue = np.moveaxis(window.cut(plate).astype(np.float32), -1, 0)
    brightness = window.shrunk(((red + green + blue) / 3)[..., None]) / 255
    fine = softened(np.log(brightness + DARK))
    wide = fine[..., 0]
    for _ in range(BOX_PASSES):
        wide = _boxed(wide)
    return Texture(np.ascontiguousarray(fine[..., 0] - wide, dtype=np.float32), window)


def _boxed(values: np.ndarray) -> np.ndarray:
    """Return running means along both axes; the edge repeats."""
    reach = _BOX_WIDTH // 2
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        padded = np.pad(values, padding, mode="edge")
        pieces = shifted_views(padded, _BOX_WIDTH, axis)
        values = pieces[0] + pieces[1]
        for piece in pieces[2:]:
            values += piece
        values /= _BOX_WIDTH
    return values
