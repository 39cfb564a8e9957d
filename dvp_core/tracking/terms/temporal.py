"""A frame resembles the one before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dvp_core.maths.rotations import cross_matrix, rotation_vector_from_matrix
from dvp_core.tracking.solver import Residual
from dvp_core.tracking.states import FrameState, Layout


@dataclass(frozen=True)
class Motion:
    """How far a head usually moves between frames: radians, metres, and expression units (E,)."""

    rotation_rad: float
    translation_m: float
    expression: np.ndarray


def temporal_residual(state: FrameState, expected: FrameState, layout: Layout, usual: Motion) -> Residual:
    """Return 6 + E residuals: the way from the expected state, over the usual motion."""
    count = 6 + len(state.expression)
    turn = _rotation_vector(state.rotation @ expected.rotation.T)
    values = np.concatenate(
        [
            turn / usual.rotation_rad,
            (state.translation_m - expected.translation_m) / usual.translation_m,
            (state.expression - expected.expression) / usual.expression,
        ]
    )

    def jacobian() -> np.ndarray:
        by_step = np.zeros((count, layout.size))
        by_step[0:3, layout.rotation] = _inverse_left_jacobian(turn) / usual.rotation_rad
        by_step[3:6, layout.translation] = np.eye(3) / usual.translation_m
        by_step[6:, layout.expression] = np.diag(1 / usual.expression)
        return by_step

    return Residual(values, jacobian)


def _rotation_vector(turn: np.ndarray) -> np.ndarray:
    """Return what `rotation_vector_from_matrix` does, of one matrix that turns by less than a right angle sooner."""
    (a, b, c), (d, e, f), (g, h, i) = turn.tolist()
    cosine = (a + e + i - 1) / 2
    if cosine < 0:
        return rotation_vector_from_matrix(turn)
    axis = (h - f) / 2, (c - g) / 2, (d - b) / 2
    sine = math.hypot(*axis)
    scale = math.atan2(sine, cosine) / sine if sine > 1e-8 else 1.0
    return scale * np.array(axis)


def _inverse_left_jacobian(turn: np.ndarray) -> np.ndarray:
    """Return (3, 3): derivative of log(exp(w) exp(turn)) by w at zero (Solà et al. 2018, eq. 146)."""
    angle = float(np.linalg.norm(turn))
    cross = cross_matrix(turn)
    is_small = angle < 1e-4
    safe = 1.0 if is_small else angle
    factor = 1 / 12 if is_small else 1 / safe**2 - (1 + np.cos(safe)) / (2 * safe * np.sin(safe))
    return np.eye(3) - cross / 2 + factor * cross @ cross
