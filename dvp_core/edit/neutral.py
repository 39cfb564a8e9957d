"""The pose and expression a person returns to, found in their take.

Reenactment is relative to both people's neutrals, because what one face calls rest another shows as a slight smile, and
because cameras stand differently. This is a statistic of the take and not a calibration: the caller may correct it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
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
    # Shapes a tracker leaves on all the time (a resting smile) belong to the neutral: measure from each one's median.
    resting = np.median(take.expression[tracked], axis=0)
    activity = np.abs(take.expression[tracked] - resting).sum(axis=1, dtype=np.float64)
    calm_count = min(len(tracked), max(CALM_FRAMES_MINIMUM, round(CALM_SHARE * len(tracked))))
    calm = tracked[np.argsort(activity, kind="stable")[:calm_count]]
    return Neutral(
        head_rotation_wxyz=_median_rotation(take.head_rotation_wxyz[calm].astype(np.float64)),
        head_translation_m=np.median(take.head_translation_m[calm], axis=0).astype(np.float64),
        expression=np.median(take.expression[calm], axis=0).astype(np.float64),
        gaze_rad=np.median(take.gaze_rad[calm], axis=0).astype(np.float64),
    )


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
