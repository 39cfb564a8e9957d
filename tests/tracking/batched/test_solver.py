"""The batched solver against the reference on random problems in a box."""

import numpy as np
import pytest
import torch

from dvp_core.tracking.batched.solver import NormalEquations, Residuals, accumulate, box_step, minimise
from dvp_core.tracking.solver import NormalEquations as ReferenceEquations
from dvp_core.tracking.solver import Residual, SolverOptions, StepBox
from dvp_core.tracking.solver import accumulate as accumulate_one
from dvp_core.tracking.solver import box_step as box_step_of_one
from dvp_core.tracking.solver import minimise as minimise_one

COUNT, SIZE = 60, 12


def random_equations(seed: int) -> tuple[NormalEquations, list[ReferenceEquations]]:
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.uniform(-2, 2, SIZE)
    jacobian, values = random.normal(size=(COUNT, 30, SIZE)) * scales, random.normal(size=(COUNT, 30)) * 3
    alone = [accumulate_one([Residual(v, j)], SIZE) for v, j in zip(values, jacobian, strict=True)]
    return accumulate([Residuals(torch.as_tensor(values), torch.as_tensor(jacobian))]), alone


@pytest.mark.parametrize("width", [0.05, 1.0, np.inf])
def test_box_steps_are_the_references(width):
    equations, alone = random_equations(2)
    random = np.random.default_rng(9)
    scales = np.stack([1 / np.sqrt(np.diagonal(each.hessian)) for each in alone])
    lower, upper = -width * scales * random.uniform(0, 1, scales.shape), width * scales
    lower[:, ::3], upper[:, 1::5] = 0, 0  # numbers that stand at a side already
    damping = 10.0 ** random.uniform(-4, 1, COUNT)
    found = box_step(equations, *(torch.as_tensor(each) for each in (damping, lower, upper))).numpy()
    expected = np.stack(
        [
            box_step_of_one(each, float(d), StepBox(low, high))
            for each, d, low, high in zip(alone, damping, lower, upper, strict=True)
        ]
    )
    np.testing.assert_allclose(found / scales, expected / scales, atol=1e-8)
    is_held = (found == lower) | (found == upper)
    assert is_held.mean() > (0.5 if np.isfinite(width) else 0.1)


def test_single_precision_holds_numbers_of_very_different_sizes():
    equations, _ = random_equations(3)
    single = NormalEquations(equations.hessian.float(), equations.gradient.float(), equations.energy.float())
    damping = torch.full((COUNT,), 1e-3, dtype=torch.float64)
    bounds = torch.full((COUNT, SIZE), 0.05, dtype=torch.float64)
    expected = box_step(equations, damping, -bounds, bounds)
    found = box_step(single, damping.float(), -bounds.float(), bounds.float())
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def bent(state: np.ndarray, targets: np.ndarray) -> Residual:
    """A problem that is neither linear nor without outliers: points of a wave through four numbers."""
    a, b, c, d = state
    x = np.linspace(0, 2 * np.pi, len(targets))
    values = a * np.cos(x) + b * np.sin(x + b) + c * np.sin(2 * x + 3 * d) - targets
    by_b = np.sin(x + b) + b * np.cos(x + b)
    columns = [np.cos(x), by_b, np.sin(2 * x + 3 * d), 3 * c * np.cos(2 * x + 3 * d)]
    return Residual(values, np.stack(columns, axis=1), robust_scale=0.5)


@pytest.mark.parametrize("max_steps", [1, 4, 25])
def test_minima_are_the_references(max_steps):
    random = np.random.default_rng(12)
    starts, targets = random.uniform(0.2, 0.9, (COUNT, 4)), random.normal(size=(COUNT, 15))
    options = SolverOptions(max_steps=max_steps, least_gain=1e-6)

    def linearise_all(states: torch.Tensor) -> NormalEquations:
        alone = [bent(state, target) for state, target in zip(states.numpy(), targets, strict=True)]
        values, jacobian = (np.stack([getattr(each, name) for each in alone]) for name in ("values", "jacobian"))
        return accumulate([Residuals(torch.as_tensor(values), torch.as_tensor(jacobian), robust_scale=0.5)])

    found = minimise(
        torch.as_tensor(starts),
        linearise=linearise_all,
        retract=torch.add,
        box=lambda states: (-states, 1 - states),
        choose=lambda which, these, others: torch.where(which[:, None], these, others),
        options=options,
    )
    expected = [
        minimise_one(
            start,
            linearise=lambda state, target=target: accumulate_one([bent(state, target)], 4),
            retract=np.add,
            box=lambda state: StepBox(-state, 1 - state),
            options=options,
        )
        for start, target in zip(starts, targets, strict=True)
    ]
    np.testing.assert_allclose(found.states.numpy(), np.stack([each.state for each in expected]), atol=1e-7)
    energies = [each.equations.energy for each in expected]
    np.testing.assert_allclose(found.equations.energy.numpy(), energies, rtol=1e-9)
    assert (found.states == 0).any()


def test_a_problem_without_numbers_spoils_no_other():
    equations, _ = random_equations(5)
    spoiled = NormalEquations(equations.hessian.clone(), equations.gradient.clone(), equations.energy.clone())
    spoiled.gradient[3] = torch.nan
    damping, bounds = torch.full((COUNT,), 1e-3, dtype=torch.float64), torch.ones((COUNT, SIZE), dtype=torch.float64)
    expected, found = (box_step(each, damping, -bounds, bounds) for each in (equations, spoiled))
    others = torch.arange(COUNT) != 3
    torch.testing.assert_close(found[others], expected[others], rtol=0, atol=1e-9)
