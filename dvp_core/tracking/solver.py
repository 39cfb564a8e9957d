"""Damped Gauss-Newton (Levenberg-Marquardt) inside a box, over any state.

The solver knows residuals, Jacobians and steps, and nothing about faces, cameras or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np

State = TypeVar("State")


@dataclass(frozen=True)
class Residual:
    """What one term of an energy has left, in units of its expected error.

    Attributes:
        values: (N,) residuals.
        derivatives: (N, P) derivatives by the step, or what computes them once they are asked for.
        group_size: How many neighbouring residuals are one measurement (2 for a point, 3 for a colour).
        robust_scale: Length of a group from which the energy grows linearly instead of squared (pseudo-Huber; far out
            this is the l2,1 norm of Thies et al. 2016); None: squared everywhere.
    """

    values: np.ndarray
    derivatives: np.ndarray | Callable[[], np.ndarray]
    group_size: int = 1
    robust_scale: float | None = None

    @cached_property
    def jacobian(self) -> np.ndarray:
        """(N, P) derivatives by the step."""
        return self.derivatives() if callable(self.derivatives) else self.derivatives


class EnergyModel(Protocol):
    """An energy's value and its Gauss-Newton model: energy + 2 gradient . step + step . hessian . step."""

    @property
    def hessian(self) -> np.ndarray:
        """(P, P)."""
        ...

    @property
    def gradient(self) -> np.ndarray:
        """(P,), half the derivative of the energy."""
        ...

    @property
    def energy(self) -> float:
        """The value."""
        ...


@dataclass(frozen=True)
class NormalEquations:
    """An energy's model, computed: see `EnergyModel`."""

    hessian: np.ndarray
    gradient: np.ndarray
    energy: float


@dataclass(frozen=True)
class LateEquations:
    """An energy's model whose derivatives are computed once they are asked for; many a trial step asks only its value.

    Attributes:
        residuals: The energy's terms.
        size: P, numbers of the step.
    """

    residuals: Sequence[Residual]
    size: int

    @cached_property
    def _value(self) -> float:
        return sum(energy_of(residual) for residual in self.residuals)

    @cached_property
    def _computed(self) -> NormalEquations:
        return accumulate(self.residuals, self.size)

    @property
    def energy(self) -> float:
        """See `EnergyModel`."""
        return self._value

    @property
    def hessian(self) -> np.ndarray:
        """See `EnergyModel`."""
        return self._computed.hessian

    @property
    def gradient(self) -> np.ndarray:
        """See `EnergyModel`."""
        return self._computed.gradient


@dataclass(frozen=True)
class StepBox:
    """Least and largest step allowed from the present state, each (P,), infinite where free."""

    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class SolverOptions:
    """How far and how carefully to go.

    Attributes:
        max_steps: Evaluations of the energy after the first.
        first_damping: Damping relative to the hessian's diagonal at the start.
        least_gain: Stop when a step lowers the energy by less than this part of it.
    """

    max_steps: int = 12
    first_damping: float = 1e-3
    least_gain: float = 1e-4


@dataclass(frozen=True)
class Solution(Generic[State]):
    """The best state found, the energy's model there, and how many evaluations it took."""

    state: State
    equations: EnergyModel
    step_count: int


def energy_of(residual: Residual) -> float:
    """Return the energy of one term: the sum over groups of the (robust) squared length."""
    lengths_squared = _group_lengths_squared(residual)
    if residual.robust_scale is None:
        return float(lengths_squared.sum())
    scale_squared = residual.robust_scale**2
    return float(2 * scale_squared * (np.sqrt(1 + lengths_squared / scale_squared) - 1).sum())


def accumulate(residuals: Iterable[Residual], size: int) -> NormalEquations:
    """Return the normal equations of the sum of terms over a step of `size` numbers."""
    hessian, gradient, energy = np.zeros((size, size)), np.zeros(size), 0.0
    for residual in residuals:
        weights = _robust_weights(residual)
        jacobian = residual.jacobian
        if weights is not None:
            weighted = jacobian * weights[:, None]
            hessian += weighted.T @ jacobian
            gradient += weighted.T @ residual.values
        else:
            hessian += jacobian.T @ jacobian
            gradient += jacobian.T @ residual.values
        energy += energy_of(residual)
    return NormalEquations(hessian, gradient, energy)


def minimise(
    state: State,
    *,
    linearise: Callable[[State], EnergyModel],
    retract: Callable[[State, np.ndarray], State],
    box: Callable[[State], StepBox] | None = None,
    options: SolverOptions | None = None,
) -> Solution[State]:
    """Return the state of least energy that can be reached downhill.

    Args:
        state: Where to start.
        linearise: The energy's model at a state.
        retract: The state after a step (P,); for rotations this is not an addition.
        box: The steps allowed at a state.
        options: When to stop.
    """
    options = options or SolverOptions()
    equations, damping, taken = linearise(state), options.first_damping, 0
    while taken < options.max_steps:
        step = box_step(equations, damping, None if box is None else box(state))
        candidate = retract(state, step)
        trial = linearise(candidate)
        taken += 1
        gain = equations.energy - trial.energy
        if gain > 0:
            is_done = gain < options.least_gain * equations.energy
            state, equations, damping = candidate, trial, max(damping / 5, 1e-7)
            if is_done:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
    return Solution(state, equations, taken)


def box_step(equations: EnergyModel, damping: float, box: StepBox | None) -> np.ndarray:
    """Return the damped Gauss-Newton step (P,), the best one inside the box.

    The primal-dual active set of Hintermüller, Ito & Kunisch 2003: what would leave the box is held at its side, what
    is held against its own pull is let go, until neither happens.
    """
    diagonal = np.diagonal(equations.hessian)
    damped = equations.hessian + np.diag(damping * diagonal + 1e-12 * diagonal.max(initial=1.0))
    if box is None:
        return -np.linalg.solve(damped, equations.gradient)
    is_low = is_high = np.zeros(len(diagonal), dtype=bool)
    step = np.zeros(len(diagonal))
    for _ in range(10):
        step = np.where(is_low, box.lower, np.where(is_high, box.upper, 0.0))
        free = np.flatnonzero(~(is_low | is_high))
        pull = equations.gradient[free] + damped[free] @ step
        step[free] = -np.linalg.solve(damped[np.ix_(free, free)], pull)
        slope = damped @ step + equations.gradient
        low = (step < box.lower) | (is_low & (slope > 0))
        high = (step > box.upper) | (is_high & (slope < 0))
        if np.array_equal(low, is_low) and np.array_equal(high, is_high):
            break
        is_low, is_high = low, high
    return np.clip(step, box.lower, box.upper)


def _group_lengths_squared(residual: Residual) -> np.ndarray:
    return (residual.values.reshape(-1, residual.group_size) ** 2).sum(axis=1)


def _robust_weights(residual: Residual) -> np.ndarray | None:
    """Return (N,) weights of iteratively reweighted least squares, or None where all are one."""
    if residual.robust_scale is None:
        return None
    weights = 1 / np.sqrt(1 + _group_lengths_squared(residual) / residual.robust_scale**2)
    return np.repeat(weights, residual.group_size)
