"""Fits many frames at once, each from its points alone: the counterpart of `dvp_core.tracking.frames`.

On the CPU a frame starts where the one before it ended and resembles it weakly. Here all frames of a batch move at the
same time; each resembles the one before it as that stood when the stage began, so the energy is the same and, stage
by stage, so is its minimum. Only the first frame of a batch knows the final state of the frame before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvp_core.data.camera import Camera
from dvp_core.tracking.batched.evidence import DetectedPoints, RidingRig, riding_rig
from dvp_core.tracking.batched.harmonics import Harmonics, harmonics
from dvp_core.tracking.batched.light import LitPoints, Relighting, lit_points
from dvp_core.tracking.batched.pattern import Textures, Tiles, tiles_of, track_residual
from dvp_core.tracking.batched.photometric import Looks, photometric_residual
from dvp_core.tracking.batched.pictures import Pictures
from dvp_core.tracking.batched.priors import UsualMotion, expression_prior, temporal_residual
from dvp_core.tracking.batched.skin import Skin, skin_of
from dvp_core.tracking.batched.solver import NormalEquations, Solutions, accumulate, minimise
from dvp_core.tracking.batched.states import FrameStates, Range, after_the_frame_before, chosen, moved, step_box
from dvp_core.tracking.batched.surface import see
from dvp_core.tracking.frames import FrameProblem
from dvp_core.tracking.solver import SolverOptions


@dataclass(frozen=True)
class BatchStage:
    """One pass over a batch of frames.

    Attributes:
        name: For people.
        is_following: Whether a frame resembles the one before it.
        has_photometric: Whether colours count.
        max_steps: Of the solver.
        has_pattern: Whether the skin's pattern counts.
    """

    name: str
    is_following: bool
    has_photometric: bool
    max_steps: int
    has_pattern: bool = False


BATCH_STAGES = (
    BatchStage("points alone", is_following=False, has_photometric=False, max_steps=6),
    BatchStage("points", is_following=True, has_photometric=False, max_steps=3),
    BatchStage("points and colours", is_following=True, has_photometric=True, max_steps=4),
)
PATTERN_STAGES = (
    *BATCH_STAGES[:2],
    BatchStage("points and pattern", is_following=True, has_photometric=False, max_steps=3, has_pattern=True),
    BatchStage("points and pattern again", is_following=True, has_photometric=False, max_steps=3, has_pattern=True),
)


@dataclass(frozen=True)
class BatchProblem:
    """`FrameProblem` on a device.

    Attributes:
        rig: The person's points.
        camera: The plate's camera.
        first_rows: (2, 51), turns inner points (51, 2) into the affine camera of `first_pose`, transposed.
        first_center: (3,) middle of the inner points.
        expression_mean: (E,) middle of the expressions' prior.
        expression_sigma: (E,).
        motion: Usual motion between neighbouring frames.
        within: Between which values expressions may lie.
        skin: None leaves colours out.
        tiles: None leaves the skin's pattern out.
        forms: The harmonics.
        fresh_light: (9, 3) expected at the start of a shot.
    """

    rig: RidingRig
    camera: Camera
    first_rows: torch.Tensor
    first_center: torch.Tensor
    expression_mean: torch.Tensor
    expression_sigma: torch.Tensor
    motion: UsualMotion
    within: Range
    skin: Skin | None
    tiles: Tiles | None
    forms: Harmonics
    fresh_light: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """B frames as they come.

    Attributes:
        points: Detected points.
        pictures: The plates around the heads; None: points alone.
        textures: Their patterns, None where they are not used.
        follows: (B,) bool, whether the plate's frame before was seen in the same shot.
        begins: (B,) bool, whether the light is that of a new shot.
        before: The frame before the first one.
        light_before: (9, 3) of the frame before the first one.
    """

    points: DetectedPoints
    pictures: Pictures | None
    textures: Textures | None
    follows: torch.Tensor
    begins: torch.Tensor
    before: FrameStates | None
    light_before: torch.Tensor


@dataclass(frozen=True)
class FittedBatch:
    """Results: states, lights (B, 9, 3), errors as in a take (B,), deviations (B, 6 + E) in float64."""

    states: FrameStates
    lights: torch.Tensor
    landmark_error_px: torch.Tensor
    photometric_error: torch.Tensor
    sigma: torch.Tensor


def batch_problem(
    problem: FrameProblem, fresh_light: torch.Tensor, device: torch.device, dtype: torch.dtype
) -> BatchProblem:
    """Return a problem on a device.

    Args:
        problem: The problem.
        fresh_light: (9, 3), the person's mean light.
        device: Where to.
        dtype: Of the arithmetic.
    """
    inner = torch.as_tensor(problem.rig.ibug.neutral[17:68], dtype=torch.float64)
    center = inner.mean(dim=0)
    sigma = torch.as_tensor(problem.expression_sigma, dtype=dtype, device=device)
    usual, within = problem.motion, problem.expression_range

    def placed(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.array(values), dtype=dtype, device=device)

    return BatchProblem(
        riding_rig(problem.rig, device, dtype),
        problem.camera,
        torch.linalg.pinv(inner - center).to(device, dtype),
        center.to(device, dtype),
        placed(within.likely_middle(len(problem.expression_sigma), problem.expression_push)),
        sigma,
        UsualMotion(
            usual.rotation_rad,
            usual.translation_m,
            torch.as_tensor(usual.expression, dtype=dtype, device=device),
        ),
        Range(*(placed(np.broadcast_to(side, len(sigma))) for side in (within.lower, within.upper))),
        skin_of(problem, device, dtype),
        tiles_of(problem.known, device, dtype),
        harmonics(device, dtype),
        fresh_light.to(device, dtype),
    )


def fit_batch(problem: BatchProblem, batch: Batch) -> FittedBatch:
    """Return a batch of frames fitted to their points and pictures."""
    states = first_poses(problem, batch.points)
    relighting = _relighting(problem, batch)
    equations: NormalEquations | None = None
    first_map = expected_light = None
    has_pattern = problem.tiles is not None and batch.textures is not None
    for stage in PATTERN_STAGES if has_pattern else BATCH_STAGES:
        looks = None
        if stage.has_photometric:
            if batch.pictures is None or problem.skin is None:
                continue
            # Light may have changed since the last frame; what it lacks would pass for motion.
            lit = _lit(problem, problem.skin, batch.pictures, states)
            first_map, expected_light = relighting.first_maps(lit)
            looks = problem.skin.looks(states, first_map.of(expected_light), problem.camera)
        solution = _fit_stage(problem, batch, stage, states, looks)
        states, equations = solution.states, solution.equations
    assert equations is not None
    lights, photometric_error = relighting.unseen(), torch.zeros_like(equations.energy)
    if batch.pictures is not None and problem.skin is not None:
        lit = _lit(problem, problem.skin, batch.pictures, states)
        if first_map is not None and expected_light is not None:
            lights = relighting.lights(lit, first_map, expected_light)
        else:
            lights = relighting.lights_at_once(lit)
        photometric_error = lit.mean_missing(lights)
    error_px = problem.rig.errors_px(batch.points, states, problem.camera)
    return FittedBatch(states, lights, error_px, photometric_error, _deviations(equations))


def first_poses(problem: BatchProblem, points: DetectedPoints) -> FrameStates:
    """Return the frames from their inner points alone; see `dvp_core.tracking.first_pose`."""
    inner_px = points.ibug_px[:, 17:68]
    middle_px = inner_px.mean(dim=1)
    affine = problem.first_rows @ (inner_px - middle_px[:, None])
    scale_px_per_m = torch.linalg.vector_norm(affine, dim=1).prod(dim=1).sqrt()
    right = torch.nn.functional.normalize(affine[..., 0], dim=1)
    along = (affine[..., 1] * right).sum(dim=1, keepdim=True)
    down = torch.nn.functional.normalize(affine[..., 1] - right * along, dim=1)
    rotation = torch.stack([right, down, torch.linalg.cross(right, down)], dim=1)
    depth_m = problem.camera.focal_px / scale_px_per_m
    slope = depth_m / problem.camera.focal_px
    x, y = ((middle_px[:, axis] - problem.camera.principal_px[axis]) * slope for axis in range(2))
    translation_m = torch.stack([x, y, depth_m], dim=1) - rotation @ problem.first_center
    expression = problem.expression_sigma.new_zeros(len(rotation), len(problem.expression_sigma))
    return FrameStates(rotation, translation_m, expression)


def _fit_stage(
    problem: BatchProblem, batch: Batch, stage: BatchStage, start: FrameStates, looks: Looks | None
) -> Solutions[FrameStates]:
    outlines = problem.rig.outlines(batch.points, start, problem.camera)
    expected = after_the_frame_before(start, batch.before)
    tracks = None
    if stage.has_pattern and problem.tiles is not None and batch.textures is not None:
        tracks = problem.tiles.find(batch.textures, start, problem.camera)

    def linearise(states: FrameStates) -> NormalEquations:
        terms = problem.rig.terms(batch.points, states, problem.camera, outlines)
        terms.append(expression_prior(states, mean=problem.expression_mean, sigma=problem.expression_sigma))
        if stage.is_following:
            terms.append(temporal_residual(states, expected, batch.follows, problem.motion))
        if looks is not None and problem.skin is not None and batch.pictures is not None:
            seen = see(problem.skin.points, states, problem.camera)
            terms.append(photometric_residual(seen, looks, batch.pictures, problem.forms))
        if tracks is not None and problem.tiles is not None:
            terms.append(track_residual(see(problem.tiles.centers, states, problem.camera), tracks))
        return accumulate(terms)

    options = SolverOptions(max_steps=stage.max_steps, least_gain=1e-3)
    return minimise(
        start,
        linearise=linearise,
        retract=lambda states, step: moved(states, step, problem.within),
        box=lambda states: step_box(states, problem.within),
        choose=chosen,
        options=options,
    )


def _relighting(problem: BatchProblem, batch: Batch) -> Relighting:
    return Relighting(batch.light_before, problem.fresh_light, batch.begins)


def _lit(problem: BatchProblem, skin: Skin, pictures: Pictures, states: FrameStates) -> LitPoints:
    """Return what is seen of the skin in each frame as it stands."""
    looks = skin.looks(states, problem.fresh_light.expand(len(states.rotation), 9, 3), problem.camera)
    colours, _ = pictures.sample(see(skin.points, states, problem.camera).points_px)
    basis = problem.forms.basis(looks.normals_head @ states.rotation.transpose(1, 2))
    return lit_points(colours, skin.reflectance, basis, looks.precision > 0)


def _deviations(equations: NormalEquations) -> torch.Tensor:
    """Return (B, 6 + E) float64 deviations of the states' numbers from the curvature of the energy."""
    hessian = equations.hessian.double()
    scale = hessian.diagonal(dim1=1, dim2=2).rsqrt()
    inverse, _ = torch.linalg.inv_ex(hessian * scale[:, :, None] * scale[:, None])
    return scale * inverse.diagonal(dim1=1, dim2=2).sqrt()
