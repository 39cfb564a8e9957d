"""A calibrated detector's points pull together: their errors go together, and the term knows how.

The generalised least squares of correlated measurements (Aitken 1936): errors are whitened by the covariance that was
measured on renders, so that what the detector gets wrong alike in many points counts once.
"""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def detector_residual(
    seen: SeenPoints, targets_px: np.ndarray, whitening: np.ndarray, metres_upright: np.ndarray
) -> Residual:
    """Return K residuals: whitened distances of seen points from detected ones.

    Args:
        seen: N model points.
        targets_px: (N, 2) detected points.
        whitening: (K, 2 N), see `CalibratedDetector`.
        metres_upright: (2, 2), turns distances in the picture into those the whitening was made for, see there.
    """
    away = ((seen.points_px - targets_px) @ metres_upright.T).ravel()
    values = (whitening @ away.astype(whitening.dtype)).astype(np.float64)

    def jacobian() -> np.ndarray:
        metres = np.matmul(metres_upright, seen.pixel_jacobian()).reshape(2 * len(targets_px), -1)
        # The product is the dearest of a frame; single precision is far finer than what it is good for.
        return (whitening.astype(np.float32, copy=False) @ metres.astype(np.float32)).astype(np.float64)

    return Residual(values, jacobian)


def metres_upright(rotation: np.ndarray, distance_m: float, focal_px: float) -> np.ndarray:
    """Return (2, 2): turns distances in the picture into metres at the head, along its right and up in the picture.

    Args:
        rotation: (3, 3), head to camera space.
        distance_m: Of the head from the camera.
        focal_px: Focal length.
    """
    up = rotation[:2, 1] / max(float(np.linalg.norm(rotation[:2, 1])), 1e-9)
    return np.array([[-up[1], up[0]], up]) * (distance_m / focal_px)
