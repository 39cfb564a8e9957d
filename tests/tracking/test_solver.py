"""The solver on problems whose answer is known."""

from itertools import pairwise

import numpy as np
import pytest

from dvp_core.tracking.solver import (
    LateEquations,
    NormalEquations,
    Residual,
    SolverOptions,
    StepBox,
    accumulate,
    box_step,
    energy_of,
    minimise,
)


def rosenbrock(point: np.ndarray) -> NormalEquations:
    values = np.array([10 * (point[1] - point[0] ** 2), 1 - point[0]])
    jacobian = np.array([[-20 * point[0], 10.0], [-1.0, 0.0]])
    return accumulate([Residual(values, jacobian)], 2)


def test_finds_the_bottom_of_a_bent_valley():
    solution = minimise(
        np.array([-1.2, 1.0]),
        linearise=rosenbrock,
        retract=np.add,
        options=SolverOptions(max_steps=100, least_gain=0),
    )
    assert solution.state == pytest.approx([1, 1], abs=1e-6)
    assert solution.equations.energy < 1e-12


def test_energy_never_rises():
    start = np.array([-1.2, 1.0])
    energies = [
        minimise(start, linearise=rosenbrock, retract=np.add, options=SolverOptions(max_steps=steps)).equations.energy
        for steps in range(8)
    ]
    assert energies[0] == rosenbrock(start).energy
    assert all(after <= before for before, after in pairwise(energies))


def test_box_step_is_the_constrained_minimum():
    random = np.random.default_rng(5)
    for _ in range(20):
        jacobian, values = random.normal(size=(12, 3)), random.normal(size=12)
        equations = accumulate([Residual(values, jacobian)], 3)
        box = StepBox(np.full(3, -0.1), np.full(3, 0.2))
        step = box_step(equations, 0.0, box)
        assert (step >= box.lower).all()
        assert (step <= box.upper).all()
        grid = np.stack(np.meshgrid(*[np.linspace(-0.1, 0.2, 31)] * 3), axis=-1).reshape(-1, 3)
        energies = ((values[:, None] + jacobian @ grid.T) ** 2).sum(axis=0)
        reached = float(((values + jacobian @ step) ** 2).sum())
        assert reached <= energies.min() + 1e-9


def test_robust_scale_shrugs_off_an_outlier():
    measured = np.array([1.0, 1.1, 0.9, 1.0, 50.0])

    def linearise(state: np.ndarray) -> NormalEquations:
        return accumulate([Residual(state - measured, np.ones((5, 1)), robust_scale=0.1)], 1)

    solution = minimise(np.array([20.0]), linearise=linearise, retract=np.add, options=SolverOptions(max_steps=200))
    assert solution.state[0] == pytest.approx(1.0, abs=0.1)


def test_robust_energy_is_squared_near_and_linear_far():
    near = Residual(np.array([0.01, 0.02]), np.zeros((2, 1)), group_size=2, robust_scale=1.0)
    assert energy_of(near) == pytest.approx(0.0005, rel=1e-3)
    far, farther = (Residual(np.array([size]), np.zeros((1, 1)), robust_scale=1.0) for size in (1e3, 2e3))
    assert energy_of(farther) == pytest.approx(2 * energy_of(far), rel=1e-2)


def test_late_equations_are_the_same_and_derive_only_what_is_stepped_from():
    asked: list[float] = []

    def late(point: np.ndarray) -> LateEquations:
        def jacobian() -> np.ndarray:
            asked.append(float(point[0]))
            return np.array([[-20 * point[0], 10.0], [-1.0, 0.0]])

        values = np.array([10 * (point[1] - point[0] ** 2), 1 - point[0]])
        return LateEquations([Residual(values, jacobian, robust_scale=2.0), Residual(point - 3, np.eye(2))], 2)

    def early(point: np.ndarray) -> NormalEquations:
        return accumulate(late(point).residuals, 2)

    point = np.array([0.8, 0.7])
    equations, expected = late(point), early(point)
    assert equations.energy == expected.energy
    np.testing.assert_array_equal(equations.hessian, expected.hessian)
    np.testing.assert_array_equal(equations.gradient, expected.gradient)
    start, options = np.array([-1.2, 1.0]), SolverOptions(max_steps=6, least_gain=0)
    found = [minimise(start, linearise=model, retract=np.add, options=options) for model in (early, late)]
    np.testing.assert_array_equal(found[1].state, found[0].state)
    asked.clear()
    bottom = found[0].state + np.array([0.05, 0.0])
    solution = minimise(bottom, linearise=late, retract=np.add, options=SolverOptions(max_steps=1, first_damping=1.0))
    assert asked == [bottom[0]]
    assert solution.equations.energy < late(bottom).energy
    np.testing.assert_array_equal(solution.equations.hessian, early(solution.state).hessian)
    assert solution.state[0] in asked
