"""Takes the jitter out of a tracked performance without shifting it in time.

It does not know what jitter is: a strong setting also softens blinks and lip contacts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
    rotation_vector_from_quaternion_wxyz,
    unwrapped_quaternions,
)

LONGEST_SIGMA_S = 0.12


def smooth(take: Take, strength: float) -> Take:
    """Return the take with head, expression and gaze smoothed over time by a Gaussian.

    Args:
        take: The performance.
        strength: 0 changes nothing; 1 is a standard deviation of 0.12 s.

    Raises:
        DataError: A strength outside 0..1.
    """
    if not 0.0 <= strength <= 1.0:
        raise DataError(f"strength of smoothing is {strength}, expected 0 to 1")
    sigma_frames = strength * LONGEST_SIGMA_S * float(take.clip.fps)
    if sigma_frames < 1e-3:
        return take
    offsets, weights = _weights(take.is_tracked, sigma_frames)
    neighbours = np.clip(np.arange(take.frame_count)[:, None] + offsets, 0, take.frame_count - 1)

    def smoothed(values: np.ndarray) -> np.ndarray:
        return np.einsum("fk,fk...->f...", weights, values[neighbours].astype(np.float64)).astype(np.float32)

    rotation = normalized(take.head_rotation_wxyz.astype(np.float64))
    return replace(
        take,
        head_rotation_wxyz=_mean_rotations(rotation, neighbours, weights).astype(np.float32),
        head_translation_m=smoothed(take.head_translation_m),
        expression=smoothed(take.expression),
        gaze_rad=smoothed(take.gaze_rad),
    )


def _weights(is_tracked: np.ndarray, sigma_frames: float) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets (K,) and weights (F, K) that sum to 1 over tracked frames inside the take."""
    reach = int(np.ceil(4.0 * sigma_frames))
    offsets = np.arange(-reach, reach + 1)
    index = np.arange(len(is_tracked))[:, None] + offsets
    is_inside = (index >= 0) & (index < len(is_tracked))
    counts = is_inside & is_tracked[np.clip(index, 0, len(is_tracked) - 1)]
    weights = np.exp(-0.5 * (offsets / sigma_frames) ** 2) * counts
    sums = weights.sum(axis=1, keepdims=True)
    own = (offsets == 0).astype(np.float64)
    return offsets, np.where(sums > 0, weights / np.where(sums > 0, sums, 1.0), own)


def _mean_rotations(rotation: np.ndarray, neighbours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted means (F, 4) of neighbouring rotations, in the tangent space of each frame's own."""
    center = conjugate_quaternion(rotation)[:, None]
    differences = rotation_vector_from_quaternion_wxyz(multiply_quaternions(center, rotation[neighbours]))
    step = np.einsum("fk,fkx->fx", weights, differences)
    means = multiply_quaternions(rotation, quaternion_wxyz_from_rotation_vector(step))
    return unwrapped_quaternions(normalized(means))
