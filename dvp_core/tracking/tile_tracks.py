"""Where tiles of skin lie in a picture, measured by their own pattern.

The tracker of Lucas & Kanade 1981 in its inverse-compositional form (Baker & Matthews 2004), along each tile's own
sides on the skin, so that a turn of the head is accounted for before anything is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.tracking.options import TextureOptions
from dvp_core.tracking.texture import Texture
from dvp_core.tracking.tiles import TileSights

BLUR = 0.1  # of the noise: slopes below it say nothing about a shift
FRAME_ROUNDS = 2
_KEY_ROUNDS = 3
_SPREAD = 0.7  # of the window of a tile, over its half width


@dataclass(frozen=True)
class TileGrid:
    """The G places at which a tile is read.

    Attributes:
        places_m: (G, 2) along the tile's sides.
        weights: (G,), sum one.
        step_m: Distance of neighbouring places: about a pixel.
    """

    places_m: np.ndarray
    weights: np.ndarray
    step_m: float

    @property
    def width(self) -> int:
        """Places along a side."""
        return round(len(self.weights) ** 0.5)


@dataclass(frozen=True)
class Templates:
    """What N tiles look like.

    Attributes:
        values: (N, G) pattern, weighted mean zero.
        slopes: (N, 2, G) derivatives along the sides, a metre, times the grid's weights.
        information: (N, 2, 2) how much a shift of a metre changes the pattern.
    """

    values: np.ndarray
    slopes: np.ndarray
    information: np.ndarray

    def chosen(self, which: np.ndarray) -> Templates:
        """Return some of the templates."""
        return Templates(self.values[which], self.slopes[which], self.information[which])


@dataclass(frozen=True)
class TileTracks:
    """Where N tiles were seen.

    Attributes:
        targets_px: (N, 2) plate pixels.
        whitening: (N, 2, 2) turns distances from there into independent errors of unit size; zero where a tile was
            not found.
    """

    targets_px: np.ndarray
    whitening: np.ndarray

    @property
    def is_found(self) -> np.ndarray:
        """(N,) bool."""
        return self.whitening.any(axis=(1, 2))


def tile_grid(step_m: float, half_width: int) -> TileGrid:
    """Return a grid of (2 half_width + 1)^2 places."""
    line = np.arange(-half_width, half_width + 1)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2).astype(np.float64)
    weights = np.exp(-(places**2).sum(axis=1) / (2 * (_SPREAD * half_width) ** 2))
    return TileGrid(places * step_m, (weights / weights.sum()).astype(np.float32), step_m)


def templates_of(values: np.ndarray, grid: TileGrid) -> Templates:
    """Return templates from patterns (N, G)."""
    square = values.reshape(len(values), grid.width, grid.width)
    down, along = np.gradient(square, grid.step_m, axis=(1, 2))
    slopes = np.stack([along, down], axis=1).reshape(len(values), 2, -1)
    weighted = slopes * grid.weights
    return Templates(values, weighted, weighted @ np.swapaxes(slopes, 1, 2))


def track_key_tiles(
    textures: Sequence[Texture],
    sights: Sequence[TileSights],
    is_seen: np.ndarray,
    grid: TileGrid,
    options: TextureOptions,
) -> tuple[Templates, list[TileTracks]]:
    """Return what tiles look like over K key frames, and where each frame shows them.

    A template is the frames' robust mean; no frame is the reference, so that the tiles' mean place stays where it is.

    Args:
        textures: K key frames.
        sights: The tiles in each.
        is_seen: (K, N) whether a tile lies in full view.
        grid: Where to read.
        options: Expected errors.
    """
    facing = np.stack([sight.facing for sight in sights]) * is_seen
    shift = np.zeros((*is_seen.shape, 2))
    seen_count = np.maximum(is_seen.sum(axis=0), 1)[:, None]
    for _ in range(_KEY_ROUNDS):
        values = np.stack([read_tiles(t, s, grid, m) for t, s, m in zip(textures, sights, shift, strict=True)])
        templates = templates_of(_robust_mean(values, facing, grid), grid)
        steps = np.stack([_step(templates, frame, grid, options) for frame in values])
        shift += steps * is_seen[..., None]
        shift -= (shift * is_seen[..., None]).sum(axis=0) / seen_count
    tracks = [
        _tracks(templates, frame, sight, moved, seen, grid, options, texture.window.pixel_size_px)
        for frame, sight, moved, seen, texture in zip(values, sights, shift, is_seen, textures, strict=True)
    ]
    is_alone = np.stack([t.is_found for t in tracks]).sum(axis=0) < options.least_key_frames
    lonely = [TileTracks(t.targets_px, np.where(is_alone[:, None, None], 0.0, t.whitening)) for t in tracks]
    return templates, lonely


def track_tiles(
    templates: Templates, texture: Texture, sights: TileSights, grid: TileGrid, options: TextureOptions
) -> TileTracks:
    """Return where a frame shows tiles of known look.

    Args:
        templates: What they look like.
        texture: The frame.
        sights: Where they should be.
        grid: Where to read.
        options: Expected errors.
    """
    shift = np.zeros((len(templates.values), 2))
    reader = tile_reader(texture, sights, grid)
    values = reader.read(shift)
    for _ in range(FRAME_ROUNDS):
        shift = shift + _step(templates, values, grid, options)
        values = reader.read(shift)
    is_seen = sights.facing > options.least_facing
    return _tracks(templates, values, sights, shift, is_seen, grid, options, texture.window.pixel_size_px)


@dataclass(frozen=True)
class TileReader:
    """Reads the same tiles again and again, what does not change worked out once.

    Attributes:
        texture: The frame.
        weights: (G,) the grid's.
        places: (N, 2, G) float32, the tiles' places in the pattern's pixels.
        by_shift: (N, 2, 2) pixels of the pattern by metres along the tiles' sides.
    """

    texture: Texture
    weights: np.ndarray
    places: np.ndarray
    by_shift: np.ndarray

    def read(self, shift_m: np.ndarray) -> np.ndarray:
        """Return what `read_tiles` does."""
        moved = (self.by_shift @ shift_m[..., None]).astype(np.float32)
        values = self.texture.at(self.places[:, 0] + moved[:, 0], self.places[:, 1] + moved[:, 1])
        values -= (values @ self.weights)[:, None]
        return values


def tile_reader(texture: Texture, sights: TileSights, grid: TileGrid) -> TileReader:
    """Return the reader of a frame's tiles."""
    window = texture.window
    by_shift = sights.pixels_per_metre / window.pixel_size_px
    centers = (sights.centers_px - window.origin_px) / window.pixel_size_px
    places = (by_shift.reshape(-1, 2) @ grid.places_m.T).reshape(len(centers), 2, -1) + centers[..., None]
    return TileReader(texture, grid.weights, places.astype(np.float32), by_shift)


def read_tiles(texture: Texture, sights: TileSights, grid: TileGrid, shift_m: np.ndarray) -> np.ndarray:
    """Return patterns (N, G) of tiles that are moved by (N, 2) metres along their sides, weighted mean zero.

    The reference of `TileReader`.
    """
    places = grid.places_m + shift_m[:, None]
    values = texture.sample(sights.centers_px[:, None] + places @ np.swapaxes(sights.pixels_per_metre, 1, 2))
    return values - (values @ grid.weights)[:, None]


def _step(templates: Templates, values: np.ndarray, grid: TileGrid, options: TextureOptions) -> np.ndarray:
    """Return (N, 2) metres by which tiles must move further, a pixel at most."""
    damping = (BLUR * options.noise / grid.step_m) ** 2 * np.eye(2)
    pull = (templates.slopes @ (values - templates.values)[..., None])[..., 0]
    step = -np.linalg.solve(templates.information + damping, pull[..., None])[..., 0]
    return np.clip(step, -grid.step_m, grid.step_m)


def _inverses(matrices: np.ndarray) -> np.ndarray:
    """Return (N, 2, 2) inverses; of tiles seen edge-on, which are not used, something finite."""
    (a, b), (c, d) = np.moveaxis(matrices[:, 0], 1, 0), np.moveaxis(matrices[:, 1], 1, 0)
    area = a * d - b * c
    area = np.where(np.abs(area) < 1e-3 * (a * a + b * b + c * c + d * d), np.inf, area)
    return np.stack([np.stack([d, -b], axis=-1), np.stack([-c, a], axis=-1)], axis=1) / area[:, None, None]


def _robust_mean(values: np.ndarray, weights: np.ndarray, grid: TileGrid) -> np.ndarray:
    """Return (N, G) of patterns (K, N, G) with weights (K, N); frames that disagree with the others count less."""
    used = weights
    mean = values[0]
    for _ in range(3):
        mean = np.einsum("kn,kng->ng", used, values) / np.maximum(used.sum(axis=0), 1e-6)[:, None]
        squares = (values - mean) ** 2 @ grid.weights
        usual = np.median(squares[weights > 0]) + 1e-9 if (weights > 0).any() else 1.0
        used = weights / (1 + squares / (2 * usual))
    return mean.astype(np.float32)


def _tracks(
    templates: Templates,
    values: np.ndarray,
    sights: TileSights,
    shift_m: np.ndarray,
    is_seen: np.ndarray,
    grid: TileGrid,
    options: TextureOptions,
    pixel_size_px: float,
) -> TileTracks:
    """Return tracks from the shifts found: those that look alike and lie near, with how sharply each is placed."""
    alike = (values * templates.values) @ grid.weights
    lengths = np.sqrt((values**2 @ grid.weights) * (templates.values**2 @ grid.weights))
    is_found = is_seen & (alike > options.least_similarity * np.maximum(lengths, 1e-9))
    is_found &= np.linalg.norm(shift_m, axis=1) < options.farthest_px * grid.step_m
    misfit = (values - templates.values) ** 2 @ grid.weights
    variance = np.maximum(misfit, options.noise**2) * options.redundancy * (grid.weights**2).sum()
    by_pixel = _inverses(sights.pixels_per_metre)
    sharpness = np.swapaxes(by_pixel, 1, 2) @ (templates.information / variance[:, None, None]) @ by_pixel
    known, axes = np.linalg.eigh(sharpness)
    precision = 1 / np.sqrt(1 / np.maximum(known, 1e-9) + (options.floor_px * pixel_size_px) ** 2)
    whitening = precision[:, :, None] * np.swapaxes(axes, 1, 2)
    targets = sights.centers_px + (sights.pixels_per_metre @ shift_m[..., None])[..., 0]
    return TileTracks(targets, np.where(is_found[:, None, None], whitening, 0.0))
