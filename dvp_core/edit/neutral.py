"""The pose and expression a person returns to, found in their take.

Reenactment is relative to both people's neutrals, because what one face calls rest another shows as a slight smile, and
because cameras stand differently. This is a statistic of the take and not a calibration: the caller may correct it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.face.expression_names import is_named
from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
    rotation_vector_from_quaternion_wxyz,
)

CALM_SHARE = 0.1
CALM_FRAMES_MINIMUM = 5


@dataclass(frozen=True)
class Neutral:
    """A person at rest.

    Attributes:
        head_rotation_wxyz: (4,) of `T_camera_head`.
        head_translation_m: (3,) of `T_camera_head`.
        expression: (E,) weights.
        gaze_rad: (2, 2) left and right eye, yaw and pitch.
    """

    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray


def find_neutral(take: Take) -> Neutral:
    """Return the median of the tenth of the tracked frames with the least expression (five frames at least).

    Raises:
        DataError: No frame of the take is tracked.
    """
    tracked = np.flatnonzero(take.is_tracked)
    if not tracked.size:
        raise DataError(f"take of {take.clip.file_name} has no tracked frame to find a neutral pose in")
    resting = _resting_expression(take.expression[tracked], take.expression_names)
    activity = np.abs(take.expression[tracked] - resting).sum(axis=1, dtype=np.float64)
    calm_count = min(len(tracked), max(CALM_FRAMES_MINIMUM, round(CALM_SHARE * len(tracked))))
    calm = tracked[np.argsort(activity, kind="stable")[:calm_count]]
    return Neutral(
        head_rotation_wxyz=_median_rotation(take.head_rotation_wxyz[calm].astype(np.float64)),
        head_translation_m=np.median(take.head_translation_m[calm], axis=0).astype(np.float64),
        expression=np.median(take.expression[calm], axis=0).astype(np.float64),
        gaze_rad=np.median(take.gaze_rad[calm], axis=0).astype(np.float64),
    )


def neutral_at(take: Take, frame: int) -> Neutral:
    """Return the pose and expression of one frame as the person's rest.

    Raises:
        DataError: The take does not hold that frame.
    """
    index = take.index_of(frame)
    return Neutral(
        head_rotation_wxyz=take.head_rotation_wxyz[index].astype(np.float64),
        head_translation_m=take.head_translation_m[index].astype(np.float64),
        expression=take.expression[index].astype(np.float64),
        gaze_rad=take.gaze_rad[index].astype(np.float64),
    )


def _resting_expression(expression: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the level (E,) from which activity is measured.

    A shape that a tracker leaves on all the time (a resting smile) belongs to the neutral, so a named shape counts from
    its lowest tenth; a numbered mode swings to both sides of its median.
    """
    named = np.array([is_named(name) for name in names], dtype=bool)
    return np.where(named, np.percentile(expression, 10, axis=0), np.median(expression, axis=0))


def _median_rotation(rotations_wxyz: np.ndarray) -> np.ndarray:
    """Return the rotation (4,) whose differences to the given ones (N, 4) have a zero median about each axis."""
    center = normalized(rotations_wxyz[0])
    for _ in range(8):
        differences = rotation_vector_from_quaternion_wxyz(
            multiply_quaternions(conjugate_quaternion(center), normalized(rotations_wxyz))
        )
        step = np.median(differences, axis=0)
        center = normalized(multiply_quaternions(center, quaternion_wxyz_from_rotation_vector(step)))
    return center
