"""Damped Gauss-Newton inside a box for many problems at once: the counterpart of `dvp_core.tracking.solver`.

Each problem has its own damping and its own end; one that has ended stands still while the others go on. Nothing here
waits for the device, so a card is kept busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from dvp_core.tracking.solver import SolverOptions

State = TypeVar("State")

ACTIVE_SET_ROUNDS = 10  # as in the reference


@dataclass(frozen=True)
class Residuals:
    """What one term has left in B problems, in units of its expected error.

    Attributes:
        values: (B, N).
        jacobian: (B, N, P).
        group_size: See `dvp_core.tracking.solver.Residual`.
        robust_scale: See there.
    """

    values: torch.Tensor
    jacobian: torch.Tensor
    group_size: int = 1
    robust_scale: float | None = None


@dataclass(frozen=True)
class NormalEquations:
    """Energies and their Gauss-Newton models: hessian (B, P, P), gradient (B, P), energy (B,)."""

    hessian: torch.Tensor
    gradient: torch.Tensor
    energy: torch.Tensor


@dataclass(frozen=True)
class Solutions(Generic[State]):
    """The best states found, and the energies' models there."""

    states: State
    equations: NormalEquations


def accumulate(residuals: Iterable[Residuals]) -> NormalEquations:
    """Return the normal equations of the sum of terms."""
    parts = [_equations(residual) for residual in residuals]
    return NormalEquations(
        sum((part.hessian for part in parts[1:]), parts[0].hessian),
        sum((part.gradient for part in parts[1:]), parts[0].gradient),
        sum((part.energy for part in parts[1:]), parts[0].energy),
    )


def minimise(
    states: State,
    *,
    linearise: Callable[[State], NormalEquations],
    retract: Callable[[State, torch.Tensor], State],
    box: Callable[[State], tuple[torch.Tensor, torch.Tensor]],
    choose: Callable[[torch.Tensor, State, State], State],
    options: SolverOptions,
) -> Solutions[State]:
    """Return the states of least energy that can be reached downhill, each problem for itself.

    Args:
        states: Where to start.
        linearise: The energies' models at states.
        retract: The states after steps (B, P).
        box: The least and the largest steps allowed at states, each (B, P).
        choose: The first states where a mask (B,) is true, else the second ones.
        options: When to stop; every problem takes `max_steps` evaluations, whether it needs them or not.
    """
    equations = linearise(states)
    damping = torch.full_like(equations.energy, options.first_damping)
    is_done = torch.zeros_like(equations.energy, dtype=torch.bool)
    for _ in range(options.max_steps):
        candidates = retract(states, box_step(equations, damping, *box(states)))
        trial = linearise(candidates)
        gain = equations.energy - trial.energy
        is_better = (gain > 0) & ~is_done
        damping = torch.where(is_better, (damping / 5).clamp(min=1e-7), damping * 10)
        is_done = is_done | (is_better & (gain < options.least_gain * equations.energy)) | (damping > 1e6)
        states, equations = choose(is_better, candidates, states), _chosen(is_better, trial, equations)
    return Solutions(states, equations)


def box_step(
    equations: NormalEquations, damping: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor
) -> torch.Tensor:
    """Return the damped Gauss-Newton steps (B, P), each the best one inside its box.

    The primal-dual active set of Hintermüller, Ito & Kunisch 2003, as in the reference: what is held at a side of the
    box keeps its row of the system as a one, so that all systems stay of one size. It begins with what stands at a side
    and is pulled against it; the solution does not depend on that, the number of rounds does.
    """
    diagonal = equations.hessian.diagonal(dim1=-2, dim2=-1)
    added = damping[:, None] * diagonal + 1e-12 * diagonal.amax(dim=1, keepdim=True)
    damped = equations.hessian + torch.diag_embed(added)
    is_low = (lower >= 0) & (equations.gradient > 0)
    is_high = (upper <= 0) & (equations.gradient < 0)
    step = torch.zeros_like(diagonal)
    for _ in range(ACTIVE_SET_ROUNDS):
        held = torch.where(is_low, lower, torch.where(is_high, upper, 0.0))
        step = held + _solved_where(~(is_low | is_high), damped, equations.gradient + _times(damped, held))
        slope = _times(damped, step) + equations.gradient
        low = (step < lower) | (is_low & (slope > 0))
        high = (step > upper) | (is_high & (slope < 0))
        if step.device.type == "cpu" and torch.equal(low, is_low) and torch.equal(high, is_high):
            break  # a further round changes nothing; on a card, looking costs more than the rounds
        is_low, is_high = low, high
    return torch.minimum(torch.maximum(step, lower), upper)


def _solved_where(is_free: torch.Tensor, damped: torch.Tensor, pull: torch.Tensor) -> torch.Tensor:
    """Return what the free numbers step to balance a pull (B, P), zero for the others.

    The system is brought to a diagonal of ones first; that is what lets float32 do.
    """
    free = is_free.to(damped.dtype)
    scale = free / damped.diagonal(dim1=-2, dim2=-1).sqrt()
    matrix = damped * scale[:, :, None] * scale[:, None, :] + torch.diag_embed(1 - free)
    lower, _ = torch.linalg.cholesky_ex(matrix)
    return -scale * torch.cholesky_solve((scale * pull)[..., None], lower).squeeze(-1)


def _times(matrices: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return (matrices @ vectors[..., None]).squeeze(-1)


def _chosen(which: torch.Tensor, these: NormalEquations, others: NormalEquations) -> NormalEquations:
    return NormalEquations(
        torch.where(which[:, None, None], these.hessian, others.hessian),
        torch.where(which[:, None], these.gradient, others.gradient),
        torch.where(which, these.energy, others.energy),
    )


def _equations(residual: Residuals) -> NormalEquations:
    values, jacobian = residual.values, residual.jacobian
    squared = values.unflatten(1, (-1, residual.group_size)).square().sum(dim=-1)
    if residual.robust_scale is None:
        energy = squared.sum(dim=1)
    else:
        roots = torch.sqrt(1 + squared / residual.robust_scale**2)
        # (root - 1) written so that small residuals keep their digits.
        energy = 2 * (squared / (1 + roots)).sum(dim=1)
        halves = roots.rsqrt().repeat_interleave(residual.group_size, dim=1)
        values, jacobian = values * halves, jacobian * halves[..., None]
    turned = jacobian.transpose(1, 2)
    return NormalEquations(turned @ jacobian, _times(turned, values), energy)
