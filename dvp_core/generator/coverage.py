"""What a generator has seen: the spread of pose, expression and gaze, and of their speed, in its training frames.

Kept with the weights, so that an edit can be told how far it leaves what the network knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dvp_core.data.take import Take
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import yaw_pitch_roll_rad


def performance_vectors(take: Take) -> tuple[list[str], np.ndarray]:
    """Return names and values (F, P) of a take's parameters: head angles, translation, gaze, expression.

    The angles are from looking straight into the camera: as a rotation to camera coordinates that look is half a turn,
    where a rotation vector jumps to its opposite.
    """
    angles = yaw_pitch_roll_rad(relative_to_facing(take.head_rotation_wxyz))
    names = [
        *(f"head.{angle}_rad" for angle in ("yaw", "pitch", "roll")),
        *(f"head.{axis}_m" for axis in "xyz"),
        *(f"gaze.{eye}_{angle}_rad" for eye in ("left", "right") for angle in ("yaw", "pitch")),
        *(f"expression.{name}" for name in take.expression_names),
    ]
    gaze = take.gaze_rad.reshape(take.frame_count, 4)
    return names, np.concatenate([angles, take.head_translation_m, gaze, take.expression], axis=1)


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
