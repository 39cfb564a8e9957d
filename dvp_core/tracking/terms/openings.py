"""How far eyelids and lips stand apart: the differences of paired points.

A detector's point lies beside the model's, but both lids' points lie beside it alike, so that their difference is
truer than either; blinks and lip contact hang on it.
"""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def opening_residual(
    seen: SeenPoints,
    pairs: np.ndarray,
    targets_px: np.ndarray,
    sigma_px: np.ndarray,
    *,
    robust_scale: float | None = 3.0,
) -> Residual:
    """Return 2 M residuals: the difference of each pair of points, seen against detected.

    Args:
        seen: N model points.
        pairs: (M, 2) numbers of upper and lower points among the N.
        targets_px: (N, 2) detected points.
        sigma_px: (M,) expected errors of the difference; infinite switches a pair off.
        robust_scale: See `Residual`.
    """
    upper, lower = pairs.T
    precision = (1 / sigma_px)[:, None]
    apart = (seen.points_px[upper] - seen.points_px[lower]) - (targets_px[upper] - targets_px[lower])

    def jacobian() -> np.ndarray:
        by_step = seen.pixel_jacobian()
        return ((by_step[upper] - by_step[lower]) * precision[..., None]).reshape(apart.size, -1)

    return Residual((apart * precision).ravel(), jacobian, group_size=2, robust_scale=robust_scale)
