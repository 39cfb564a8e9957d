"""What is likely before anything is seen: small coefficients, a usual lens."""

from __future__ import annotations

import numpy as np

from dvp_core.tracking.solver import Residual
from dvp_core.tracking.states import FrameState, Layout, SharedState


def expression_prior(state: FrameState, layout: Layout, *, mean: np.ndarray, sigma: np.ndarray) -> Residual:
    """Return E residuals: distance of the expression from its mean (E,), over its spread (E,)."""

    def jacobian() -> np.ndarray:
        by_step = np.zeros((len(sigma), layout.size))
        by_step[:, layout.expression] = np.diag(1 / sigma)
        return by_step

    return Residual((state.expression - mean) / sigma, jacobian)


def identity_prior(shared: SharedState, layout: Layout, *, sigma: float) -> Residual:
    """Return I residuals: the identity over its spread in standard deviations (Tikhonov)."""
    jacobian = np.zeros((len(shared.identity), layout.size))
    jacobian[:, layout.identity] = np.eye(len(shared.identity)) / sigma
    return Residual(shared.identity / sigma, jacobian)


def focal_prior(shared: SharedState, layout: Layout, *, usual_px: float, sigma: float) -> Residual:
    """Return one residual: the logarithm of focal length over the usual one; sigma is a relative error."""
    jacobian = np.zeros((1, layout.size))
    jacobian[:, layout.focal] = 1 / sigma
    return Residual(np.array([np.log(shared.focal_px / usual_px) / sigma]), jacobian)
