"""What is likely before anything is seen: the counterpart of `terms/prior.py` and `terms/temporal.py`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dvp_core.tracking.batched.rotations import inverse_left_jacobian, rotation_vector_from_matrix
from dvp_core.tracking.batched.solver import Residuals
from dvp_core.tracking.batched.states import FrameStates


@dataclass(frozen=True)
class UsualMotion:
    """How far a head usually moves between frames: radians, metres, and expression units (E,)."""

    rotation_rad: float
    translation_m: float
    expression: torch.Tensor


def expression_prior(states: FrameStates, *, mean: torch.Tensor, sigma: torch.Tensor) -> Residuals:
    """Return E residuals a frame: distance of the expression from its mean (E,), over its spread (E,)."""
    jacobian = torch.nn.functional.pad(torch.diag(1 / sigma), (6, 0))
    return Residuals((states.expression - mean) / sigma, jacobian.expand(len(states.expression), -1, -1))


def temporal_residual(
    states: FrameStates, expected: FrameStates, follows: torch.Tensor, usual: UsualMotion
) -> Residuals:
    """Return 6 + E residuals a frame: the way from the expected state, over the usual motion.

    Args:
        states: B frames.
        expected: What each is expected to resemble.
        follows: (B,) bool; the others expect nothing.
        usual: Motion that is not surprising.
    """
    turn = rotation_vector_from_matrix(states.rotation @ expected.rotation.transpose(1, 2))
    values = torch.cat(
        [
            turn / usual.rotation_rad,
            (states.translation_m - expected.translation_m) / usual.translation_m,
            (states.expression - expected.expression) / usual.expression,
        ],
        dim=1,
    )
    placed = torch.full_like(values[0, 3:], 1 / usual.translation_m)
    placed[3:] = 1 / usual.expression
    jacobian = torch.nn.functional.pad(torch.diag(placed), (3, 0, 3, 0)).repeat(len(values), 1, 1)
    jacobian[:, 0:3, 0:3] = inverse_left_jacobian(turn) / usual.rotation_rad
    weight = follows.to(values.dtype)
    return Residuals(values * weight[:, None], jacobian * weight[:, None, None])
