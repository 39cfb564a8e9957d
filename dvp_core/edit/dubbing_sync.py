"""Whether lips and sound run together: correlation and lag between the lips' opening and the sound's loudness.

An open mouth lets sound out and a closed one does not, so over a second or two the opening follows the loudness. Both
are freed from what changes slowly (posture, the speaker's distance) and compared at every shift up to half a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.sound import Sound
from dvp_core.data.take import Take
from dvp_core.edit.dubbing_lips import lip_opening

FARTHEST_S = 0.5
LEAST_FRAMES = 25
CLEAR_CORRELATION = 0.25
"""Below it the lag says nothing: the two curves do not belong together, or hardly move."""
_SLOW_S = 1.0


@dataclass(frozen=True)
class Sync:
    """How lips and sound run together.

    Attributes:
        correlation: Pearson's, as they stand.
        best_correlation: At the shift that fits best.
        lag_s: That shift: positive where the lips come after their sound. None where nothing fits clearly.
        frames: How many frames were compared.
    """

    correlation: float
    best_correlation: float
    lag_s: float | None
    frames: int


def measured_sync(take: Take, sound: Sound, weights: np.ndarray) -> Sync | None:
    """Return how a take's lips run with a sound, over the frames with a weight; None where these are too few.

    The sound's level is the root mean square of each frame's time. The best shift is refined between frames by a
    parabola through its neighbours.

    Args:
        take: The dubbed take, with its face.
        sound: The dubbed sound, its time 0 at the take's first frame.
        weights: (F,) 0 where the mouth is the actor's own.
    """
    if take.face is None:
        return None
    fps = float(take.clip.fps)
    middles_s = (np.arange(take.frame_count) + 0.5) / fps
    opening = _lively(lip_opening(take.face, take.expression), fps)
    level = _lively(np.sqrt(sound.levels(middles_s, window_s=1.0 / fps)), fps)
    spoken = np.flatnonzero((weights > 0) & (middles_s < len(sound.samples) / sound.rate_hz))
    reach = round(FARTHEST_S * fps)
    if len(spoken) < LEAST_FRAMES:
        return None
    shifts = np.arange(-reach, reach + 1)
    fits = np.array([_correlation(opening, level, spoken, int(shift)) for shift in shifts])
    best = int(np.argmax(fits))
    lag = None if fits[best] < CLEAR_CORRELATION else float(shifts[best] + _peak(fits, best)) / fps
    return Sync(float(fits[reach]), float(fits[best]), lag, len(spoken))


def _lively(curve: np.ndarray, fps: float) -> np.ndarray:
    """Return a curve less its mean over a second around each frame."""
    half = max(round(0.5 * _SLOW_S * fps), 1)
    sums = np.concatenate([[0.0], np.cumsum(curve)])
    index = np.arange(len(curve))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(curve))
    return curve - (sums[high] - sums[low]) / (high - low)


def _correlation(opening: np.ndarray, level: np.ndarray, spoken: np.ndarray, shift: int) -> float:
    """Return the correlation of lips with the sound `shift` frames earlier."""
    inside = spoken[(spoken - shift >= 0) & (spoken - shift < len(level))]
    if len(inside) < LEAST_FRAMES:
        return 0.0
    a, b = opening[inside], level[inside - shift]
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 1e-12 else 0.0


def _peak(fits: np.ndarray, best: int) -> float:
    """Return how far the top of a parabola through a maximum and its neighbours lies from it, -0.5..0.5."""
    if not 0 < best < len(fits) - 1:
        return 0.0
    before, top, after = fits[best - 1 : best + 2]
    bend = before - 2 * top + after
    return 0.0 if bend >= -1e-12 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
