"""The rasteriser compiled by numba: bit-identical to `reference.py`, some twenty times as fast.

numba is imported when the first picture is drawn, so that this file loads where there is none. Fast maths stay off:
they would let the compiler reorder sums, and the twins would differ in the last bit. Other threads run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dvp_core.raster.raster import SUBPIXEL_BITS, SUBPIXELS, Raster, to_fixed_point

_HALF = SUBPIXELS // 2


def rasterize_compiled(
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
    triangle_ids = np.full((height_px, width_px), -1, dtype=np.int32)
    barycentric = np.zeros((height_px, width_px, 3))
    nearest = np.zeros((height_px, width_px))
    _kernel()(
        fixed.x,
        fixed.y,
        fixed.inverse_depth,
        fixed.is_usable,
        np.ascontiguousarray(triangles, dtype=np.int32),
        is_culling,
        triangle_ids,
        barycentric,
        nearest,
    )
    return Raster(triangle_ids, barycentric, nearest)


@cache
def _kernel() -> Callable[..., None]:
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(_draw_all)
    except RuntimeError:
        # numba found no folder in which it may keep the machine code; it compiles for this process alone.
        return numba.njit(nogil=True)(_draw_all)


def _draw_all(
    x: Any,
    y: Any,
    inverse_depth: Any,
    is_usable: Any,
    triangles: Any,
    is_culling: bool,
    triangle_ids: Any,
    barycentric: Any,
    nearest: Any,
) -> None:
    """Draw triangle by triangle, row by row; then weigh the corners once for each pixel that sees something.

    One function, because numba keeps the machine code of one function safest; the comments mark its three steps.
    """
    height_px, width_px = triangle_ids.shape
    for triangle in range(triangles.shape[0]):
        # 1. Orientation and bounding box, as in `reference._set_up`.
        a, b, c = triangles[triangle, 0], triangles[triangle, 1], triangles[triangle, 2]
        if not (is_usable[a] and is_usable[b] and is_usable[c]):
            continue
        xa, ya, xb, yb, xc, yc = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
        if area == 0 or (is_culling and area > 0):
            continue
        first_x = max((min(xa, xb, xc) + (_HALF - 1)) >> SUBPIXEL_BITS, 0)
        last_x = min((max(xa, xb, xc) - _HALF) >> SUBPIXEL_BITS, width_px - 1)
        first_y = max((min(ya, yb, yc) + (_HALF - 1)) >> SUBPIXEL_BITS, 0)
        last_y = min((max(ya, yb, yc) - _HALF) >> SUBPIXEL_BITS, height_px - 1)
        if first_x > last_x or first_y > last_y:
            continue
        # 2. Edge functions at the first centre, and their change by one pixel to the right and down.
        turn = 1 if area > 0 else -1
        area *= turn
        ax, ay = (xc - xb) * turn, (yc - yb) * turn
        bx, by = (xa - xc) * turn, (ya - yc) * turn
        cx, cy = (xb - xa) * turn, (yb - ya) * turn
        least_a = 0 if ay < 0 or (ay == 0 and ax > 0) else 1
        least_b = 0 if by < 0 or (by == 0 and bx > 0) else 1
        least_c = 0 if cy < 0 or (cy == 0 and cx > 0) else 1
        center_x, center_y = (first_x << SUBPIXEL_BITS) + _HALF, (first_y << SUBPIXEL_BITS) + _HALF
        row_a = ax * (center_y - yb) - ay * (center_x - xb)
        row_b = bx * (center_y - yc) - by * (center_x - xc)
        row_c = cx * (center_y - ya) - cy * (center_x - xa)
        qa, qb, qc = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        # 3. Walk the box; strictly nearer wins, so the lower triangle keeps a tie.
        for y_px in range(first_y, last_y + 1):
            edge_a, edge_b, edge_c = row_a, row_b, row_c
            for x_px in range(first_x, last_x + 1):
                if edge_a >= least_a and edge_b >= least_b and edge_c >= least_c:
                    product_a, product_b, product_c = edge_a * qa, edge_b * qb, edge_c * qc
                    total = product_a + product_b + product_c
                    depth = area / total
                    if triangle_ids[y_px, x_px] < 0 or depth < nearest[y_px, x_px]:
                        nearest[y_px, x_px] = depth
                        triangle_ids[y_px, x_px] = triangle
                        barycentric[y_px, x_px, 0] = product_a / total
                        barycentric[y_px, x_px, 1] = product_b / total
                        barycentric[y_px, x_px, 2] = product_c / total
                edge_a -= ay << SUBPIXEL_BITS
                edge_b -= by << SUBPIXEL_BITS
                edge_c -= cy << SUBPIXEL_BITS
            row_a += ax << SUBPIXEL_BITS
            row_b += bx << SUBPIXEL_BITS
            row_c += cx << SUBPIXEL_BITS
