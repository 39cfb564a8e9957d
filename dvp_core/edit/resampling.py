"""A take's motion at the moments of another clip's frames.

Time is counted in seconds from each clip's first frame with exact rational frame rates, so equal rates give the very
same values. Frames without a face count with the values that the tracker put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dvp_core.data.take import Take
from dvp_core.maths.rotations import normalized, slerp, unwrapped_quaternions

BLEND_OUT_S = 0.4


@dataclass(frozen=True)
class Motion:
    """What moves in a take, as float64: the arrays are those of `Take`, for F frames.

    Attributes:
        head_rotation_wxyz: (F, 4).
        head_translation_m: (F, 3).
        expression: (F, E).
        gaze_rad: (F, 2, 2).
        presence: (F,) 1 where the motion is known, falling smoothly to 0 after its end.
    """

    head_rotation_wxyz: np.ndarray
    head_translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    presence: np.ndarray


def resampled(take: Take, *, fps: Fraction, frame_count: int) -> Motion:
    """Return the take's motion at `frame_count` frames of another rate.

    Past the end of the take its last pose holds while `presence` falls from 1 to 0 within 0.4 s.
    """
    ratio = take.clip.fps / fps
    positions = np.array([float(index * ratio) for index in range(frame_count)])
    last = take.frame_count - 1
    overrun_s = np.maximum(positions - last, 0.0) / float(take.clip.fps)
    fading = np.clip(1.0 - overrun_s / BLEND_OUT_S, 0.0, 1.0)
    inside = np.minimum(positions, last)
    low = np.floor(inside).astype(np.int64)
    high = np.minimum(low + 1, last)
    fraction = inside - low
    rotation = unwrapped_quaternions(normalized(take.head_rotation_wxyz.astype(np.float64)))

    def mixed(values: np.ndarray) -> np.ndarray:
        weight = fraction.reshape(-1, *[1] * (values.ndim - 1))
        return (1.0 - weight) * values[low].astype(np.float64) + weight * values[high].astype(np.float64)

    return Motion(
        head_rotation_wxyz=slerp(rotation[low], rotation[high], fraction),
        head_translation_m=mixed(take.head_translation_m),
        expression=mixed(take.expression),
        gaze_rad=mixed(take.gaze_rad),
        presence=fading * fading * (3.0 - 2.0 * fading),
    )
