"""The public door of the rasteriser: checks its input and chooses a backend."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from dvp_core.raster.raster import LARGEST_SIDE_PX, Raster
from dvp_core.raster.reference import rasterize_reference

Backend = Literal[
    "auto",  # compiled where numba can be imported, else reference; both give the same bits
    "reference",  # numpy
    "compiled",  # numba
    "torch",  # torch on the CPU, or on the first graphics card where there is one
]


def rasterize(
    vertices_px: np.ndarray,
    depth: np.ndarray,
    triangles: np.ndarray,
    width_px: int,
    height_px: int,
    *,
    is_culling: bool = False,
    backend: Backend = "auto",
) -> Raster:
    """Return the nearest triangle at every pixel centre, with its depth and perspective-correct weights.

    Of two triangles at exactly the same depth the lower number is seen. What is dropped stands in `raster.py`.

    Args:
        vertices_px: (V, 2) points in the picture, pixels; x right, y down, pixel centres at +0.5.
        depth: (V,) distances along the optical axis, metres.
        triangles: (T, 3) vertex numbers, counter-clockwise to the eye where they face it.
        width_px: Width of the picture.
        height_px: Height of the picture.
        is_culling: Whether triangles that turn clockwise to the eye are left out.
        backend: Which version draws.
    """
    vertices_px = np.ascontiguousarray(vertices_px, dtype=np.float64)
    depth = np.ascontiguousarray(depth, dtype=np.float64)
    _check(vertices_px, depth, triangles, width_px, height_px)
    chosen = _available() if backend == "auto" else backend
    if chosen == "compiled":
        from dvp_core.raster.compiled import rasterize_compiled

        return rasterize_compiled(vertices_px, depth, triangles, width_px, height_px, is_culling=is_culling)
    if chosen == "torch":
        from dvp_core.raster.torch_twin import rasterize_with_torch

        return rasterize_with_torch(vertices_px, depth, triangles, width_px, height_px, is_culling=is_culling)
    return rasterize_reference(vertices_px, depth, triangles, width_px, height_px, is_culling=is_culling)


@cache
def _available() -> Backend:
    """Prefer the compiled version; Blender has numba only where its wheel was installed."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return "reference"
    return "compiled"


def _check(vertices_px: np.ndarray, depth: np.ndarray, triangles: np.ndarray, width_px: int, height_px: int) -> None:
    """Refuse what the compiled loop would read out of bounds."""
    count = len(vertices_px)
    if vertices_px.shape != (count, 2) or depth.shape != (count,):
        raise ValueError(f"vertices_px {vertices_px.shape} and depth {depth.shape} are not (V, 2) and (V,)")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ValueError(f"triangles are {triangles.dtype} {triangles.shape}, expected integers (T, 3)")
    if triangles.size and not (0 <= int(triangles.min()) and int(triangles.max()) < count):
        raise ValueError(f"triangles name vertices outside 0..{count - 1}")
    if not (0 < width_px <= LARGEST_SIDE_PX and 0 < height_px <= LARGEST_SIDE_PX):
        raise ValueError(f"a picture of {width_px} x {height_px} px is not within 1..{LARGEST_SIDE_PX}")
