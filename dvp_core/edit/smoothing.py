"""Takes the jitter out of a performance without shifting it in time, as a dial that can be turned at any time.

A tracked take keeps what was measured, and how surely, beside what is seen. Smoothing always starts there, so it never
adds up and can be taken back. What the smoother does to a curve stands in `faithful_smoother.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.measurement import Measurement
from dvp_core.data.take import Take
from dvp_core.edit.channels import is_named
from dvp_core.edit.faithful_smoother import Dial, noise_of, smoothed_curves, smoothed_rotations, unrolled
from dvp_core.maths.rotations import normalized, slerp, unwrapped_quaternions

DEFAULT_SMOOTHING = 0.5
"""Where the dial stands when nobody turned it."""

LONGEST_TIME_CONSTANT_S = 0.16
"""Of the smoother where nothing but noise is seen, with the dial at 1."""

LOST_FRAME_DISTRUST = 30.0
"""How many times the usual deviation a frame without a face is given around the line that bridges it."""


@dataclass(frozen=True)
class _Shot:
    """Consecutive frames, float64: rotation (N, 4), its deviations (N, 3), all other channels (N, C), theirs."""

    rotation_wxyz: np.ndarray
    rotation_sigma_rad: np.ndarray
    values: np.ndarray
    sigma: np.ndarray


def smooth(take: Take, strength: float) -> Take:
    """Return the take with head, expression and gaze smoothed over time, and without lag.

    A take with a measurement is smoothed from the measurement, wherever its dial stood: strength 0 gives exactly what
    was measured, and two calls give what the second alone would. A take without one (edited, transferred, made by hand)
    is smoothed from its own curves, whose noise is estimated from their quietest stretches; there is then nothing to go
    back to, 0 changes nothing, and two calls add up.

    Only noise is taken away: where a curve moves by more than its deviations explain (a blink, lips that meet), it is
    followed. Frames measured badly follow their neighbours, frames without a face are bridged, and nothing passes over
    a cut. The light is left alone.

    Args:
        take: The performance.
        strength: 0 to 1, in proportion to the time constant: 0.08 s at 0.5, whatever the frame rate.

    Raises:
        DataError: A strength outside 0..1.
    """
    checked_smoothing(strength)
    source = _measured(take)
    if strength == 0.0:
        return source
    fps = float(take.clip.fps)
    dial = Dial(strength * LONGEST_TIME_CONSTANT_S * fps, (strength / DEFAULT_SMOOTHING) ** 0.5, fps)
    parts = [_smoothed_shot(source, frames, dial) for frames in shots_of(take)]
    rotation, values = (np.concatenate(curves) for curves in zip(*parts, strict=True))
    return _with_curves(source, unwrapped_quaternions(rotation), values, strength)


def checked_smoothing(strength: float) -> float:
    """Return a strength that `smooth` takes.

    Raises:
        DataError: It lies outside 0..1.
    """
    if not 0.0 <= strength <= 1.0:
        raise DataError(f"strength of smoothing is {strength}, expected 0 to 1")
    return strength


def _measured(take: Take) -> Take:
    """Return the take as it was measured; one without a measurement as it is."""
    if take.measured is None:
        return take
    return replace(
        take,
        head_rotation_wxyz=take.measured.head_rotation_wxyz,
        head_translation_m=take.measured.head_translation_m,
        expression=take.measured.expression,
        gaze_rad=take.measured.gaze_rad,
        smoothing=0.0,
    )


def shots_of(take: Take) -> list[slice]:
    """Return the frames between cuts, as slices of indices that cover the take."""
    inside = {frame - take.clip.start_frame for frame in take.shot_starts}
    starts = sorted({0, *(index for index in inside if 0 < index < take.frame_count)})
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], take.frame_count], strict=True)]


def _other_channels(take: Take) -> np.ndarray:
    """Return translation, expression and gaze side by side (F, 3 + E + 4), float64."""
    gaze = take.gaze_rad.reshape(-1, 4)
    return np.concatenate([take.head_translation_m, take.expression, gaze], axis=1).astype(np.float64)


def _other_deviations(measured: Measurement) -> np.ndarray:
    gaze = measured.gaze_sigma_rad.reshape(-1, 4)
    both = (measured.translation_sigma_m, measured.expression_sigma, gaze)
    return np.concatenate(both, axis=1).astype(np.float64)


def _with_curves(take: Take, rotation_wxyz: np.ndarray, values: np.ndarray, strength: float) -> Take:
    expression = values[:, 3:-4]
    has_limits = np.array([is_named(name) for name in take.expression_names], dtype=np.bool_)
    return replace(
        take,
        head_rotation_wxyz=rotation_wxyz.astype(np.float32),
        head_translation_m=values[:, :3].astype(np.float32),
        expression=np.where(has_limits, np.clip(expression, 0.0, 1.0), expression).astype(np.float32),
        gaze_rad=values[:, -4:].reshape(-1, 2, 2).astype(np.float32),
        smoothing=strength if take.measured is not None else take.smoothing,
    )


def _smoothed_shot(take: Take, frames: slice, dial: Dial) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotations and all other channels of one shot, smoothed; one without any face stays as it is."""
    is_tracked = take.is_tracked[frames]
    rotation = normalized(take.head_rotation_wxyz[frames].astype(np.float64))
    values = _other_channels(take)[frames]
    if not is_tracked.any():
        return rotation, values
    rotation, values = _bridged(rotation, values, is_tracked)
    shot = _with_deviations(take.measured, frames, rotation, values, is_tracked)
    return (
        smoothed_rotations(shot.rotation_wxyz, shot.rotation_sigma_rad, dial),
        smoothed_curves(shot.values, shot.sigma, dial),
    )


def _bridged(rotation: np.ndarray, values: np.ndarray, is_tracked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both with straight lines over the frames without a face; beyond the first and last face they hold."""
    if is_tracked.all():
        return rotation, values
    known, index = np.flatnonzero(is_tracked), np.arange(len(is_tracked))
    position = np.interp(index, known, np.arange(len(known)))
    low = np.floor(position).astype(np.int64)
    high, fraction = np.minimum(low + 1, len(known) - 1), position - low
    known_rotation = unwrapped_quaternions(rotation[known])
    line = (1.0 - fraction[:, None]) * values[known[low]] + fraction[:, None] * values[known[high]]
    arc = slerp(known_rotation[low], known_rotation[high], fraction)
    kept = is_tracked[:, None]
    return np.where(kept, rotation, arc), np.where(kept, values, line)


def _with_deviations(
    measured: Measurement | None, frames: slice, rotation: np.ndarray, values: np.ndarray, is_tracked: np.ndarray
) -> _Shot:
    """Return the shot with the measurement's deviations, or with those estimated from the curves themselves."""
    if measured is not None:
        rotation_sigma = measured.rotation_sigma_rad[frames].astype(np.float64)
        sigma = _other_deviations(measured)[frames]
    else:
        turning = unrolled(unwrapped_quaternions(rotation))
        one_for_all_axes = np.sqrt(np.mean(noise_of(turning) ** 2))
        rotation_sigma = np.full((len(values), 3), one_for_all_axes)
        sigma = np.repeat(noise_of(values)[None], len(values), axis=0)
    return _Shot(rotation, _distrusting(rotation_sigma, is_tracked), values, _distrusting(sigma, is_tracked))


def _distrusting(sigma: np.ndarray, is_tracked: np.ndarray) -> np.ndarray:
    usual = np.median(sigma[is_tracked], axis=0)
    return np.where(is_tracked[:, None], sigma, LOST_FRAME_DISTRUST * usual)
