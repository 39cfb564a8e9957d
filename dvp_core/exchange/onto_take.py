"""Lays a performance over a take: by time onto the plate's frames, by name onto the face's expressions.

The result is a take like any other: it can be looked at, edited, or be the source of a transfer. What the performance
does not have stays the take's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.edit.channels import CHANNELS, Channel, checked_channels, expression_mapping
from dvp_core.edit.resampling import BLEND_OUT_S
from dvp_core.exchange.performance import Performance, Tidying, in_order
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA, facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, normalized, slerp, unwrapped_quaternions

GAP_S = 0.2
"""Neighbouring samples further apart than this, and than three usual steps, leave a gap."""

Undriven = Literal["keep", "rest"]


@dataclass(frozen=True)
class Mapping:
    """What of a performance reached the take.

    Attributes:
        tidying: What was done to the samples.
        channels: Which of head, expression and gaze were laid on.
        driven_names: The face's expressions that the performance drives.
        undriven_names: The face's expressions that it does not drive.
        unused_names: The performance's expressions that the face has no counterpart for.
        gaps_s: Start and end of each gap, in seconds from the first sample.
        duration_s: From the first to the last sample.
        left_over_s: How much of it lies before the take's first frame or after its last.
        frame_count: Frames of the take.
        covered_count: Frames from the first to the last sample.
        interpolated_count: Of these, frames inside a gap.
    """

    tidying: Tidying
    channels: tuple[Channel, ...]
    driven_names: tuple[str, ...]
    undriven_names: tuple[str, ...]
    unused_names: tuple[str, ...]
    gaps_s: tuple[tuple[float, float], ...]
    duration_s: float
    left_over_s: float
    frame_count: int
    covered_count: int
    interpolated_count: int


def onto_take(
    performance: Performance,
    take: Take,
    *,
    start_frame: float | None = None,
    channels: Sequence[str] = CHANNELS,
    undriven: Undriven = "keep",
) -> tuple[Take, Mapping]:
    """Return the take performing what was recorded, and what of the recording reached it.

    Each frame shows the moment of the recording at which it was exposed, linearly between samples (rotations along
    the shortest arc). Within 0.4 s before the first and after the last sample the take's own performance fades out and
    back in. Frames in a gap are interpolated and count as not tracked.

    Args:
        performance: The recording.
        take: Whose face, clip and frames it becomes.
        start_frame: The plate's frame that shows the first sample; the take's first where None.
        channels: Which of head, expression and gaze are laid on, where the recording has them.
        undriven: "keep" leaves the take's own curves in expressions that nothing drives, "rest" sets them to 0.

    Raises:
        DataError: Nothing was recorded, nothing of it fits the face, or it lies outside the take's frames.
    """
    wanted = checked_channels(channels)
    ordered, tidying = in_order(performance)
    moments, covered = _moments(ordered, take, start_frame)
    laid = _Parts(ordered, take, moments, _presence(moments, ordered.times_s)).laid_on(wanted, undriven)
    if not laid.curves:
        raise DataError(f"the performance has none of the channels {', '.join(sorted(wanted))}")
    gaps, in_gap = _gaps(ordered.times_s, moments)
    result = replace(
        take,
        measured=None,
        smoothing=0.0,
        is_tracked=take.is_tracked & covered & ~in_gap,
        **{name: values.astype(np.float32) for name, values in laid.curves.items()},
    )
    return result, Mapping(
        tidying=tidying,
        channels=laid.channels,
        driven_names=laid.driven_names,
        undriven_names=tuple(name for name in take.expression_names if name not in laid.driven_names),
        unused_names=laid.unused_names,
        gaps_s=gaps,
        duration_s=float(ordered.times_s[-1] - ordered.times_s[0]),
        left_over_s=max(0.0, float(moments[0] - ordered.times_s[0]))
        + max(0.0, float(ordered.times_s[-1] - moments[-1])),
        frame_count=take.frame_count,
        covered_count=int(covered.sum()),
        interpolated_count=int((covered & in_gap).sum()),
    )


def _moments(ordered: Performance, take: Take, start_frame: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the recorder's time at each frame (F,), and flags (F,) of the frames from the first to the last sample."""
    first_s, last_s = ordered.times_s[0], ordered.times_s[-1]
    offset = 0.0 if start_frame is None else float(start_frame) - take.clip.start_frame
    moments = first_s + (np.arange(take.frame_count) - offset) / float(take.clip.fps)
    covered = (moments >= first_s - 1e-6) & (moments <= last_s + 1e-6)
    if not covered.any():
        raise DataError(
            f"the performance lasts {last_s - first_s:.2f} s from frame {start_frame}, which touches none of "
            f"the take's frames {take.frames}",
            remedy="Give another start frame",
        )
    return moments, covered


@dataclass(frozen=True)
class _Laid:
    """Curves of the take that change, by name, and which channels and expressions they come from."""

    curves: dict[str, np.ndarray]
    channels: tuple[Channel, ...]
    driven_names: tuple[str, ...]
    unused_names: tuple[str, ...]


@dataclass(frozen=True)
class _Parts:
    """One channel after the other at the frames' moments (F,), blended into the take's own by `weight` (F,)."""

    performance: Performance
    take: Take
    moments: np.ndarray
    weight: np.ndarray

    def laid_on(self, wanted: frozenset[str], undriven: Undriven) -> _Laid:
        """Return those of the wanted channels that the recording has."""
        curves: dict[str, dict[str, np.ndarray]] = {}
        driven, unused = (), self.performance.expression_names
        if "head" in wanted:
            curves["head"] = self.head()
        if "expression" in wanted and self.performance.expression_names:
            weights, driven, unused = self.expression(undriven)
            curves["expression"] = {"expression": weights}
        if "gaze" in wanted and (gaze := self.gaze()) is not None:
            curves["gaze"] = {"gaze_rad": gaze}
        changed = {name: values for part in curves.values() for name, values in part.items()}
        return _Laid(changed, tuple(name for name in CHANNELS if curves.get(name)), driven, unused)

    def head(self) -> dict[str, np.ndarray]:
        """Return the head's changed arrays, none where the recording has no head."""
        changed = {}
        turns, shifts = self.performance.head_rotation_wxyz, self.performance.head_translation_m
        if turns is not None and (known := np.isfinite(turns).all(axis=1)).any():
            rotation = multiply_quaternions(
                facing_camera_rotation_wxyz(),
                _rotations_at(self.moments, self.performance.times_s[known], turns[known]),
            )
            own = normalized(self.take.head_rotation_wxyz.astype(np.float64))
            changed["head_rotation_wxyz"] = unwrapped_quaternions(normalized(slerp(own, rotation, self.weight)))
        if shifts is not None and (known := np.isfinite(shifts).all(axis=1)).any():
            # The recorder's origin is its own business: only the motion about the usual place is carried.
            moved = _values_at(self.moments, self.performance.times_s, shifts - np.median(shifts[known], axis=0))
            own = self.take.head_translation_m.astype(np.float64)
            usual = np.median(own, axis=0)
            place = usual + moved @ OPENGL_CAMERA_FROM_CAMERA
            changed["head_translation_m"] = own + self.weight[:, None] * (place - own)
        return changed

    def expression(self, undriven: Undriven) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
        """Return weights (F, E), the names driven and the recording's names that drive nothing."""
        recorded = np.isfinite(self.performance.expression).any(axis=0)
        names = tuple(name for name, has in zip(self.performance.expression_names, recorded, strict=True) if has)
        matrix = expression_mapping(names, self.take.expression_names, is_same_model=False)
        values = _values_at(self.moments, self.performance.times_s, self.performance.expression[:, recorded])
        own = self.take.expression.astype(np.float64)
        is_driven = matrix.any(axis=1)
        goal = np.where(is_driven, values @ matrix.T, own if undriven == "keep" else 0.0)
        driven = tuple(name for name, is_on in zip(self.take.expression_names, is_driven, strict=True) if is_on)
        used = {name for name, column in zip(names, matrix.T, strict=True) if column.any()}
        unused = tuple(name for name in self.performance.expression_names if name not in used)
        return own + self.weight[:, None] * (goal - own), driven, unused

    def gaze(self) -> np.ndarray | None:
        """Return gaze (F, 2, 2), None where the recording has none."""
        gaze = self.performance.gaze_rad
        if gaze is None or not np.isfinite(gaze).reshape(len(gaze), -1).any(axis=0).all():
            return None
        values = _values_at(self.moments, self.performance.times_s, gaze.reshape(-1, 4)).reshape(-1, 2, 2)
        own = self.take.gaze_rad.astype(np.float64)
        return own + self.weight[:, None, None] * (values - own)


def _presence(moments: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return (F,) 1 from the first to the last sample, falling smoothly to 0 on either side."""
    outside = np.maximum(np.maximum(times_s[0] - moments, moments - times_s[-1]), 0.0)
    fading = np.clip(1.0 - outside / BLEND_OUT_S, 0.0, 1.0)
    return fading * fading * (3.0 - 2.0 * fading)


def _values_at(moments: np.ndarray, times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return columns (F, N) of samples (S, N) at other moments; each column goes by its own recorded values."""
    known = np.isfinite(values)
    columns = [np.interp(moments, times_s[has], column[has]) for column, has in zip(values.T, known.T, strict=True)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(moments), 0))


def _rotations_at(moments: np.ndarray, times_s: np.ndarray, rotations_wxyz: np.ndarray) -> np.ndarray:
    """Return quaternions (F, 4) of samples (S, 4) at other moments."""
    turns = unwrapped_quaternions(normalized(rotations_wxyz))
    high = np.clip(np.searchsorted(times_s, moments, side="right"), 0, len(times_s) - 1)
    low = np.maximum(high - 1, 0)
    step = np.where(high > low, times_s[high] - times_s[low], 1.0)
    return slerp(turns[low], turns[high], np.clip((moments - times_s[low]) / step, 0.0, 1.0))


def _gaps(times_s: np.ndarray, moments: np.ndarray) -> tuple[tuple[tuple[float, float], ...], np.ndarray]:
    """Return the gaps, in seconds from the first sample, and flags (F,) of the frames that lie in one."""
    steps = np.diff(times_s)
    if not len(steps):
        return (), np.zeros(len(moments), dtype=bool)
    wide = np.flatnonzero(steps > max(GAP_S, 3.0 * float(np.median(steps))))
    in_gap = np.zeros(len(moments), dtype=bool)
    for index in wide:
        in_gap |= (moments > times_s[index] + 1e-6) & (moments < times_s[index + 1] - 1e-6)
    first = times_s[0]
    return tuple((float(times_s[index] - first), float(times_s[index + 1] - first)) for index in wide), in_gap
