"""Tiles of skin found by their pattern in many frames: the counterpart of `tile_tracks.py` and `terms/tracks.py`.

Both the pattern of a plate and the tiles' places in it are found on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.batched.pictures import boxed, shrunk_cuts, softened, with_repeated_edges
from dvp_core.tracking.batched.points import ROBUST_SCALE
from dvp_core.tracking.batched.skin import Normals, normals_of
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.batched.surface import RidingPoints, SeenPoints, cross, riding_points, see
from dvp_core.tracking.options import TextureOptions
from dvp_core.tracking.picture import PlateCut
from dvp_core.tracking.skin_bundle import KnownTiles
from dvp_core.tracking.texture import BOX_PASSES, DARK
from dvp_core.tracking.tile_tracks import BLUR, FRAME_ROUNDS


@dataclass(frozen=True)
class Textures:
    """Patterns of B windows on one canvas size; see `Texture`.

    Attributes:
        values: (B, H, W).
        sizes_wh: (B, 2) of the windows.
        origin_px: (B, 2).
        pixel_size_px: (B,).
    """

    values: torch.Tensor
    sizes_wh: torch.Tensor
    origin_px: torch.Tensor
    pixel_size_px: torch.Tensor

    def sample(self, points_px: torch.Tensor) -> torch.Tensor:
        """Return values (B, N, G) at plate positions (B, N, G, 2); bilinear, the edge repeats outside."""
        count, height, width = self.values.shape
        place = (points_px - self.origin_px[:, None, None]) / self.pixel_size_px[:, None, None, None] - 0.5
        place = torch.minimum(place.nan_to_num(0.0).clamp(min=0.0), (self.sizes_wh - 1.001)[:, None, None])
        corner = place.floor()
        x, y = (place - corner).unbind(-1)
        first = torch.arange(count, device=place.device)[:, None, None] * (height * width)
        start = first + (corner[..., 1] * width + corner[..., 0]).to(torch.int64)
        flat = self.values.flatten()
        a, b, c, d = (flat[start + offset] for offset in (0, 1, width, width + 1))
        above = a + x * (b - a)
        return above + y * (c + x * (d - c) - above)


@dataclass(frozen=True)
class PatternTracks:
    """Where tiles were seen in B frames; see `TileTracks`.

    Attributes:
        targets_px: (B, N, 2).
        whitening: (B, N, 2, 2); zero where a tile was not found.
    """

    targets_px: torch.Tensor
    whitening: torch.Tensor


@dataclass(frozen=True)
class Tiles:
    """`KnownTiles` on a device: N tiles, each read at G places.

    Attributes:
        centers: The tiles' middles.
        sides: From each vertex to a neighbour.
        normals: Of the vertices.
        values: (N, G) pattern.
        slopes: (N, 2, G).
        information: (N, 2, 2).
        places_m: (G, 2).
        weights: (G,).
        step_m: Distance of neighbouring places.
        options: Expected errors.
    """

    centers: RidingPoints
    sides: RidingPoints
    normals: Normals
    values: torch.Tensor
    slopes: torch.Tensor
    information: torch.Tensor
    places_m: torch.Tensor
    weights: torch.Tensor
    step_m: float
    options: TextureOptions

    def find(self, textures: Textures, states: FrameStates, camera: Camera) -> PatternTracks:
        """Return where frames show the tiles, looked for from where the states put them."""
        seen = see(self.centers, states, camera)
        by_metre, facing = self._sights(seen, states)
        damping = (BLUR * self.options.noise / self.step_m) ** 2
        inverse = _inverse(self.information + damping * torch.eye(2, dtype=by_metre.dtype, device=by_metre.device))
        shift = torch.zeros_like(seen.points_px)
        values = self._read(textures, seen.points_px, by_metre, shift)
        for _ in range(FRAME_ROUNDS):
            pull = torch.einsum("nkg,bng->bnk", self.slopes, values - self.values)
            step = -torch.einsum("nij,bnj->bni", inverse, pull)
            shift = shift + step.clamp(-self.step_m, self.step_m)
            values = self._read(textures, seen.points_px, by_metre, shift)
        is_found = self._is_found(values, shift, facing)
        whitening = self._whitening(values, by_metre, textures.pixel_size_px)
        targets = seen.points_px + (by_metre @ shift[..., None]).squeeze(-1)
        return PatternTracks(targets, torch.where(is_found[..., None, None], whitening, 0.0))

    def _sights(self, seen: SeenPoints, states: FrameStates) -> tuple[torch.Tensor, torch.Tensor]:
        """Return plate pixels by metres along the tiles' sides (B, N, 2, 2), and how they face the camera (B, N)."""
        normals = self.normals.head(states.expression)
        first = self.sides.at(states.expression)
        first = first - normals * (first * normals).sum(dim=-1, keepdim=True)
        first = torch.nn.functional.normalize(first, dim=-1)
        sides = torch.stack([first, cross(normals, first)], dim=2) @ states.rotation.transpose(1, 2)[:, None]
        rows = seen.pixel_rows()
        by_metre = (rows[:, :, :, None] * sides[:, :, None]).sum(dim=-1)
        towards = torch.nn.functional.normalize(seen.points_camera, dim=-1)
        return by_metre, -((normals @ states.rotation.transpose(1, 2)) * towards).sum(dim=-1)

    def _read(
        self, textures: Textures, centers_px: torch.Tensor, by_metre: torch.Tensor, shift_m: torch.Tensor
    ) -> torch.Tensor:
        places = self.places_m + shift_m[:, :, None]
        values = textures.sample(centers_px[:, :, None] + places @ by_metre.transpose(2, 3))
        return values - (values @ self.weights)[..., None]

    def _is_found(self, values: torch.Tensor, shift_m: torch.Tensor, facing: torch.Tensor) -> torch.Tensor:
        alike = (values * self.values) @ self.weights
        lengths = ((values.square() @ self.weights) * (self.values.square() @ self.weights)).sqrt().clamp(min=1e-9)
        is_near = torch.linalg.vector_norm(shift_m, dim=-1) < self.options.farthest_px * self.step_m
        return (facing > self.options.least_facing) & (alike > self.options.least_similarity * lengths) & is_near

    def _whitening(self, values: torch.Tensor, by_metre: torch.Tensor, pixel_size_px: torch.Tensor) -> torch.Tensor:
        """Return (B, N, 2, 2): a square root of the precision of a tile's place, whose errors have a floor."""
        misfit = (values - self.values).square() @ self.weights
        scale = self.options.redundancy * self.weights.square().sum()
        variance = misfit.clamp(min=self.options.noise**2) * scale
        by_pixel = _inverse(by_metre)
        sharpness = by_pixel.transpose(2, 3) @ (self.information / variance[..., None, None]) @ by_pixel
        floor = ((self.options.floor_px * pixel_size_px) ** 2)[:, None, None, None]
        identity = torch.eye(2, dtype=values.dtype, device=values.device)
        precision = _inverse(identity + floor * sharpness) @ sharpness
        first = precision[..., 0, 0].clamp(min=1e-12).sqrt()
        second = precision[..., 0, 1] / first
        third = (precision[..., 1, 1] - second**2).clamp(min=0).sqrt()
        return torch.stack([first, second, torch.zeros_like(first), third], dim=-1).unflatten(-1, (2, 2))


def track_residual(seen: SeenPoints, tracks: PatternTracks) -> Residuals:
    """Return 2 N residuals a frame: whitened distances of seen points from where they were tracked."""
    values = (tracks.whitening @ (seen.points_px - tracks.targets_px)[..., None]).squeeze(-1)
    jacobian = seen.jacobian(seen.pixel_rows_of(tracks.whitening))
    return Residuals(values.flatten(1), jacobian.flatten(1, 2), group_size=2, robust_scale=ROBUST_SCALE)


def tiles_of(known: KnownTiles | None, device: torch.device, dtype: torch.dtype) -> Tiles | None:
    """Return known tiles on a device."""
    if known is None:
        return None

    def placed(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=dtype, device=device)

    return Tiles(
        riding_points(known.tiles.centers, device, dtype),
        riding_points(known.tiles.sides, device, dtype),
        normals_of(known.tiles.patch, device, dtype),
        placed(known.templates.values),
        placed(known.templates.slopes),
        placed(known.templates.information),
        placed(known.grid.places_m),
        placed(known.grid.weights),
        known.grid.step_m,
        known.options,
    )


def textures_of(cuts: Sequence[PlateCut], device: torch.device, dtype: torch.dtype) -> Textures:
    """Return the patterns of cut plates; see `texture_of_plate`."""
    bright = shrunk_cuts(cuts, np.arange(256) / 255, device, dtype)
    fine = softened(torch.log(bright.pixels.mean(dim=-1, keepdim=True) + DARK))
    fine = wide = with_repeated_edges(fine, bright.sizes_wh)
    for _ in range(BOX_PASSES):
        wide = with_repeated_edges(boxed(wide), bright.sizes_wh)
    return Textures((fine - wide).squeeze(-1), bright.sizes_wh, bright.origin_px, bright.pixel_size_px)


def _inverse(matrices: torch.Tensor) -> torch.Tensor:
    """Return the inverses of (..., 2, 2) matrices; a singular one gives large numbers, not none."""
    (a, b), (c, d) = (row.unbind(-1) for row in matrices.unbind(-2))
    determinant = a * d - b * c
    safe = torch.where(determinant == 0, 1e-20, determinant)
    return torch.stack([d, -b, -c, a], dim=-1).unflatten(-1, (2, 2)) / safe[..., None, None]
