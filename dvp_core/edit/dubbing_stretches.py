"""When somebody speaks, from timings, from a sound's loudness or from a mouth's motion; and the dub's weight over time.

All three give the same thing: stretches of time, short pauses within speech bridged. Levels become stretches by two
thresholds: speech begins above the higher one and lasts until the level falls below the lower one, so that a level
that hovers around one threshold does not chop it.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.sound import Sound
from dvp_core.data.speech import Speech
from dvp_core.data.take import Take
from dvp_core.edit.channels import region_of

BLEND_S = 0.16
"""Over which the dubbed mouth comes before speech begins and goes after it ends."""
LONGEST_PAUSE_S = 2 * BLEND_S
"""A pause as short as both blends would be no rest of the actor's own mouth: it counts as speech."""
SHORTEST_SPEECH_S = 0.08
_SOUND_STEP_S = 0.01
_SOUND_WINDOW_S = 0.03
_FLOOR_LEVEL = 1e-4  # -80 dB of full scale: nobody hears it
_SILENT_DB = -55.0
_LEAST_RANGE_DB = 12.0
_ON_PART, _OFF_PART = 0.45, 0.3
_MOTION_WINDOW_S = 0.2
_MOTION_ON, _MOTION_OFF = 0.35, 0.2  # change of all mouth coefficients together a second
_MOTION_SHARE_ON, _MOTION_SHARE_OFF = 0.3, 0.15
_MOUTH = ("mouth", "jaw")


def spoken_stretches(speech: Speech) -> np.ndarray:
    """Return the stretches (N, 2) in seconds that timings tell, short pauses bridged."""
    return _joined(speech.spans_s)


def loud_stretches(sound: Sound) -> np.ndarray:
    """Return the stretches (N, 2) in seconds in which a sound speaks, by its short-time energy.

    The thresholds lie at 45 and 30 % of the way, in decibels, from the quiet (the 10th percentile of windows of 30 ms)
    to the loud (the 95th). A sound that is quiet throughout has no speech; one that is loud throughout is speech.
    """
    times_s = np.arange(0.5 * _SOUND_STEP_S, len(sound.samples) / sound.rate_hz, _SOUND_STEP_S)
    levels = sound.levels(times_s, window_s=_SOUND_WINDOW_S)
    decibels = 20.0 * np.log10(np.maximum(levels, _FLOOR_LEVEL))
    if not len(decibels) or decibels.max() < _SILENT_DB:
        return np.zeros((0, 2))
    quiet, loud = np.percentile(decibels, (10, 95))
    if loud - quiet < _LEAST_RANGE_DB:
        quiet = loud - 2 * _LEAST_RANGE_DB
    on, off = (max(quiet + part * (loud - quiet), _SILENT_DB) for part in (_ON_PART, _OFF_PART))
    return _joined(_above(decibels, on, off) * _SOUND_STEP_S)


def moving_stretches(take: Take) -> np.ndarray:
    """Return the stretches (N, 2) in seconds in which a take's mouth and jaw move as in speech.

    The motion is the mean change of all their coefficients together over 0.2 s. Speech begins at 0.35 a second, or at
    30 % of the clip's liveliest tenth where that is more; it ends at 0.2, or 15 %.
    """
    fps = float(take.clip.fps)
    columns = [index for index, name in enumerate(take.expression_names) if region_of(name) in _MOUTH]
    if not columns or take.frame_count < 2:
        return np.zeros((0, 2))
    change = np.abs(np.diff(take.expression[:, columns].astype(np.float64), axis=0)).sum(axis=1) * fps
    change = np.concatenate([change[:1], change])
    width = max(round(_MOTION_WINDOW_S * fps), 1)
    level = np.convolve(
        np.pad(change, (width // 2, width - 1 - width // 2), mode="edge"), np.ones(width) / width, "valid"
    )
    lively = float(np.percentile(level, 90))
    on, off = max(_MOTION_ON, _MOTION_SHARE_ON * lively), max(_MOTION_OFF, _MOTION_SHARE_OFF * lively)
    return _joined(_above(level, on, off) / fps)


def dub_weights(stretches_s: np.ndarray, *, fps: float, frame_count: int) -> np.ndarray:
    """Return the dubbed mouth's weight (F,): 1 in speech, exactly 0 in silence, smooth between.

    A frame counts by its middle.

    Args:
        stretches_s: (N, 2) begin and end of speech.
        fps: Frames a second.
        frame_count: F.
    """
    middles_s = (np.arange(frame_count) + 0.5) / fps
    distance_s = np.full(frame_count, np.inf)
    for begin_s, end_s in stretches_s:
        outside = np.maximum(np.maximum(begin_s - middles_s, middles_s - end_s), 0.0)
        distance_s = np.minimum(distance_s, outside)
    part = np.clip(1.0 - distance_s / BLEND_S, 0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)


def _above(levels: np.ndarray, on: float, off: float) -> np.ndarray:
    """Return runs (N, 2), first index and one past the last, that reach `on` and stay at `off` or above around it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], levels >= off, [0]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return np.array([run for run in runs if levels[run[0] : run[1]].max() >= on], np.float64).reshape(-1, 2)


def _joined(stretches: np.ndarray) -> np.ndarray:
    """Return stretches with pauses up to `LONGEST_PAUSE_S` bridged; what is too short for a sound falls away."""
    joined: list[list[float]] = []
    for begin, end in stretches:
        if joined and begin - joined[-1][1] <= LONGEST_PAUSE_S:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    return np.array([run for run in joined if run[1] - run[0] >= SHORTEST_SPEECH_S], np.float64).reshape(-1, 2)
