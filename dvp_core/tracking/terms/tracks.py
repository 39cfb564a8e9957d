"""Tiles of skin lie where their pattern was seen: the reprojection error of feature tracks."""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def track_residual(
    seen: SeenPoints, targets_px: np.ndarray, whitening: np.ndarray, *, robust_scale: float | None = 3.0
) -> Residual:
    """Return 2 N residuals: whitened distances of seen points from where they were tracked.

    Args:
        seen: N model points.
        targets_px: (N, 2).
        whitening: (N, 2, 2), turns a distance into independent errors of unit size; zero switches a point off.
        robust_scale: See `Residual`.
    """
    values = (whitening @ (seen.points_px - targets_px)[..., None])[..., 0]

    def jacobian() -> np.ndarray:
        return (whitening @ seen.pixel_jacobian()).reshape(values.size, -1)

    return Residual(values.ravel(), jacobian, group_size=2, robust_scale=robust_scale)
