"""The few hundred ways in which a head's points can move in a picture, however it is seen.

Errors of a detector's points along ways in which no head moves them change no fit, so nothing needs to be known of
them frame by frame: half of the arithmetic of the dearest term falls away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, product

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.tracking.detector import CalibratedDetector
from dvp_core.tracking.states import FrameState, Layout, SharedState
from dvp_core.tracking.surface import see
from dvp_core.tracking.terms.detector import metres_upright
from dvp_core.tracking.terms.temporal import Motion

LOST = 0.1  # information, over all numbers of a frame; what is known of one of them without any point is one
YAWS_DEG, PITCHES_DEG, DISTANCES_M = (-70, -45, -20, 0, 20, 45, 70), (-30, 0, 30), (0.35, 0.7, 2.0)
ASIDE = ((0.0, 0.0), (0.3, 0.2), (-0.3, 0.2), (0.3, -0.2), (-0.3, -0.2))  # of the picture, as tangents
USUAL_EXPRESSION = 0.1


def condensed(
    detector: CalibratedDetector, camera: Camera, motion: Motion, expression_sigma: np.ndarray
) -> CalibratedDetector:
    """Return a person's detector that knows about its points' ways alone; see `CalibratedDetector.ways_m`.

    Args:
        detector: Without identity modes.
        camera: The plate's.
        motion: Spread of pose, and
        expression_sigma: (E,) of expressions: what is far smaller than these need not be told apart.
    """
    lower = np.linalg.cholesky(detector.covariance_m2)
    unlike = np.linalg.inv(lower).astype(np.float32)
    spread = np.concatenate([np.full(3, motion.rotation_rad), np.full(3, motion.translation_m), expression_sigma])
    views = list(_views(len(expression_sigma)))
    moved = np.concatenate([unlike @ _metres_by_step(detector, view, camera, spread) for view in views], axis=1)
    size, axes = np.linalg.eigh((moved @ moved.T).astype(np.float64) / len(views))
    count = int((np.cumsum(np.maximum(size, 0.0)) > LOST).sum())
    return replace(detector, ways_m=lower @ axes[:, len(axes) - count :])


def _views(expression_count: int) -> Iterator[FrameState]:
    """Yield heads turned to all sides, near and far, in the middle of the picture and aside."""
    asides = cycle(ASIDE)
    for yaw, pitch, distance_m in product(YAWS_DEG, PITCHES_DEG, DISTANCES_M):
        turn = rotation_from_yaw_pitch_roll(*np.radians([yaw, pitch, 0]))
        place = distance_m * np.array([*next(asides), 1.0])
        yield FrameState(OPENGL_CAMERA_FROM_CAMERA @ turn, place, np.full(expression_count, USUAL_EXPRESSION))


def _metres_by_step(detector: CalibratedDetector, view: FrameState, camera: Camera, spread: np.ndarray) -> np.ndarray:
    """Return (2 D, P) float32: how far the points move in the picture, metres at the head, at a step of each spread."""
    placed = detector.seen_from(view.rotation, view.translation_m)
    shared, layout = SharedState(np.zeros(0), camera.focal_px), Layout(len(spread) - 6)
    seen = see(placed, view, shared, camera, layout)
    upright = metres_upright(view.rotation, float(seen.points_camera[:, 2].mean()), camera.focal_px)
    by_step = np.matmul(upright, seen.pixel_jacobian()).reshape(2 * len(detector.numbers), -1)
    return (by_step * spread).astype(np.float32)
