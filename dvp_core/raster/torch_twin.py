"""The rasteriser in torch, for graphics cards: what the tracker and training use where there is one.

It decides coverage by the same integers as `reference.py`, so the covered pixels are equal. Depths and weights are
computed in float64 by the same formulas, but a card may fuse a product and a sum: they agree to `TOLERANCE`
(relative), and a pixel may show another triangle only where two are nearer to each other than that. It is not
differentiable by itself: gradients flow through attributes blended with its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dvp_core.raster.raster import GUARD_BAND_PX, NEAR_M, SUBPIXEL_BITS, SUBPIXELS, Raster

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-12
_LARGEST_FRAGMENT_COUNT = 1 << 22
_HALF = SUBPIXELS // 2


@dataclass(frozen=True)
class TorchRaster:
    """`Raster` on a device.

    Attributes:
        triangle_ids: (H, W) int64, -1 where there is nothing.
        barycentric: (H, W, 3) float64.
        depth: (H, W) float64, zero where there is nothing.
    """

    triangle_ids: torch.Tensor
    barycentric: torch.Tensor
    depth: torch.Tensor


@dataclass(frozen=True)
class _Setup:
    """Triangles that may cover a pixel: ids (N,), corners' x, y and 1 / depth (N, 3), turn (N,), boxes (N,)."""

    ids: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    inverse_depth: torch.Tensor
    turn: torch.Tensor
    first_x: torch.Tensor
    first_y: torch.Tensor
    column_count: torch.Tensor
    row_count: torch.Tensor


def rasterize_with_torch(
    vertices_px: np.ndarray,
    depth: np.ndarray,
    triangles: np.ndarray,
    width_px: int,
    height_px: int,
    *,
    is_culling: bool = False,
) -> Raster:
    """Return which triangle each pixel sees, from and to numpy; see `dvp_core.raster.rasterize` for the arguments."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    raster = rasterize_torch(
        torch.from_numpy(vertices_px).to(device),
        torch.from_numpy(depth).to(device),
        torch.from_numpy(triangles.astype(np.int64)).to(device),
        width_px,
        height_px,
        is_culling=is_culling,
    )
    return Raster(
        raster.triangle_ids.cpu().numpy().astype(np.int32),
        raster.barycentric.cpu().numpy(),
        raster.depth.cpu().numpy(),
    )


def rasterize_torch(
    vertices_px: torch.Tensor,
    depth: torch.Tensor,
    triangles: torch.Tensor,
    width_px: int,
    height_px: int,
    *,
    is_culling: bool = False,
) -> TorchRaster:
    """Return which triangle each pixel sees, on the device of `vertices_px`.

    Args:
        vertices_px: (V, 2) float64, pixels.
        depth: (V,) float64, metres.
        triangles: (T, 3) int64.
        width_px: Width of the picture.
        height_px: Height of the picture.
        is_culling: Whether triangles that turn clockwise to the eye are left out.
    """
    import torch

    setup = _set_up(vertices_px.detach(), depth.detach(), triangles, width_px, height_px, is_culling)
    nearest = torch.full((width_px * height_px,), torch.inf, dtype=torch.float64, device=depth.device)
    winner = torch.full((width_px * height_px,), len(setup.ids), dtype=torch.int64, device=depth.device)
    ends = torch.cumsum(setup.column_count * setup.row_count, 0).cpu()
    start = 0
    while start < len(ends):
        done = int(ends[start - 1]) if start else 0
        limit = torch.tensor(done + _LARGEST_FRAGMENT_COUNT)
        stop = max(start + 1, int(torch.searchsorted(ends, limit, right=True)))
        _draw(setup, slice(start, stop), width_px, nearest, winner)
        start = stop
    return _finish(setup, winner, width_px, height_px)


def _set_up(
    vertices_px: torch.Tensor,
    depth: torch.Tensor,
    triangles: torch.Tensor,
    width_px: int,
    height_px: int,
    is_culling: bool,
) -> _Setup:
    """Drop what cannot be seen, as `reference._set_up` does."""
    import torch

    is_usable = torch.isfinite(vertices_px).all(1) & torch.isfinite(depth) & (depth >= NEAR_M)
    is_usable &= (vertices_px.abs() <= GUARD_BAND_PX).all(1)
    fixed = torch.floor(vertices_px.where(is_usable[:, None], 0.0) * SUBPIXELS + 0.5).to(torch.int64)
    inverse = 1.0 / depth.where(is_usable, 1.0)
    ids = torch.nonzero(is_usable[triangles].all(1)).squeeze(1)
    corners = triangles[ids]
    x, y = fixed[:, 0][corners], fixed[:, 1][corners]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    first_x = ((x.amin(1) + (_HALF - 1)) >> SUBPIXEL_BITS).clamp(min=0)
    first_y = ((y.amin(1) + (_HALF - 1)) >> SUBPIXEL_BITS).clamp(min=0)
    column_count = ((x.amax(1) - _HALF) >> SUBPIXEL_BITS).clamp(max=width_px - 1) - first_x + 1
    row_count = ((y.amax(1) - _HALF) >> SUBPIXEL_BITS).clamp(max=height_px - 1) - first_y + 1
    is_facing = area < 0 if is_culling else area != 0
    kept = torch.nonzero(is_facing & (column_count > 0) & (row_count > 0)).squeeze(1)
    return _Setup(
        ids[kept],
        x[kept],
        y[kept],
        inverse[corners[kept]],
        torch.sign(area[kept]),
        first_x[kept],
        first_y[kept],
        column_count[kept],
        row_count[kept],
    )


def _draw(setup: _Setup, part: slice, width_px: int, nearest: torch.Tensor, winner: torch.Tensor) -> None:
    """Test the pixels of all bounding boxes of a run of triangles; the nearest stays, ties go to the lower number."""
    import torch

    columns = setup.column_count[part]
    counts = columns * setup.row_count[part]
    local = torch.repeat_interleave(counts)
    offset = torch.arange(len(local), device=local.device) - (torch.cumsum(counts, 0) - counts)[local]
    index = local + part.start
    x_px = setup.first_x[index] + offset % columns[local]
    y_px = setup.first_y[index] + torch.div(offset, columns[local], rounding_mode="floor")
    edges, is_inside = _edge_functions(setup, index, x_px, y_px)
    index, edges, pixel = index[is_inside], edges[:, is_inside], (y_px * width_px + x_px)[is_inside]
    depth, _, _ = _depth(setup, index, edges)
    before = nearest.clone()
    nearest.scatter_reduce_(0, pixel, depth, "amin")
    winner[nearest < before] = len(setup.ids)
    # Runs follow in ascending order, so an equal depth of an earlier run keeps its lower number through the minimum.
    is_first = depth == nearest[pixel]
    winner.scatter_reduce_(0, pixel[is_first], index[is_first], "amin")


def _edge_functions(
    setup: _Setup, index: torch.Tensor, x_px: torch.Tensor, y_px: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return e_i (3, N) int64 and whether the pixel centre belongs to the triangle (N,)."""
    import torch

    x, y, turn = setup.x[index].T, setup.y[index].T, setup.turn[index]
    center_x, center_y = (x_px << SUBPIXEL_BITS) + _HALF, (y_px << SUBPIXEL_BITS) + _HALF
    step_x = (x.roll(-2, 0) - x.roll(-1, 0)) * turn
    step_y = (y.roll(-2, 0) - y.roll(-1, 0)) * turn
    edges = step_x * (center_y - y.roll(-1, 0)) - step_y * (center_x - x.roll(-1, 0))
    is_own = (step_y < 0) | ((step_y == 0) & (step_x > 0))
    return edges, (edges >= torch.where(is_own, 0, 1)).all(0)


def _depth(setup: _Setup, index: torch.Tensor, edges: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return depth A / s (N,), the products e_i q_i (3, N) and s (N,); symbols as in `reference.py`."""
    import torch

    products = edges.to(torch.float64) * setup.inverse_depth[index].T
    total = products[0] + products[1] + products[2]
    area = (edges[0] + edges[1] + edges[2]).to(torch.float64)
    return area / total, products, total


def _finish(setup: _Setup, winner: torch.Tensor, width_px: int, height_px: int) -> TorchRaster:
    """Evaluate depth and weights once for each pixel that sees something."""
    import torch

    triangle_ids = torch.full_like(winner, -1)
    barycentric = torch.zeros((len(winner), 3), dtype=torch.float64, device=winner.device)
    depth = torch.zeros(len(winner), dtype=torch.float64, device=winner.device)
    pixel = torch.nonzero(winner < len(setup.ids)).squeeze(1)
    index = winner[pixel]
    edges, _ = _edge_functions(setup, index, pixel % width_px, torch.div(pixel, width_px, rounding_mode="floor"))
    depth[pixel], products, total = _depth(setup, index, edges)
    barycentric[pixel] = (products / total).T
    triangle_ids[pixel] = setup.ids[index]
    shape = (height_px, width_px)
    return TorchRaster(triangle_ids.view(shape), barycentric.view(*shape, 3), depth.view(shape))
