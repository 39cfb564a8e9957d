"""A calibrated detector's points pull together: their errors go together, and the term knows how.

The generalised least squares of correlated measurements (Aitken 1936): errors are whitened by the covariance that was
measured on renders, so that what the detector gets wrong alike in many points counts once.
"""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def detector_residual(
    seen: SeenPoints, targets_px: np.ndarray, whitening: np.ndarray, *, doubt: float = 1.0
) -> Residual:
    """Return 2 N residuals: whitened distances of seen points from detected ones.

    Errors are taken along the picture's right and up as the head stands upright in it, in metres at the head's distance;
    that frame and scale are held while differentiating, being near constant over a step.

    Args:
        seen: N model points.
        targets_px: (N, 2) detected points.
        whitening: (2 N, 2 N), see `CalibratedDetector`.
        doubt: Multiplies the expected errors.
    """
    axes = upright_axes(seen.rotation) * (seen.points_camera[:, 2].mean() / (seen.camera.focal_px * doubt))
    values = whitening @ ((seen.points_px - targets_px) @ axes.T).ravel()
    jacobian = np.matmul(axes, seen.pixel_jacobian())
    return Residual(values, whitening @ jacobian.reshape(len(values), -1))


def upright_axes(rotation: np.ndarray) -> np.ndarray:
    """Return (2, 2): the picture's directions to the right and up of a head with this rotation (3, 3)."""
    up = rotation[:2, 1] / max(float(np.linalg.norm(rotation[:2, 1])), 1e-9)
    return np.array([[-up[1], up[0]], up])
