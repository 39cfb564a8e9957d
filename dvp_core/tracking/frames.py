"""Fits one frame after the other: pose and expression, then light, each from where the last frame ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.maths.spherical_harmonics import shade
from dvp_core.tracking.appearance import PersonAppearance, SkinPatch
from dvp_core.tracking.evidence import FramePoints, Rig, point_terms
from dvp_core.tracking.first_pose import first_pose
from dvp_core.tracking.light import estimated_light
from dvp_core.tracking.options import PhotometricOptions, TextureOptions
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.skin_bundle import KnownTiles
from dvp_core.tracking.solver import EnergyModel, LateEquations, Residual, Solution, SolverOptions, minimise
from dvp_core.tracking.stages import FRAME_STAGES, TEXTURE_STAGES, FrameStage
from dvp_core.tracking.states import ExpressionRange, FrameState, Layout, SharedState, frame_box, moved_frame
from dvp_core.tracking.surface import SurfacePoints, see
from dvp_core.tracking.terms.photometric import Appearance, photometric_residual
from dvp_core.tracking.terms.prior import expression_prior
from dvp_core.tracking.terms.temporal import Motion, temporal_residual
from dvp_core.tracking.terms.tracks import track_residual
from dvp_core.tracking.texture import Texture
from dvp_core.tracking.tile_tracks import track_tiles
from dvp_core.tracking.tiles import see_tiles

LOST = 0.25  # of the eye distance: points further off than this start a frame afresh
LIGHT_STIFFNESS = 1.0
LEAST_FACING = 0.2  # cosine; skin that is turned away further does not count


@dataclass(frozen=True)
class FrameProblem:
    """What stays fixed while a clip's frames are fitted.

    Attributes:
        face: The person's face, without identity modes.
        rig: The person's points (identity applied).
        camera: The plate's camera with its final focal length.
        expression_sigma: (E,).
        expression_push: How far below zero the named expressions' prior has its middle.
        expression_range: Between which values expressions may lie.
        motion: Usual motion between neighbouring frames.
        person: Reflectance; None tracks by points alone.
        patch: Vertices whose colours are compared.
        skin: The same vertices as surface points.
        photometric: Options of the colour term.
        known: Tiles of skin whose pattern is followed; None goes by points and colours.
    """

    face: FaceModel
    rig: Rig
    camera: Camera
    expression_sigma: np.ndarray
    expression_push: float
    expression_range: ExpressionRange
    motion: Motion
    person: PersonAppearance | None
    patch: SkinPatch | None
    skin: SurfacePoints | None
    photometric: PhotometricOptions | None
    known: KnownTiles | None = None

    @property
    def texture(self) -> TextureOptions | None:
        """How the skin's pattern is read, None where it is not used."""
        return None if self.known is None else self.known.options


@dataclass(frozen=True)
class FramePictures:
    """The plate around the head: its colours, and its pattern where that is used."""

    colours: Picture
    texture: Texture | None


@dataclass(frozen=True)
class FittedFrame:
    """One frame's result: state, light (9, 3), errors as in a take, and deviations (6 + E) of the state's numbers."""

    state: FrameState
    illumination_sh: np.ndarray
    landmark_error_px: float
    photometric_error: float
    sigma: np.ndarray


def fit_frame(
    problem: FrameProblem,
    points: FramePoints,
    pictures: FramePictures | None,
    *,
    before: FrameState | None,
    light: np.ndarray,
    start: FrameState | None = None,
) -> FittedFrame:
    """Return one frame fitted to its points and picture.

    Args:
        problem: What stays fixed.
        points: Detected points.
        pictures: The plate around the head; None: points alone.
        before: The frame before, or None at the start and after a gap.
        light: (9, 3) expected light.
        start: Where to begin, where that is not the frame before.
    """
    layout = Layout(len(problem.expression_sigma))
    state = _start(problem, points, start or before, layout)
    equations: EnergyModel | None = None
    picture = pictures.colours if pictures is not None and problem.patch is not None else None
    texture = pictures.texture if pictures is not None and problem.known is not None else None
    for stage in FRAME_STAGES if texture is None else TEXTURE_STAGES:
        if stage.has_photometric and picture is None:
            continue
        if stage.has_photometric and picture is not None:
            # Light may have changed since the last frame; what it lacks would pass for motion.
            light, _ = _relit(problem, picture, state, light, layout)
        evidence = _FrameEvidence(points, picture, texture, before, light)
        solution = _fit_stage(problem, evidence, stage, state, layout)
        state, equations = solution.state, solution.equations
    photometric_error = 0.0
    if picture is not None:
        light, photometric_error = _relit(problem, picture, state, light, layout)
    assert equations is not None
    sigma = np.sqrt(np.diagonal(np.linalg.inv(equations.hessian)))
    return FittedFrame(state, light, landmark_error_px(problem, points, state), photometric_error, sigma)


def landmark_error_px(problem: FrameProblem, points: FramePoints, state: FrameState) -> float:
    """Return the root mean square distance of the detected points from the model's, plate pixels.

    These are the points of a calibrated detector, each as far as it is sure of them, else iBUG's 51 inner ones.
    """
    layout = Layout(len(problem.expression_sigma))
    detector = problem.rig.detector
    if detector is not None and points.detector_px is not None:
        placed = detector.seen_from(state.rotation, state.translation_m)
        away = see(placed, state, _shared(problem), problem.camera, layout).points_px
        squares = ((away - points.detector_px[detector.numbers]) ** 2).sum(axis=1)
        sure = points.confidence_of(detector.numbers)
        return float(np.sqrt(squares.mean() if sure is None else squares @ sure / max(float(sure.sum()), 1e-6)))
    seen = see(problem.rig.ibug, state, _shared(problem), problem.camera, layout)
    missing = (seen.points_px - points.ibug_px)[17:]
    return float(np.sqrt((missing**2).sum(axis=1).mean()))


def _shared(problem: FrameProblem) -> SharedState:
    return SharedState(np.zeros(0), problem.camera.focal_px)


def _start(problem: FrameProblem, points: FramePoints, before: FrameState | None, layout: Layout) -> FrameState:
    """Return the frame before where it still fits roughly, else a first pose from the points."""
    if before is not None and landmark_error_px(problem, points, before) < LOST * points.eye_distance_px:
        return before
    inner = slice(17, 68)
    return first_pose(problem.rig.ibug.neutral[inner], points.ibug_px[inner], problem.camera, layout.expression_count)


@dataclass(frozen=True)
class _FrameEvidence:
    """What one frame shows, and what stood before it."""

    points: FramePoints
    picture: Picture | None
    texture: Texture | None
    before: FrameState | None
    light: np.ndarray


def _fit_stage(
    problem: FrameProblem, evidence: _FrameEvidence, stage: FrameStage, start: FrameState, layout: Layout
) -> Solution[FrameState]:
    """Return the state after a stage, and its evidence there."""
    finder = problem.rig.outline
    shared, points, before = _shared(problem), evidence.points, evidence.before
    outline = None if finder is None else finder.find(points.ibug_px[:17], start, shared, problem.camera)
    look = _appearance(problem, start, evidence.light, layout) if stage.has_photometric else None
    pattern = _pattern(problem, evidence.texture, start) if stage.has_texture else None
    within = problem.expression_range
    mean = within.likely_middle(layout.expression_count, problem.expression_push)

    def linearise(state: FrameState) -> LateEquations:
        terms = point_terms(problem.rig, points, state, shared, problem.camera, layout, outline)
        terms.append(expression_prior(state, layout, mean=mean, sigma=problem.expression_sigma))
        if before is not None:
            terms.append(temporal_residual(state, before, layout, problem.motion))
        if look is not None and evidence.picture is not None:
            terms.append(_photometric(problem, look, evidence.picture, state, layout))
        if pattern is not None:
            seen = see(pattern.points, state, shared, problem.camera, layout)
            terms.append(track_residual(seen, pattern.targets_px, pattern.whitening))
        return LateEquations(terms, layout.size)

    return minimise(
        start,
        linearise=linearise,
        retract=lambda state, step: moved_frame(state, step, within),
        box=lambda state: frame_box(state, within),
        options=SolverOptions(max_steps=stage.max_steps, least_gain=1e-3),
    )


@dataclass(frozen=True)
class _Pattern:
    """The N tiles that a frame shows, and where; see `TileTracks`."""

    points: SurfacePoints
    targets_px: np.ndarray
    whitening: np.ndarray


def _pattern(problem: FrameProblem, texture: Texture | None, state: FrameState) -> _Pattern | None:
    """Return where the frame shows the known tiles, looked for from where a state puts them."""
    known = problem.known
    if known is None or texture is None:
        return None
    sights = see_tiles(known.tiles, state, problem.camera)
    tracks = track_tiles(known.templates, texture, sights, known.grid, known.options)
    found = np.flatnonzero(tracks.is_found)
    return _Pattern(known.tiles.centers.chosen(found), tracks.targets_px[found], tracks.whitening[found])


def _appearance(problem: FrameProblem, state: FrameState, light: np.ndarray, layout: Layout) -> Appearance:
    """Return how the compared vertices look, those turned away switched off."""
    assert problem.patch is not None
    assert problem.person is not None
    assert problem.photometric is not None
    assert problem.skin is not None
    normals = problem.patch.normals_head(state.expression)
    seen = see(problem.skin, state, _shared(problem), problem.camera, layout)
    turned = normals @ state.rotation.T
    facing = -(turned * seen.points_camera).sum(axis=1) / np.linalg.norm(seen.points_camera, axis=1)
    options = problem.photometric
    spread = problem.person.spread[problem.patch.vertices]
    sigma = np.sqrt(options.sigma**2 + spread**2) / np.sqrt(options.weight)
    sigma = np.where(facing > LEAST_FACING, sigma / np.sqrt(np.maximum(facing, LEAST_FACING)), np.inf)
    return Appearance(problem.person.reflectance[problem.patch.vertices], normals, light, sigma)


def _photometric(
    problem: FrameProblem, look: Appearance, picture: Picture, state: FrameState, layout: Layout
) -> Residual:
    assert problem.skin is not None
    is_used = np.isfinite(look.sigma)
    seen = see(problem.skin.chosen(is_used), state, _shared(problem), problem.camera, layout)
    used = Appearance(look.reflectance[is_used], look.normals_head[is_used], look.illumination_sh, look.sigma[is_used])
    return photometric_residual(seen, used, picture)


def _relit(
    problem: FrameProblem, picture: Picture, state: FrameState, light: np.ndarray, layout: Layout
) -> tuple[np.ndarray, float]:
    """Return the frame's light, held near the expected one, and the mean RGB distance that is left (linear)."""
    assert problem.skin is not None
    look = _appearance(problem, state, light, layout)
    seen = see(problem.skin, state, _shared(problem), problem.camera, layout)
    colours, _ = picture.sample(seen.points_px)
    used = np.isfinite(look.sigma)
    if not used.any():
        return light, 0.0
    normals = look.normals_head[used] @ state.rotation.T
    reflectance = look.reflectance[used]
    new_light = estimated_light(
        colours[used],
        reflectance,
        normals,
        np.ones(int(used.sum())),
        expected=light,
        stiffness=LIGHT_STIFFNESS,
    )
    missing = colours[used] - reflectance * shade(normals, new_light)
    return new_light, float(np.linalg.norm(missing, axis=1).mean())
