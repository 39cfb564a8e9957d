"""How far a changed performance may go: ranges that the target has shown, or that anatomy allows.

A generator knows what it was trained on, so a transferred pose is held inside what the target's own clip covers. What
the target has really shown is always allowed: that keeps the transfer of a take onto itself exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvp_core.data.take import Take
from dvp_core.face.expression_names import is_named

GAZE_LIMIT_RAD = np.radians([40.0, 30.0])
"""Largest yaw and pitch of an eyeball in its socket, a little inside what eyes can do."""

TRANSLATION_SIGMAS = 2.0
"""Half width of the allowed range in standard deviations (Head2Head, `preprocessing/reenact.py`)."""


def limited_expression(expression: np.ndarray, names: Sequence[str], shown: np.ndarray) -> np.ndarray:
    """Return weights (F, E) with named shapes held in 0..1, widened to what the target has shown (F, E)."""
    return np.clip(expression, *expression_range(names, shown))


def expression_range(names: Sequence[str], shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest weights (E,) of the target: 0..1 for named shapes, widened to what it has shown.

    Args:
        names: E names; numbered modes have no limits.
        shown: (F, E) what the target has shown.
    """
    has_limits = np.array([is_named(name) for name in names], dtype=bool)
    low = np.where(has_limits, np.minimum(0.0, shown.min(axis=0)), -np.inf)
    high = np.where(has_limits, np.maximum(1.0, shown.max(axis=0)), np.inf)
    return low, high


def limited_gaze(gaze_rad: np.ndarray, shown_rad: np.ndarray) -> np.ndarray:
    """Return gaze (F, 2, 2) held inside `GAZE_LIMIT_RAD`, widened to what the target has shown."""
    low = np.minimum(-GAZE_LIMIT_RAD, shown_rad.min(axis=0))
    high = np.maximum(GAZE_LIMIT_RAD, shown_rad.max(axis=0))
    return np.clip(gaze_rad, low, high)


def limited_translation(translation_m: np.ndarray, target: Take) -> np.ndarray:
    """Return translations (F, 3) held within two standard deviations of the target's own, or what it has shown."""
    shown = target.head_translation_m[target.is_tracked].astype(np.float64)
    if not len(shown):
        return translation_m
    mean, half_width = shown.mean(axis=0), TRANSLATION_SIGMAS * shown.std(axis=0)
    low = np.minimum(mean - half_width, shown.min(axis=0))
    high = np.maximum(mean + half_width, shown.max(axis=0))
    return np.clip(translation_m, low, high)
