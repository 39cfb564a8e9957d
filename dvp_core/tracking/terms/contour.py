"""The jaw's points lie on the outline, which slides over the skin as the head turns: only the way across it counts."""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.surface import SeenPoints


def contour_residual(
    seen: SeenPoints,
    targets_px: np.ndarray,
    across: np.ndarray,
    sigma_px: np.ndarray,
    *,
    robust_scale: float | None = 3.0,
) -> Residual:
    """Return N residuals: distances from detected outline points, measured across the outline alone.

    Args:
        seen: N points of the model's present outline.
        targets_px: (N, 2) detected outline points.
        across: (N, 2) unit vectors across the outline in the picture.
        sigma_px: (N,) expected errors; infinite switches a point off.
        robust_scale: See `Residual`.
    """
    weighted = across / sigma_px[:, None]
    values = ((seen.points_px - targets_px) * weighted).sum(axis=1)

    def jacobian() -> np.ndarray:
        return np.einsum("nk,nkp->np", weighted, seen.pixel_jacobian())

    return Residual(values, jacobian, robust_scale=robust_scale)
