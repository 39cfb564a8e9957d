"""The baseline every generator has to beat: show the training frame whose parameters are nearest.

It needs no learning, is as sharp as the plate, and cannot show what it has not seen.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.coverage import parameter_values
from dvp_core.data.take import Take

_SMALLEST_SPREAD = 1e-6


def parameters_of(take: Take) -> list[np.ndarray]:
    """Return a take's pose (F, 6; its angles from looking into the camera), expression (F, E) and gaze (F, 4)."""
    values = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    pose, gaze, expression = np.split(values.astype(np.float64), [6, 10], axis=1)
    return [pose, expression, gaze]


def nearest_training_frames(take: Take, training: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each wanted index the training index with the nearest parameters.

    Every parameter is measured in standard deviations over the training frames; pose, expression and gaze count
    alike, however many numbers each has.

    Args:
        take: The take that holds both.
        training: Indices that training saw.
        wanted: Indices to find a stand-in for.
    """
    squared = np.zeros((len(wanted), len(training)))
    for group in parameters_of(take):
        mean, spread = group[training].mean(axis=0), group[training].std(axis=0)
        scaled = (group - mean) / np.maximum(spread, _SMALLEST_SPREAD) * (spread > _SMALLEST_SPREAD)
        weight = 1 / max(int((spread > _SMALLEST_SPREAD).sum()), 1)
        a, b = scaled[wanted], scaled[training]
        squared += weight * ((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)[None])
    return training[squared.argmin(axis=1)]
