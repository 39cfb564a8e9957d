"""What a generator has seen: the spread of pose, expression and gaze, and of their speed, in its training frames.

Kept with the weights, so that an edit can be told how far it leaves what the network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dvp_core.data.coverage import parameter_names, parameter_values
from dvp_core.data.take import Take


def performance_vectors(take: Take) -> tuple[list[str], np.ndarray]:
    """Return names and values (F, P) of a take's parameters: head angles, translation, gaze, expression."""
    values = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    return list(parameter_names(take.expression_names)), values


def coverage_of(takes: Sequence[Take], indices: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return mean, std, min and max of every parameter and of its speed a second over the frames used.

    Args:
        takes: The training takes, of the same parameters.
        indices: For each take ascending indices of the frames that training sees.
    """
    names, _ = performance_vectors(takes[0])
    used, speeds = [], [np.zeros((0, len(names)))]
    for take, own in zip(takes, indices, strict=True):
        _, values = performance_vectors(take)
        used.append(values[own])
        speeds.append((values[own[1:]] - values[own[:-1]])[np.diff(own) == 1] * float(take.clip.fps))
    steps = np.concatenate(speeds)
    return {
        "parameters": names,
        "frame_count": sum(map(len, indices)),
        "value": _statistics(np.concatenate(used)),
        "speed_per_s": _statistics(steps if len(steps) else np.zeros((1, len(names)))),
    }


def _statistics(values: np.ndarray) -> dict[str, list[float]]:
    measures = {"mean": values.mean(0), "std": values.std(0), "min": values.min(0), "max": values.max(0)}
    return {name: [round(float(value), 6) for value in measure] for name, measure in measures.items()}
