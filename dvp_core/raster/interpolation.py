"""Vertex attributes to pixels. Sums are written out corner by corner, so that every numpy gives the same bits."""

from __future__ import annotations

import numpy as np

from dvp_core.raster.raster import Raster


def interpolate(raster: Raster, triangles: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Return (H, W, C) float64: the attributes at each pixel, perspective-correct, zero where nothing is seen.

    Args:
        raster: What the pixels see.
        triangles: (T, 3) vertex numbers, those that were rasterised.
        attributes: (V, C) values at the vertices, in any unit.
    """
    picture = np.zeros((*raster.triangle_ids.shape, attributes.shape[1]))
    is_covered = raster.is_covered
    corners = triangles[raster.triangle_ids[is_covered]]
    picture[is_covered] = blend_corners(attributes, corners, raster.barycentric[is_covered])
    return picture


def blend_corners(attributes: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (N, C) float64: attributes (V, C) of the corners (N, 3) weighted by weights (N, 3)."""
    values = attributes.astype(np.float64, copy=False)
    blended = np.take(values, corners[:, 0], axis=0) * weights[:, 0, None]
    blended += np.take(values, corners[:, 1], axis=0) * weights[:, 1, None]
    blended += np.take(values, corners[:, 2], axis=0) * weights[:, 2, None]
    return blended
