"""Takes the measurement noise out of a tracked clip without shifting it in time.

Whittaker's smoother: the curve that is near the measurements and has small second differences (Eilers 2003); being
symmetric in time it has no lag. Rotations are averaged as quaternions of continuous sign and scaled back to unit length
(the chordal mean of Markley et al. 2007, which over a few frames is the mean on the sphere of rotations).
"""

from __future__ import annotations

import numpy as np

from dvp_core.maths.rotations import normalized, unwrapped_quaternions


def smoothed(values: np.ndarray, weights: np.ndarray, time_constant_frames: float) -> np.ndarray:
    """Return the curves (F, C) smoothed over time.

    Args:
        values: (F, C) measurements.
        weights: (F,) trust, zero where there was no measurement.
        time_constant_frames: A sine of period 2 pi times this keeps half its height.
    """
    if time_constant_frames <= 0 or len(values) < 3:
        return values.copy()
    stiffness = time_constant_frames**4
    return _solve_pentadiagonal(weights + 1e-9, stiffness, values * weights[:, None])


def smoothed_rotations(quaternions_wxyz: np.ndarray, weights: np.ndarray, time_constant_frames: float) -> np.ndarray:
    """Return unit quaternions (F, 4) smoothed over time, signs continuous.

    Args:
        quaternions_wxyz: (F, 4).
        weights: (F,).
        time_constant_frames: See `smoothed`.
    """
    measured = unwrapped_quaternions(quaternions_wxyz)
    if time_constant_frames <= 0 or len(measured) < 3:
        return measured
    return normalized(smoothed(measured, weights, time_constant_frames))


def _solve_pentadiagonal(weights: np.ndarray, stiffness: float, right: np.ndarray) -> np.ndarray:
    """Solve (diag(weights) + stiffness D'D) x = right, D the second difference, by a banded Cholesky (LDL')."""
    count = len(weights)
    diagonal = np.full(count, 6.0)
    diagonal[[0, -1]], diagonal[[1, -2]] = 1.0, 5.0
    first = np.full(count - 1, -4.0)
    first[[0, -1]] = -2.0
    if count == 3:
        diagonal[:] = (1.0, 4.0, 1.0)
    diagonal, first, second = weights + stiffness * diagonal, stiffness * first, stiffness
    pivot, lower, lowest = np.empty(count), np.zeros(count), np.zeros(count)
    solved = right.astype(np.float64).copy()
    for row in range(count):
        below = second / pivot[row - 2] if row >= 2 else 0.0
        before = first[row - 1] - (below * pivot[row - 2] * lower[row - 1] if row >= 2 else 0.0) if row >= 1 else 0.0
        lower[row] = before / pivot[row - 1] if row >= 1 else 0.0
        lowest[row] = below
        pivot[row] = diagonal[row]
        if row >= 1:
            pivot[row] -= lower[row] ** 2 * pivot[row - 1]
            solved[row] -= lower[row] * solved[row - 1]
        if row >= 2:
            pivot[row] -= below**2 * pivot[row - 2]
            solved[row] -= below * solved[row - 2]
    solved /= pivot[:, None]
    for row in range(count - 2, -1, -1):
        solved[row] -= lower[row + 1] * solved[row + 1]
        if row + 2 < count:
            solved[row] -= lowest[row + 2] * solved[row + 2]
    return solved
