"""Fits what all frames share - identity and focal length - together with the key frames' poses and expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.tracking.evidence import FramePoints, Rig, point_terms
from dvp_core.tracking.options import PriorOptions
from dvp_core.tracking.outline import Outline
from dvp_core.tracking.solver import NormalEquations, SolverOptions, StepBox, accumulate, minimise
from dvp_core.tracking.stages import BundleStage
from dvp_core.tracking.states import (
    ExpressionRange,
    FrameState,
    Layout,
    SharedState,
    frame_box,
    moved_frame,
    moved_shared,
)
from dvp_core.tracking.terms.prior import expression_prior, focal_prior, identity_prior


@dataclass(frozen=True)
class Bundle:
    """Key frames and what they share."""

    frames: tuple[FrameState, ...]
    shared: SharedState


@dataclass(frozen=True)
class BundleProblem:
    """What stays fixed while a bundle is fitted.

    Attributes:
        rig: The model's points.
        points: Detected points of each key frame.
        camera: The plate's camera; its focal length is only the usual one.
        usual_focal_px: Centre of the focal length's prior.
        expression_sigma: (E,) spread of expressions.
        priors: Spreads of the rest.
        expression_range: Between which values expressions may lie.
    """

    rig: Rig
    points: Sequence[FramePoints]
    camera: Camera
    usual_focal_px: float
    expression_sigma: np.ndarray
    priors: PriorOptions
    expression_range: ExpressionRange


def fit_bundle(problem: BundleProblem, bundle: Bundle, stage: BundleStage) -> Bundle:
    """Return the bundle after one stage."""
    layout = Layout(len(problem.expression_sigma), len(bundle.shared.identity), stage.has_focal)
    outlines = bundle_outlines(problem, bundle) if stage.has_outline else [None] * len(bundle.frames)
    solution = minimise(
        bundle,
        linearise=lambda state: bundle_equations(problem, state, layout, outlines),
        retract=moved_bundle(problem, layout),
        box=lambda state: bundle_box(problem, state, layout),
        options=SolverOptions(max_steps=stage.max_steps),
    )
    return solution.state


def bundle_outlines(problem: BundleProblem, bundle: Bundle) -> list[Outline | None]:
    """Return every key frame's outline as it stands, where outlines are used."""
    finder = problem.rig.outline
    if finder is None:
        return [None] * len(bundle.frames)
    pairs = zip(problem.points, bundle.frames, strict=True)
    return [finder.find(points.ibug_px[:17], frame, bundle.shared, problem.camera) for points, frame in pairs]


def bundle_equations(
    problem: BundleProblem, bundle: Bundle, layout: Layout, outlines: Sequence[Outline | None]
) -> NormalEquations:
    """Return the frames' equations in one system: all frames' numbers first, then the shared ones."""
    frame_size, frame_count = layout.frame_size, len(bundle.frames)
    size = frame_size * frame_count + layout.size - frame_size
    hessian, gradient, energy = np.zeros((size, size)), np.zeros(size), 0.0
    shared = np.arange(frame_size * frame_count, size)
    mean = problem.expression_range.likely_middle(layout.expression_count, problem.priors.expression_push)
    for number, (frame, points, outline) in enumerate(zip(bundle.frames, problem.points, outlines, strict=True)):
        terms = point_terms(problem.rig, points, frame, bundle.shared, problem.camera, layout, outline)
        terms.append(expression_prior(frame, layout, mean=mean, sigma=problem.expression_sigma))
        local = accumulate(terms, layout.size)
        places = layout.places(number, frame_count)
        hessian[np.ix_(places, places)] += local.hessian
        gradient[places] += local.gradient
        energy += local.energy
    once = [identity_prior(bundle.shared, layout, sigma=problem.priors.identity_sigma)]
    if layout.has_focal:
        once.append(
            focal_prior(bundle.shared, layout, usual_px=problem.usual_focal_px, sigma=problem.priors.focal_sigma)
        )
    priors = accumulate(once, layout.size)
    hessian[np.ix_(shared, shared)] += priors.hessian[frame_size:, frame_size:]
    gradient[shared] += priors.gradient[frame_size:]
    return NormalEquations(hessian, gradient, energy + priors.energy)


def moved_bundle(problem: BundleProblem, layout: Layout) -> Callable[[Bundle, np.ndarray], Bundle]:
    """Return what moves a bundle by a step."""

    def retract(bundle: Bundle, step: np.ndarray) -> Bundle:
        end = layout.frame_size * len(bundle.frames)
        steps = step[:end].reshape(len(bundle.frames), -1)
        within = problem.expression_range
        frames = tuple(moved_frame(frame, part, within) for frame, part in zip(bundle.frames, steps, strict=True))
        return Bundle(frames, moved_shared(bundle.shared, step[end:]))

    return retract


def bundle_box(problem: BundleProblem, bundle: Bundle, layout: Layout) -> StepBox:
    """Return the steps that keep every frame's expressions in their range."""
    boxes = [frame_box(frame, problem.expression_range) for frame in bundle.frames]
    free = np.full(layout.size - layout.frame_size, np.inf)
    return StepBox(
        np.concatenate([*(box.lower for box in boxes), -free]), np.concatenate([*(box.upper for box in boxes), free])
    )
