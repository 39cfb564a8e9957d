"""What a rasteriser returns, and the one preparation that every backend shares.

Coverage is decided in integers, so that no compiler, processor or summation order can change it: points are
rounded to 1/16384 pixel, a pixel belongs to a triangle when its centre (at +0.5) lies inside, and a centre exactly
on an edge belongs to the triangle of which that edge is a top or a left one (the rule of Direct3D, OpenGL and
Vulkan). Two triangles that share an edge therefore never both cover a pixel, and never both miss it.

Nothing is clipped: a triangle with a corner nearer than `NEAR_M`, not finite, or farther than `GUARD_BAND_PX` from
the picture's origin is dropped whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUBPIXEL_BITS = 14
SUBPIXELS = 1 << SUBPIXEL_BITS
GUARD_BAND_PX = 1 << 15  # with 14 sub-pixel bits an edge function stays below 2^61, far from int64's end
LARGEST_SIDE_PX = 1 << 14
NEAR_M = 0.01


@dataclass(frozen=True)
class Raster:
    """Which triangle each pixel centre sees, and where on it. H rows from the top, W columns from the left.

    Attributes:
        triangle_ids: (H, W) int32, -1 where there is nothing.
        barycentric: (H, W, 3) float64 perspective-correct weights of the triangle's corners; zero where nothing is.
        depth: (H, W) float64 in the unit of the depths given; zero where there is nothing.
    """

    triangle_ids: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def is_covered(self) -> np.ndarray:
        """(H, W) bool, true where a triangle is seen."""
        return self.triangle_ids >= 0


@dataclass(frozen=True)
class FixedVertices:
    """Vertices as the coverage loops want them.

    Attributes:
        x: (V,) int64, pixels times `SUBPIXELS`.
        y: (V,) int64.
        inverse_depth: (V,) float64; zero where the vertex may not be used.
        is_usable: (V,) bool.
    """

    x: np.ndarray
    y: np.ndarray
    inverse_depth: np.ndarray
    is_usable: np.ndarray


def to_fixed_point(vertices_px: np.ndarray, depth: np.ndarray) -> FixedVertices:
    """Round vertices (V, 2) to the sub-pixel grid and invert their depths (V,)."""
    # NaN fails every comparison, so it needs no test of its own.
    is_usable = (np.abs(vertices_px[:, 0]) <= GUARD_BAND_PX) & (np.abs(vertices_px[:, 1]) <= GUARD_BAND_PX)
    is_usable &= (depth >= NEAR_M) & (depth < np.inf)
    x, y = (_to_grid(np.where(is_usable, vertices_px[:, axis], 0.0)) for axis in (0, 1))
    inverse = np.where(is_usable, 1.0 / np.where(is_usable, depth, 1.0), 0.0)
    return FixedVertices(x=x, y=y, inverse_depth=inverse, is_usable=is_usable)


def _to_grid(values_px: np.ndarray) -> np.ndarray:
    return np.floor(values_px * SUBPIXELS + 0.5).astype(np.int64)
