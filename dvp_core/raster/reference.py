"""The rasteriser in plain numpy: the truth against which its twins are tested.

Symbols in the formulas: e_i is twice the signed area of the triangle made by the pixel centre and the edge
opposite corner i (Pineda 1988), A their sum, q_i = 1 / depth of corner i, s = sum e_i q_i. Then depth = A / s and
the perspective-correct weights are e_i q_i / s (Heckbert and Moreton 1991). The compiled twin evaluates the same
operations in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dvp_core.raster.raster import SUBPIXEL_BITS, SUBPIXELS, FixedVertices, Raster, to_fixed_point

_LARGEST_FRAGMENT_COUNT = 1 << 18  # what is tested at once; bounds memory, changes no result
_HALF = SUBPIXELS // 2


@dataclass(frozen=True)
class _Setup:
    """Triangles that may cover a pixel: ids (N,), corners (N, 3), turn +1 or -1 (N,), first and last pixel (N,)."""

    ids: np.ndarray
    corners: np.ndarray
    turn: np.ndarray
    first_x: np.ndarray
    last_x: np.ndarray
    first_y: np.ndarray
    last_y: np.ndarray


def rasterize_reference(
    vertices_px: np.ndarray,
    depth: np.ndarray,
    triangles: np.ndarray,
    width_px: int,
    height_px: int,
    *,
    is_culling: bool = False,
) -> Raster:
    """Return which triangle each pixel sees; see `dvp_core.raster.rasterize` for the arguments."""
    fixed = to_fixed_point(vertices_px, depth)
    setup = _set_up(fixed, triangles, width_px, height_px, is_culling)
    nearest = np.full(width_px * height_px, np.inf)
    winner = np.full(width_px * height_px, -1, dtype=np.int64)
    for part in _parts(setup):
        _draw(fixed, setup, part, width_px, nearest, winner)
    return _finish(fixed, setup, winner, width_px, height_px)


def _set_up(fixed: FixedVertices, triangles: np.ndarray, width_px: int, height_px: int, is_culling: bool) -> _Setup:
    """Drop what cannot be seen: unusable corners, no area, turned away, or no pixel centre in the bounding box."""
    ids = np.flatnonzero(fixed.is_usable[triangles].all(axis=1))
    corners = triangles[ids]
    x, y = fixed.x[corners], fixed.y[corners]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    # y runs downwards, so what turns counter-clockwise to the eye has negative area.
    turn = np.sign(area)
    first_x = np.maximum((x.min(axis=1) + (_HALF - 1)) >> SUBPIXEL_BITS, 0)
    last_x = np.minimum((x.max(axis=1) - _HALF) >> SUBPIXEL_BITS, width_px - 1)
    first_y = np.maximum((y.min(axis=1) + (_HALF - 1)) >> SUBPIXEL_BITS, 0)
    last_y = np.minimum((y.max(axis=1) - _HALF) >> SUBPIXEL_BITS, height_px - 1)
    is_facing = turn < 0 if is_culling else turn != 0
    kept = np.flatnonzero(is_facing & (first_x <= last_x) & (first_y <= last_y))
    return _Setup(ids[kept], corners[kept], turn[kept], first_x[kept], last_x[kept], first_y[kept], last_y[kept])


def _parts(setup: _Setup) -> Iterator[slice]:
    """Cut the triangles into runs whose bounding boxes hold a bounded number of pixels (one triangle at least)."""
    counts = (setup.last_x - setup.first_x + 1) * (setup.last_y - setup.first_y + 1)
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _LARGEST_FRAGMENT_COUNT, side="right")))
        yield slice(start, stop)
        start = stop


def _draw(
    fixed: FixedVertices, setup: _Setup, part: slice, width_px: int, nearest: np.ndarray, winner: np.ndarray
) -> None:
    """Test the pixels of all bounding boxes of a run and keep the nearest; ties go to the lower triangle."""
    column_counts = setup.last_x[part] - setup.first_x[part] + 1
    counts = column_counts * (setup.last_y[part] - setup.first_y[part] + 1)
    local = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(local)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(offset, column_counts[local])
    index = local + part.start
    x_px, y_px = setup.first_x[index] + column, setup.first_y[index] + row
    is_inside = np.ones(len(index), dtype=bool)
    edges = _edge_functions(fixed, setup, index, x_px, y_px, is_inside)
    index, edges, pixel = index[is_inside], edges[:, is_inside], (y_px * width_px + x_px)[is_inside]
    depth = _depth(fixed, setup, index, edges)[0]
    is_nearer = depth < nearest[pixel]
    index, pixel, depth = index[is_nearer], pixel[is_nearer], depth[is_nearer]
    np.minimum.at(nearest, pixel, depth)
    is_first = depth == nearest[pixel]
    # Written backwards: where two are equally near, the last write is the lower triangle's.
    winner[pixel[is_first][::-1]] = index[is_first][::-1]


def _edge_functions(
    fixed: FixedVertices,
    setup: _Setup,
    index: np.ndarray,
    x_px: np.ndarray,
    y_px: np.ndarray,
    is_inside: np.ndarray | None = None,
) -> np.ndarray:
    """Return e_i (3, N) int64, positive inside; clears `is_inside` where a centre lies outside or on a foreign edge."""
    corners, turn = setup.corners[index], setup.turn[index]
    center_x, center_y = (x_px << SUBPIXEL_BITS) + _HALF, (y_px << SUBPIXEL_BITS) + _HALF
    edges = np.empty((3, len(index)), dtype=np.int64)
    for opposite in range(3):
        start, end = corners[:, (opposite + 1) % 3], corners[:, (opposite + 2) % 3]
        step_x, step_y = (fixed.x[end] - fixed.x[start]) * turn, (fixed.y[end] - fixed.y[start]) * turn
        edges[opposite] = step_x * (center_y - fixed.y[start]) - step_y * (center_x - fixed.x[start])
        if is_inside is not None:
            is_own = (step_y < 0) | ((step_y == 0) & (step_x > 0))  # a left edge, or a top one
            is_inside &= edges[opposite] >= np.where(is_own, 0, 1)
    return edges


def _depth(
    fixed: FixedVertices, setup: _Setup, index: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth A / s (N,), the products e_i q_i (3, N) and their sum s (N,)."""
    products = edges.astype(np.float64) * fixed.inverse_depth[setup.corners[index]].T
    total = products[0] + products[1] + products[2]
    area = (edges[0] + edges[1] + edges[2]).astype(np.float64)
    return area / total, products, total


def _finish(fixed: FixedVertices, setup: _Setup, winner: np.ndarray, width_px: int, height_px: int) -> Raster:
    """Evaluate depth and weights once for each pixel that sees something."""
    triangle_ids = np.full(len(winner), -1, dtype=np.int32)
    barycentric = np.zeros((len(winner), 3))
    depth = np.zeros(len(winner))
    pixel = np.flatnonzero(winner >= 0)
    index = winner[pixel]
    y_px, x_px = np.divmod(pixel, width_px)
    edges = _edge_functions(fixed, setup, index, x_px, y_px)
    depth[pixel], products, total = _depth(fixed, setup, index, edges)
    barycentric[pixel] = (products / total).T
    triangle_ids[pixel] = setup.ids[index]
    shape = (height_px, width_px)
    return Raster(triangle_ids.reshape(shape), barycentric.reshape(*shape, 3), depth.reshape(shape))
