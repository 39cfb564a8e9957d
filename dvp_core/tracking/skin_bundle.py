"""Brings the key frames to agree about the skin itself: tiles of its pattern, and the rim of the face.

A detector's points lie where the detector believes a face to be; a freckle lies where it lies. Tiles are tracked over
the key frames, and poses, expressions, identity and lens are moved until one face explains all tracks: a bundle
adjustment (Triggs et al. 1999) whose points ride on the model. Where on the skin a tile lies is not known beforehand;
each may slide, and is eliminated from the equations by its Schur complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.progress import Progress
from dvp_core.maths.projection import project_jacobian
from dvp_core.tracking.bundle import (
    Bundle,
    BundleProblem,
    bundle_box,
    bundle_equations,
    bundle_outlines,
    moved_bundle,
)
from dvp_core.tracking.options import TextureOptions
from dvp_core.tracking.outline import Outline
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.rims import Rim, RimFinder, find_rim, rim_finder
from dvp_core.tracking.solver import NormalEquations, Residual, SolverOptions, accumulate, minimise
from dvp_core.tracking.states import FrameState, Layout
from dvp_core.tracking.surface import SurfacePoints, see, vertex_points
from dvp_core.tracking.terms.contour import contour_residual
from dvp_core.tracking.terms.tracks import track_residual
from dvp_core.tracking.texture import Texture
from dvp_core.tracking.tile_tracks import Templates, TileGrid, TileTracks, tile_grid, track_key_tiles
from dvp_core.tracking.tiles import SkinTiles, see_tiles, skin_tiles
from dvp_core.tracking.visibility import DepthPicture, depth_picture

STEPS_A_ROUND = 3
REWEIGHTINGS = 6
TRACK_SCALE, RIM_SCALE = 3.0, 1.5  # robust scales


@dataclass(frozen=True)
class KeyPictures:
    """The key frames' pictures: for rims, and for the skin's pattern."""

    pictures: Sequence[Picture]
    textures: Sequence[Texture]


@dataclass(frozen=True)
class KnownTiles:
    """The tiles that a clip's frames are tracked by: where they lie, what they look like, and how they are read."""

    tiles: SkinTiles
    templates: Templates
    grid: TileGrid
    options: TextureOptions


@dataclass(frozen=True)
class _Evidence:
    """What holds still while the key frames move.

    Attributes:
        points: N tiles' vertices, with identity.
        tracks: Of each key frame.
        offset_precision: (N, 3, 3), of how far a tile may lie from its vertex, head space.
        rims: Of each key frame.
        rim_points: Their vertices, with identity.
        rim_px: Expected error of a rim's edge, plate pixels.
        outlines: Of each key frame, for the points' own terms.
    """

    points: SurfacePoints
    tracks: Sequence[TileTracks]
    offset_precision: np.ndarray
    rims: Sequence[Rim]
    rim_points: Sequence[SurfacePoints]
    rim_px: float
    outlines: Sequence[Outline | None]


def fit_skin_bundle(
    problem: BundleProblem,
    bundle: Bundle,
    model: FaceModel,
    pictures: KeyPictures,
    options: TextureOptions,
    *,
    has_focal: bool,
    progress: Progress,
) -> tuple[Bundle, KnownTiles]:
    """Return the bundle that agrees about the skin, and the tiles to track the clip by.

    Args:
        problem: The points' problem; it stays part of the energy.
        bundle: As the points leave it.
        model: The face.
        pictures: Of the key frames.
        options: Expected errors.
        has_focal: Whether the focal length moves.
        progress: Told of "skin".
    """
    problem = replace(
        problem,
        priors=replace(problem.priors, identity_sigma=options.identity_sigma),
        expression_sigma=options.expression_growth * problem.expression_sigma,
    )
    layout = Layout(len(problem.expression_sigma), len(bundle.shared.identity), has_focal)
    vertices = _tile_vertices(model, options.key_tile_count)
    points, finder = vertex_points(model, vertices), rim_finder(model)
    offsets = np.zeros((len(vertices), 3))
    for number in range(options.round_count):
        progress("skin", number, options.round_count)
        measured = _measured(model, vertices, offsets, bundle, problem.camera, finder, pictures, options)
        evidence = measured.evidence(model, points, bundle_outlines(problem, bundle), options)
        solution = minimise(
            bundle,
            linearise=lambda state, seen=evidence: _linearised(problem, seen, state, layout)[0],
            retract=moved_bundle(problem, layout),
            box=lambda state: bundle_box(problem, state, layout),
            options=SolverOptions(max_steps=STEPS_A_ROUND),
        )
        bundle = solution.state
        offsets = _linearised(problem, evidence, bundle, layout)[1]
    progress("skin", options.round_count, options.round_count)
    measured = _measured(model, vertices, offsets, bundle, problem.camera, finder, pictures, options)
    return bundle, measured.sharpest(options)


@dataclass(frozen=True)
class _Measured:
    """Tiles and rims as read from the key frames."""

    tiles: SkinTiles
    templates: Templates
    grid: TileGrid
    tracks: list[TileTracks]
    frames_head: np.ndarray
    rims: list[Rim]
    pixel_size_px: float

    def evidence(
        self, model: FaceModel, points: SurfacePoints, outlines: Sequence[Outline | None], options: TextureOptions
    ) -> _Evidence:
        """Return what the solver needs of it."""
        loose = np.array([options.slide_m, options.slide_m, options.bulge_m]) ** -2
        precision = np.swapaxes(self.frames_head, 1, 2) @ (loose[:, None] * self.frames_head)
        rim_px = options.rim_px * self.pixel_size_px
        rim_points = [vertex_points(model, rim.vertices) for rim in self.rims]
        return _Evidence(points, self.tracks, precision, self.rims, rim_points, rim_px, outlines)

    def sharpest(self, options: TextureOptions) -> KnownTiles:
        """Return the tiles that say most about where they are."""
        sharpness = sum((track.whitening**2).sum(axis=(1, 2)) for track in self.tracks)
        assert isinstance(sharpness, np.ndarray)
        best = np.sort(np.argsort(-sharpness)[: options.tile_count])
        best = best[sharpness[best] > 0]
        return KnownTiles(self.tiles.chosen(best), self.templates.chosen(best), self.grid, options)


def _tile_vertices(model: FaceModel, count: int, *, seed: int = 7) -> np.ndarray:
    """Return vertices of the face, ascending, spread at random."""
    skin = np.intersect1d(np.flatnonzero(model.region("face")), model.triangles)
    return np.sort(np.random.default_rng(seed).permutation(skin)[:count])


def _measured(
    model: FaceModel,
    vertices: np.ndarray,
    offsets: np.ndarray,
    bundle: Bundle,
    camera: Camera,
    finder: RimFinder,
    pictures: KeyPictures,
    options: TextureOptions,
) -> _Measured:
    """Read tiles and rims of the key frames as they stand."""
    face = model.baked(bundle.shared.identity)
    camera = replace(camera, focal_px=bundle.shared.focal_px)
    tiles = skin_tiles(face, vertices)
    moved = tiles.shifted(offsets)
    pixel_size_px = float(np.median([texture.window.pixel_size_px for texture in pictures.textures]))
    distance_m = float(np.mean([frame.translation_m[2] for frame in bundle.frames]))
    grid = tile_grid(pixel_size_px * distance_m / camera.focal_px, options.half_width_px)
    sights = [see_tiles(moved, frame, camera) for frame in bundle.frames]
    is_seen, rims = [], []
    for frame, sight, texture, picture in zip(bundle.frames, sights, pictures.textures, pictures.pictures, strict=True):
        depth = _depth_of(face, frame, camera, texture, options.half_width_px)
        plain = depth.is_plain(depth.places(sight.centers_px), _depths(moved, frame))
        is_seen.append(plain & (sight.facing > options.least_facing))
        rims.append(find_rim(finder, face, frame, camera, picture, depth))
    templates, tracks = track_key_tiles(pictures.textures, sights, np.stack(is_seen), grid, options)
    return _Measured(moved, templates, grid, tracks, sights[0].frames_head, rims, pixel_size_px)


def _depth_of(face: FaceModel, frame: FrameState, camera: Camera, texture: Texture, margin_px: int) -> DepthPicture:
    window = texture.window
    return depth_picture(
        face,
        frame,
        camera,
        size=(texture.values.shape[0], texture.values.shape[1]),
        origin_px=window.origin_px,
        pixel_size_px=window.pixel_size_px,
        margin_px=margin_px,
    )


def _depths(tiles: SkinTiles, frame: FrameState) -> np.ndarray:
    none = np.zeros(tiles.centers.identity_basis.shape[2])
    return tiles.centers.at(frame.expression, none) @ frame.rotation[2] + frame.translation_m[2]


def _linearised(
    problem: BundleProblem, evidence: _Evidence, bundle: Bundle, layout: Layout
) -> tuple[NormalEquations, np.ndarray]:
    """Return the equations with the tiles' offsets eliminated, and the best offsets (N, 3) themselves."""
    base = bundle_equations(problem, bundle, layout, evidence.outlines)
    hessian, gradient, energy = base.hessian.copy(), base.gradient.copy(), base.energy
    parts = [
        _FramePart.of(problem.camera, evidence.points, tracks, frame, bundle, layout)
        for tracks, frame in zip(evidence.tracks, bundle.frames, strict=True)
    ]
    offsets, own = _best_offsets(parts, evidence.offset_precision)
    cross = np.zeros((len(offsets), 3, len(gradient)), np.float32)
    shared = slice(layout.frame_size * len(parts), None)
    for number, (part, tracks) in enumerate(zip(parts, evidence.tracks, strict=True)):
        places = layout.places(number, len(parts))
        moved = evidence.points.chosen(part.which).shifted(offsets[part.which])
        seen = see(moved, bundle.frames[number], bundle.shared, problem.camera, layout)
        term = track_residual(
            seen, tracks.targets_px[part.which], tracks.whitening[part.which], robust_scale=TRACK_SCALE
        )
        local = accumulate([term, _rim_term(problem, evidence, bundle, number, layout)], layout.size)
        hessian[np.ix_(places, places)] += local.hessian
        gradient[places] += local.gradient
        energy += local.energy
        mixed = part.leverage(offsets) @ term.jacobian.reshape(len(part.which), 2, -1)
        start = number * layout.frame_size
        cross[part.which, :, start : start + layout.frame_size] = mixed[..., : layout.frame_size]
        cross[part.which, :, shared] += mixed[..., layout.frame_size :]
    energy += float(np.einsum("ni,nij,nj->", offsets, evidence.offset_precision, offsets))
    half = (np.linalg.inv(np.linalg.cholesky(own)).astype(np.float32) @ cross).reshape(-1, len(gradient))
    # The offsets are at their best, so that their own gradient is zero and nothing is taken from the others'.
    return NormalEquations(hessian - half.T @ half, gradient, energy), offsets


@dataclass(frozen=True)
class _FramePart:
    """One frame's tracked tiles, as their offsets see them.

    Attributes:
        which: (M,) their numbers among all tiles.
        values: (M, 2) whitened distances from the tracks, without offsets.
        by_offset: (M, 2, 3) derivatives by the tile's offset.
    """

    which: np.ndarray
    values: np.ndarray
    by_offset: np.ndarray

    @classmethod
    def of(
        cls,
        camera: Camera,
        points: SurfacePoints,
        tracks: TileTracks,
        frame: FrameState,
        bundle: Bundle,
        layout: Layout,
    ) -> _FramePart:
        """Evaluate a frame."""
        which = np.flatnonzero(tracks.is_found)
        whitening = tracks.whitening[which]
        seen = see(points.chosen(which), frame, bundle.shared, camera, layout)
        away = seen.points_px - tracks.targets_px[which]
        by_offset = whitening @ (project_jacobian(seen.points_camera, seen.camera) @ frame.rotation)
        return cls(which, (whitening @ away[..., None])[..., 0], by_offset)

    def values_at(self, offsets: np.ndarray) -> np.ndarray:
        """Return (M, 2) whitened distances under offsets (N, 3) of all tiles."""
        return self.values + (self.by_offset @ offsets[self.which, :, None])[..., 0]

    def leverage(self, offsets: np.ndarray) -> np.ndarray:
        """Return (M, 3, 2): how errors pull at the offsets, those far out less."""
        weights = 1 / np.sqrt(1 + (self.values_at(offsets) ** 2).sum(axis=1) / TRACK_SCALE**2)
        return np.swapaxes(self.by_offset * weights[:, None, None], 1, 2)


def _best_offsets(parts: Sequence[_FramePart], precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets (N, 3) of least robust energy, and their own part of its hessian (N, 3, 3)."""
    offsets, own = np.zeros((len(precision), 3)), precision
    for _ in range(1 + REWEIGHTINGS):
        own, pull = precision.copy(), np.zeros_like(offsets)
        for part in parts:
            leverage = part.leverage(offsets)
            own[part.which] += leverage @ part.by_offset
            pull[part.which] += (leverage @ part.values[..., None])[..., 0]
        offsets = -np.linalg.solve(own, pull[..., None])[..., 0]
    return offsets, own


def _rim_term(problem: BundleProblem, evidence: _Evidence, bundle: Bundle, number: int, layout: Layout) -> Residual:
    """Return how far a frame's rim is from the picture's edges."""
    rim = evidence.rims[number]
    seen = see(evidence.rim_points[number], bundle.frames[number], bundle.shared, problem.camera, layout)
    sigma = np.full(len(rim.vertices), evidence.rim_px)
    return contour_residual(seen, rim.targets_px, rim.across, sigma, robust_scale=RIM_SCALE)
