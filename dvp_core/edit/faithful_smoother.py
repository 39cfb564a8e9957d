"""Smooths noisy curves only as far as their noise goes: whatever is more than noise stays sharp.

The curve minimises sum (y - x)^2 / sigma^2 + sum k (second difference of x)^2: the maximum of the posterior under a
constant-velocity motion whose velocity takes Gaussian steps, which is what a Kalman smoother of that model returns
(Whittaker 1923; the equivalence: Kohn and Ansley 1987). Solved for all frames at once it has no lag. The stiffness k,
the inverse of the steps' variance, is found from the clip itself, frame by frame: it begins at the dial's time constant
and is lowered wherever what was taken away is more than the measurement's noise explains (Morozov's discrepancy
principle, used locally). It knows nothing of takes; a caller passes one shot at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
    rotation_vector_from_quaternion_wxyz,
    unwrapped_quaternions,
)

ROUNDS = 4
"""Solutions, each with the stiffness that the one before asks for; edges have settled after three."""

SIGNIFICANT = 1.0
"""How many deviations beyond its expected length a residual must be, to count as more than noise."""

RELIEF_POWER = 4
"""By which power of the excess the stiffness falls; smaller ones settle so late that blinks and lips lose depth."""

DRIFT_S = 0.12
SPREAD_S = 0.28
"""Windows in which the residuals' mean and their mean square are held against the noise."""


@dataclass(frozen=True)
class Dial:
    """How strongly to smooth.

    Attributes:
        time_constant_frames: Where nothing but noise is seen, a sine of period 2 pi times this keeps half its height.
        tolerance: How many times the noise may be taken away.
        frames_per_s: Rate of the clip.
    """

    time_constant_frames: float
    tolerance: float
    frames_per_s: float


def smoothed_curves(values: np.ndarray, sigma: np.ndarray, dial: Dial) -> np.ndarray:
    """Return curves (F, C) without their noise, float64.

    Args:
        values: (F, C) measurements.
        sigma: (F, C) standard deviations, positive; a large one lets the frame follow its neighbours.
        dial: How strongly.
    """
    if len(values) < 3:
        return values.astype(np.float64)
    weights = _relative_weights(sigma)
    stiffness = np.full((len(values) - 2, values.shape[1]), float(dial.time_constant_frames) ** 4)
    result = solved(weights, stiffness, values)
    for _ in range(ROUNDS - 1):
        residual = (values - result) / sigma
        stiffness /= _relief(residual[..., None], dial) ** RELIEF_POWER
        result = solved(weights, stiffness, values)
    return result


def smoothed_rotations(rotation_wxyz: np.ndarray, sigma_rad: np.ndarray, dial: Dial) -> np.ndarray:
    """Return unit quaternions (F, 4) without their noise, of continuous sign, float64.

    Each round unrolls the path so far into a curve in space (its angular velocities, summed), smooths the measurement
    beside it there, and bends it back: Gauss-Newton on the rotations' manifold. All three axes share one stiffness, so
    the result does not depend on the axes' choice.

    Args:
        rotation_wxyz: (F, 4) measured unit quaternions.
        sigma_rad: (F, 3) standard deviations about the axes in which the rotations are given (those of the left).
        dial: How strongly.
    """
    path = measured = unwrapped_quaternions(normalized(rotation_wxyz.astype(np.float64)))
    if len(path) < 3:
        return path
    weights = _relative_weights(sigma_rad, is_joint=True)
    stiffness = np.full((len(path) - 2, 1), float(dial.time_constant_frames) ** 4)
    for _ in range(ROUNDS):
        taken = _difference(measured, path)  # nothing, in the first round
        stiffness /= _relief((taken / sigma_rad)[:, None, :], dial) ** RELIEF_POWER
        flat = unrolled(path)
        turn = solved(weights, np.repeat(stiffness, 3, axis=1), flat + taken) - flat
        path = normalized(multiply_quaternions(quaternion_wxyz_from_rotation_vector(turn), path))
    return unwrapped_quaternions(path)


def unrolled(rotation_wxyz: np.ndarray) -> np.ndarray:
    """Return the curve (F, 3) whose steps are the rotation vectors from each frame to the next; it begins at zero."""
    steps = _difference(rotation_wxyz[1:], rotation_wxyz[:-1])
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def _difference(a_wxyz: np.ndarray, b_wxyz: np.ndarray) -> np.ndarray:
    """Return the rotation vectors (..., 3) that lead from b to a, in the axes of the left."""
    return rotation_vector_from_quaternion_wxyz(multiply_quaternions(a_wxyz, conjugate_quaternion(b_wxyz)))


def noise_of(values: np.ndarray) -> np.ndarray:
    """Return a standard deviation (C,) of the noise in curves (F, C) that bring none, from their quietest stretches.

    Third differences hardly see motion; of white noise they have 20 times its variance. Of their mean squares over
    five neighbours the lowest tenth is taken (minimum statistics, Martin 2001), frames that repeat each other aside.
    """
    if len(values) < 8:
        return np.full(values.shape[1], _LEAST_NOISE)
    rough = np.diff(values.astype(np.float64), n=3, axis=0) ** 2 / 20.0
    power = sum(rough[shift : len(rough) - 4 + shift] for shift in range(5)) / 5.0
    power = np.where(power > _LEAST_NOISE**2, power, np.nan)
    is_known = np.isfinite(power).any(axis=0)
    quiet = np.full(values.shape[1], _LEAST_NOISE**2)
    quiet[is_known] = np.nanquantile(power[:, is_known], 0.1, axis=0) / _LOWEST_TENTH
    return np.sqrt(quiet)


_LEAST_NOISE = 1e-6
_LOWEST_TENTH = 0.191  # of the mean of five overlapping squares of white noise's third differences, by simulation


def _relative_weights(sigma: np.ndarray, *, is_joint: bool = False) -> np.ndarray:
    """Return 1 / sigma^2 in units of a channel's usual frame, or of all channels' where they are one thing.

    A quarter of the frames is surer than the usual one: so it is one that was seen, though half of them be lost.
    """
    usual = np.quantile(sigma, 0.25) if is_joint else np.quantile(sigma, 0.25, axis=0)
    return np.maximum((usual / sigma) ** 2, 1e-9)


def _relief(residual: np.ndarray, dial: Dial) -> np.ndarray:
    """Return (F - 2, G), 1 or more: how many times too much was taken away around each second difference.

    Args:
        residual: (F, G, D) in standard deviations: G independent channels of D axes.
        dial: How much may be taken.
    """
    axes = residual.shape[2]
    allowed = np.sqrt(axes) + SIGNIFICANT
    drift, spread = (max(1, round(seconds * dial.frames_per_s / 2)) for seconds in (DRIFT_S, SPREAD_S))
    count = 2 * spread + 1
    allowed_square = 1.0 + np.sqrt(2.0 / (count * axes))
    single = np.linalg.norm(residual, axis=2) / allowed
    mean = _window_mean(residual, drift)
    together = np.linalg.norm(mean, axis=2) * np.sqrt(2 * drift + 1) / allowed
    square = _window_mean((residual**2).mean(axis=2), spread)
    power = np.sqrt(square / allowed_square)
    excess = np.maximum(_widened(single, 1), _widened(together, drift))
    excess = np.maximum(excess, _widened(power, spread)) / dial.tolerance
    return np.maximum(excess[1:-1], 1.0)


def _window_mean(values: np.ndarray, reach: int) -> np.ndarray:
    """Return means over 2 reach + 1 frames; beyond the ends there is zero."""
    edge = np.zeros((reach, *values.shape[1:]))
    total = np.cumsum(np.concatenate([edge[:1], edge, values, edge]), axis=0)
    width = 2 * reach + 1
    return (total[width:] - total[:-width])[: len(values)] / width if reach else values


def _widened(values: np.ndarray, reach: int) -> np.ndarray:
    """Return the largest value within `reach` frames."""
    result = values.copy()
    for shift in range(1, min(reach, len(values) - 1) + 1):
        np.maximum(result[shift:], values[:-shift], out=result[shift:])
        np.maximum(result[:-shift], values[shift:], out=result[:-shift])
    return result


def solved(weights: np.ndarray, stiffness: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return x (F, C) with (W + D' K D) x = W values, D the second difference: a banded LDL' of all channels at once.

    Args:
        weights: (F, C) diagonal of W, positive.
        stiffness: (F - 2, C) diagonal of K, not negative.
        values: (F, C), F at least 3.
    """
    diagonal = weights.astype(np.float64)
    diagonal[:-2] += stiffness
    diagonal[1:-1] += 4.0 * stiffness
    diagonal[2:] += stiffness
    near = np.zeros_like(diagonal)  # [row] couples row and row - 1, `far` row and row - 2
    near[1:-1] -= 2.0 * stiffness
    near[2:] -= 2.0 * stiffness
    far = np.zeros_like(diagonal)
    far[2:] = stiffness
    near_factor, far_factor, reduced = np.empty_like(diagonal), np.empty_like(diagonal), weights * values
    zero = np.zeros(diagonal.shape[1])
    pivot, pivot_before, factor_before, row_before, row_before_that = zero + 1.0, zero + 1.0, zero, zero, zero
    for row, (own, one, two) in enumerate(zip(diagonal, near, far, strict=True)):
        lower_two = two / pivot_before
        coupled = one - two * factor_before
        lower_one = coupled / pivot
        current = own - lower_one * coupled - lower_two * two
        right = reduced[row]
        right -= lower_one * row_before
        right -= lower_two * row_before_that
        near_factor[row], far_factor[row], diagonal[row] = lower_one, lower_two, current
        pivot_before, pivot, factor_before = pivot, current, lower_one
        row_before_that, row_before = row_before, right
    reduced /= diagonal
    for row in range(len(reduced) - 2, -1, -1):
        right = reduced[row]
        right -= near_factor[row + 1] * reduced[row + 1]
        if row + 2 < len(reduced):
            right -= far_factor[row + 2] * reduced[row + 2]
    return reduced
