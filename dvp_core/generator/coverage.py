"""What a generator has seen: the spread of pose, expression and gaze, and of their speed, in its training frames.

Kept with the weights, so that an edit can be told how far it leaves what the network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dvp_core.data.coverage import parameter_names, parameter_scale, parameter_values
from dvp_core.data.take import Take
from dvp_core.generator.initial_images import spread_out

POSES = 64
"""Training frames whose parameters are kept whole."""
_DECIMALS = 4


def performance_vectors(take: Take) -> tuple[list[str], np.ndarray]:
    """Return names and values (F, P) of a take's parameters: head angles, translation, gaze, expression."""
    values = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    return list(parameter_names(take.expression_names)), values


def coverage_of(takes: Sequence[Take], indices: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return mean, std, min and max of every parameter and of its speed a second, and poses that lie far apart.

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
    steps, values = np.concatenate(speeds), np.concatenate(used)
    return {
        "parameters": names,
        "frame_count": len(values),
        "value": _statistics(values),
        "speed_per_s": _statistics(steps if len(steps) else np.zeros((1, len(names)))),
        "poses": _spread_poses(values, parameter_scale(names, values.std(axis=0))),
    }


def _spread_poses(values: np.ndarray, scale: np.ndarray) -> list[list[float]]:
    """Return rows of values (F, P) that lie far apart, the one nearest to all others first."""
    points = torch.from_numpy(values / scale)
    typical = int((points - points.median(dim=0).values).norm(dim=1).argmin())
    chosen = spread_out(points, min(POSES, len(values)), first=typical)
    return [[round(float(value), _DECIMALS) for value in values[row]] for row in chosen]


def _statistics(values: np.ndarray) -> dict[str, list[float]]:
    measures = {"mean": values.mean(0), "std": values.std(0), "min": values.min(0), "max": values.max(0)}
    return {name: [round(float(value), 6) for value in measure] for name, measure in measures.items()}
