"""Detected points pull the model's points towards them."""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def landmark_residual(
    seen: SeenPoints, targets_px: np.ndarray, sigma_px: np.ndarray, *, robust_scale: float | None = 3.0
) -> Residual:
    """Return 2 N residuals: distances of seen points from detected ones, over their expected errors.

    Args:
        seen: N model points.
        targets_px: (N, 2) detected points.
        sigma_px: (N,) expected errors; infinite switches a point off.
        robust_scale: See `Residual`.
    """
    precision = (1 / sigma_px)[:, None]
    values = (seen.points_px - targets_px) * precision

    def jacobian() -> np.ndarray:
        return (seen.pixel_jacobian() * precision[..., None]).reshape(values.size, -1)

    return Residual(values.ravel(), jacobian, group_size=2, robust_scale=robust_scale)
