"""The one pinhole projection and the one pixel rule.

Camera space has OpenCV's axes (+X right, +Y down, +Z into the scene). Picture coordinates start at the outer corner of
the top-left pixel, so the centre of the first pixel is at (0.5, 0.5).
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.camera import Camera


def project(points_camera: np.ndarray, camera: Camera) -> np.ndarray:
    """Return pixels (..., 2) of points (..., 3) in camera space, metres. Points at or behind the lens give infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = points_camera[..., :2] / points_camera[..., 2:3]
    in_front = points_camera[..., 2:3] > 0
    principal = np.asarray(camera.principal_px, np.float64)
    return np.where(in_front, camera.focal_px * slopes + principal, np.inf)


def project_jacobian(points_camera: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the derivatives (..., 2, 3) of `project` by the point."""
    x, y, z = np.moveaxis(points_camera, -1, 0)
    zero = np.zeros_like(z)
    rows = [[1 / z, zero, -x / z**2], [zero, 1 / z, -y / z**2]]
    return camera.focal_px * np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def rays(points_px: np.ndarray, camera: Camera) -> np.ndarray:
    """Return directions (..., 3) with z = 1 in camera space of pixels (..., 2)."""
    slopes = (points_px - np.asarray(camera.principal_px, np.float64)) / camera.focal_px
    return np.concatenate([slopes, np.ones((*slopes.shape[:-1], 1))], axis=-1)
