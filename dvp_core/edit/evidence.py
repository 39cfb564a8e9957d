"""What the checks of `doubt_checks.py` look at: a take's curves as measured, in float64, and its shots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvp_core.data.measurement import Measurement
from dvp_core.data.take import Take
from dvp_core.edit.smoothing import shots_of
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import matrix_from_quaternion_wxyz, rotation_vector_from_matrix, yaw_pitch_roll_rad

_LOWEST_SHARE = 0.9
_LARGEST_USUAL = 3.0
"""A curve's spikes are usual up to three times what nine of ten frames show."""


@dataclass(frozen=True)
class Evidence:
    """A take prepared for judging. F frames, E expressions.

    Attributes:
        take: The take itself.
        shots: Runs of indices between cuts.
        turn_rad: (F, 3) rotation vectors relative to each shot's middle frame.
        translation_m: (F, 3).
        expression: (F, E).
        gaze_rad: (F, 2, 2).
        measured: The measurement, where there is one.
    """

    take: Take
    shots: tuple[slice, ...]
    turn_rad: np.ndarray
    translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    measured: Measurement | None

    @property
    def is_tracked(self) -> np.ndarray:
        """(F,) bool."""
        return self.take.is_tracked

    @cached_property
    def yaw_rad(self) -> np.ndarray:
        """(F,) how far the face is turned away from the camera's axis, positive to the subject's left."""
        return yaw_pitch_roll_rad(relative_to_facing(self.take.head_rotation_wxyz))[:, 0]

    @cached_property
    def is_open(self) -> np.ndarray:
        """(F, 2) bool: whether an eye, left and right, was seen open; all open where nothing was measured."""
        if self.measured is None:
            return np.ones((self.take.frame_count, 2), np.bool_)
        sigma = self.measured.gaze_sigma_rad.max(axis=2)
        return sigma <= CLOSED_EYE_TIMES * sigma.min(axis=0, keepdims=True)

    def frames_in(self, seconds: float) -> int:
        """Return how many frames a time takes, at least one."""
        return max(1, round(seconds * float(self.take.clip.fps)))

    def tracked_runs(self) -> list[slice]:
        """Return the runs of tracked frames, none of which reaches over a cut."""
        runs = []
        for shot in self.shots:
            indices = shot.start + np.flatnonzero(self.is_tracked[shot])
            parts = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
            runs += [slice(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]
        return runs

    def spikes(self, values: np.ndarray, *, width: int) -> np.ndarray:
        """Return how far curves (F, C) stand off the median of `width` neighbours in time, (F, C); 0 where unseen."""
        distance = np.zeros(values.shape)
        for run in self.tracked_runs():
            distance[run] = np.abs(values[run] - _running_median(values[run], width))
        return distance

    def usual_spike(self, distance: np.ndarray) -> np.ndarray:
        """Return the largest distance (C,) of `spikes` that is still usual in this clip."""
        seen = distance[self.is_tracked]
        if not len(seen):
            return np.zeros(distance.shape[1:])
        return _LARGEST_USUAL * np.quantile(seen, _LOWEST_SHARE, axis=0)


CLOSED_EYE_TIMES = 4.0
"""A closed eye's gaze is this many times less sure than the surest, at least."""


def evidence_of(take: Take) -> Evidence:
    """Return what a take shows, from its measurement where it has one."""
    source = take if take.measured is None else take.measured
    shots = tuple(shots_of(take))
    rotation = matrix_from_quaternion_wxyz(source.head_rotation_wxyz)
    turns = [rotation_vector_from_matrix(rotation[shot] @ rotation[(shot.start + shot.stop) // 2].T) for shot in shots]
    return Evidence(
        take=take,
        shots=shots,
        turn_rad=np.concatenate(turns),
        translation_m=source.head_translation_m.astype(np.float64),
        expression=source.expression.astype(np.float64),
        gaze_rad=source.gaze_rad.astype(np.float64),
        measured=take.measured,
    )


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    """Return the median (N, C) over `width` neighbours, with the ends held; the curve itself where it is short."""
    reach = width // 2
    if len(values) <= reach:
        return values
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=0), axis=-1)
