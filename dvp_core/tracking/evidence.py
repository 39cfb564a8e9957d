"""What a detector says about one frame, and the terms that hold the model to it.

`Rig` is the model as the tracker uses it: its 68 points, further points of a dense detector once they are calibrated,
and how far each is to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.landmark_definitions import JAW_68, LID_PAIRS_68, LIP_PAIRS_68
from dvp_core.tracking.detector import CalibratedDetector
from dvp_core.tracking.options import LandmarkOptions
from dvp_core.tracking.outline import Outline, OutlineFinder
from dvp_core.tracking.solver import Residual
from dvp_core.tracking.states import FrameState, Layout, SharedState
from dvp_core.tracking.surface import SurfacePoints, see
from dvp_core.tracking.terms.contour import contour_residual
from dvp_core.tracking.terms.detector import detector_residual, metres_upright
from dvp_core.tracking.terms.landmarks import landmark_residual
from dvp_core.tracking.terms.openings import opening_residual

OPENING_PAIRS = np.concatenate([LID_PAIRS_68, LIP_PAIRS_68])
_IN_TURN = np.arange(OPENING_PAIRS.size).reshape(-1, 2)


@dataclass(frozen=True)
class FramePoints:
    """Detected points of one frame in plate pixels.

    Attributes:
        ibug_px: (68, 2).
        dense_px: (D, 2), further points of a dense detector; D may be zero.
        eye_distance_px: Distance of the outer eye corners over the clip: the unit of the detector's errors.
        confidence: (68,) 0..1.
        detector_px: (N, 2) all points of the detector, for one that was calibrated on the model.
        detector_confidence: (N,) 0..1 of these; None: all are sure.
    """

    ibug_px: np.ndarray
    dense_px: np.ndarray
    eye_distance_px: float
    confidence: np.ndarray
    detector_px: np.ndarray | None = None
    detector_confidence: np.ndarray | None = None

    def confidence_of(self, numbers: np.ndarray) -> np.ndarray | None:
        """Return how sure the detector is of points of these numbers, None for wholly."""
        return None if self.detector_confidence is None else self.detector_confidence[numbers]


@dataclass(frozen=True)
class Rig:
    """Model points that answer a detector's.

    Attributes:
        ibug: 68 points, moved by the calibrated offsets.
        ibug_factors: (68,) expected errors over that of a well-defined point; infinite for the sliding outline.
        dense: D points.
        dense_factors: (D,).
        outline: Finds the present outline; None where the outline's points are not used.
        options: Expected errors.
        detector: Points calibrated beforehand; where there are such, they stand for all others.
    """

    ibug: SurfacePoints
    ibug_factors: np.ndarray
    dense: SurfacePoints
    dense_factors: np.ndarray
    outline: OutlineFinder | None
    options: LandmarkOptions
    detector: CalibratedDetector | None = None

    @cached_property
    def opening_points(self) -> SurfacePoints:
        """(2 M) of the 68 points: those of the pairs that stand apart, upper and lower in turn."""
        return self.ibug.chosen(OPENING_PAIRS.ravel())


def first_factors(options: LandmarkOptions) -> np.ndarray:
    """Return (68,) factors of expected error before anything is known of the clip."""
    factors = np.ones(68)
    factors[JAW_68] = np.inf
    factors[17:27] = options.brow_factor
    return factors


def point_terms(
    rig: Rig,
    points: FramePoints,
    state: FrameState,
    shared: SharedState,
    camera: Camera,
    layout: Layout,
    outline: Outline | None,
) -> list[Residual]:
    """Return the residuals of all detected points of a frame.

    Args:
        rig: The model's points.
        points: The detector's.
        state: Where the head is thought to be.
        shared: Identity and focal length.
        camera: Camera of the plate.
        layout: Places in the step.
        outline: The outline as it stood when this stage began; None leaves it out.
    """
    unit_px = rig.options.sigma * points.eye_distance_px
    doubt = 1 / np.sqrt(np.maximum(points.confidence, 1e-3))
    opening_px = unit_px * rig.options.opening_factor * doubt[OPENING_PAIRS].max(axis=1)
    seen = see(rig.opening_points, state, shared, camera, layout)
    openings = opening_residual(seen, _IN_TURN, points.ibug_px[OPENING_PAIRS.ravel()], opening_px)
    if rig.detector is not None and points.detector_px is not None:
        whitening = rig.detector.whitening_of(points.confidence_of(rig.detector.numbers))
        wanted = points.detector_px[rig.detector.numbers]
        return [_calibrated_term(rig.detector, wanted, whitening, state, shared, camera, layout), openings]
    sigma_px = unit_px * rig.ibug_factors * doubt
    seen = see(rig.ibug, state, shared, camera, layout)
    terms = [landmark_residual(seen, points.ibug_px, sigma_px), openings]
    if len(rig.dense_factors):
        seen_dense = see(rig.dense, state, shared, camera, layout)
        terms.append(landmark_residual(seen_dense, points.dense_px, unit_px * rig.dense_factors))
    if outline is not None:
        seen_outline = see(outline.points, state, shared, camera, layout)
        outline_px = unit_px * rig.options.jaw_factor * doubt[JAW_68]
        terms.append(contour_residual(seen_outline, points.ibug_px[JAW_68], outline.across, outline_px))
    return terms


def _calibrated_term(
    detector: CalibratedDetector,
    wanted_px: np.ndarray,
    whitening: np.ndarray,
    state: FrameState,
    shared: SharedState,
    camera: Camera,
    layout: Layout,
) -> Residual:
    placed = detector.seen_from(state.rotation, state.translation_m)
    seen = see(placed, state, shared, camera, layout)
    # Held while differentiating: over a step the head's distance and tilt in the picture hardly change.
    upright = metres_upright(state.rotation, float(seen.points_camera[:, 2].mean()), shared.focal_px)
    return detector_residual(seen, wanted_px, whitening, upright)
