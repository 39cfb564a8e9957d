"""A head's pose from points alone, without a start: the affine camera of DeMenthon & Davis 1995 (POS)."""

from __future__ import annotations

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.maths.rotations import normalized
from dvp_core.tracking.states import FrameState


def first_pose(points_head: np.ndarray, points_px: np.ndarray, camera: Camera, expression_count: int) -> FrameState:
    """Return the frame whose scaled orthographic picture of the points is nearest to the detected one.

    Args:
        points_head: (N, 3) model points, metres.
        points_px: (N, 2) detected points.
        camera: Camera of the plate.
        expression_count: E; the expression starts at zero.
    """
    center = points_head.mean(axis=0)
    affine, *_ = np.linalg.lstsq(points_head - center, points_px - points_px.mean(axis=0), rcond=None)
    scale_px_per_m = np.sqrt(np.prod(np.linalg.norm(affine, axis=0)))
    right = normalized(affine[:, 0])
    down = normalized(affine[:, 1] - right * (affine[:, 1] @ right))
    rotation = np.stack([right, down, np.cross(right, down)])
    depth_m = camera.focal_px / scale_px_per_m
    middle = (points_px.mean(axis=0) - np.asarray(camera.principal_px)) * depth_m / camera.focal_px
    return FrameState(rotation, np.array([*middle, depth_m]) - rotation @ center, np.zeros(expression_count))
