"""Faults of motion: pictures that show another frame's pose, a jaw that does not move, eyes left for right.

All is told from where points are asked for and where pictures show them (`asked_points`), the constant part of their
difference taken out. Optical flow finds a jaw's motion whole, and between 0.4 and 1 of what lids and irises do; so
eyes are judged by the sign of what they do and not by its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvp_core.evaluate.asked_points import INNER, IRISES
from dvp_core.evaluate.faults import Fault, runs_of

REACH = 3
"""How many frames off a picture is looked for."""
CLEARER_PX = 0.1
CLEARER_TIMES = 1.5
"""A picture shows another frame where that explains its points better by 0.1 px and 1.5 times the usual error."""
LIVELY_JAW_PX = 0.6
DEAD_SLOPE = 0.5
"""Of the jaw's shown over its asked motion, whole or as changed from the plate: 1 where it follows, 0 where not."""
LIVELY_EYES_PX = 0.3
SWAPPED_CORRELATION = -0.4
WINDOW = 24
_STEP = 6
_TURNS = 3
_CHIN, _NOSE_TIP = 8, 30
_LIDS = (((43, 44), (47, 46)), ((37, 38), (41, 40)))  # left and right eye: above, below
_CORNERS = ((42, 45), (36, 39))


@dataclass(frozen=True)
class Motion:
    """T consecutive frames' points in the crop, (T, 70, 2) pixels each.

    Attributes:
        tracked: As the plate shows them.
        asked: As the edited take asks for them.
        shown: As the pictures show them, the constant part of the difference to `asked` taken out.
    """

    tracked: np.ndarray
    asked: np.ndarray
    shown: np.ndarray


def find_motion_faults(motion: Motion, first_frame: int, left_out: np.ndarray) -> list[Fault]:
    """Return pictures out of order, dead jaws and exchanged eyes.

    Args:
        motion: The points.
        first_frame: Plate number of the first frame.
        left_out: (T,) frames whose pictures show no face or stand still, and are judged elsewhere.
    """
    return [
        *_order_faults(motion, first_frame, left_out),
        *_jaw_faults(motion, first_frame, left_out),
        *_eye_faults(motion, first_frame, left_out),
    ]


def asked_steps(asked_px: np.ndarray) -> np.ndarray:
    """Return (T,) the asked points' mean motion from the frame before; the first one's is 0."""
    steps = np.linalg.norm(np.diff(asked_px[:, list(INNER)], axis=0), axis=2).mean(axis=1)
    return np.concatenate([[0.0], steps])


def without_constant(shown_px: np.ndarray, asked_px: np.ndarray) -> np.ndarray:
    """Return shown points (T, P, 2) less the median over time of their difference to the asked ones."""
    return shown_px - np.median(shown_px - asked_px, axis=0)


def frame_offsets(motion: Motion) -> np.ndarray:
    """Return (T,) by how many frames each picture is early (positive) or late; 0 where its own frame explains it.

    Most pictures of a run may be early. So the constant part of the points' difference is found together with the
    offsets, in turns, and not from the pictures' own frames alone.
    """
    inner = list(INNER)
    shown, asked = motion.shown[:, inner], motion.asked[:, inner]
    index = np.arange(len(shown))
    errors = _offset_errors(shown, asked)
    for _ in range(_TURNS):
        explained = asked[index + errors.argmin(axis=1) - REACH]
        errors = _offset_errors(without_constant(shown, explained), asked)
    usual = float(np.median(errors.min(axis=1)))
    gain = errors[:, REACH] - errors.min(axis=1)
    return np.where(gain > max(CLEARER_PX, CLEARER_TIMES * usual), errors.argmin(axis=1) - REACH, 0)


def _offset_errors(shown: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return how far points (T, P, 2) lie from those asked for `REACH` frames before to after, (T, 2 REACH + 1)."""
    count = len(shown)
    errors = np.full((count, 2 * REACH + 1), np.inf)
    for column, offset in enumerate(range(-REACH, REACH + 1)):
        own = np.arange(max(0, -offset), min(count, count - offset))
        distance = np.linalg.norm(shown[own] - asked[own + offset], axis=2)
        errors[own, column] = np.median(distance, axis=1)
    return errors


def _order_faults(motion: Motion, first_frame: int, left_out: np.ndarray) -> list[Fault]:
    offsets = np.where(left_out, 0, frame_offsets(motion))
    faults = []
    for run in runs_of(offsets != 0):
        own = offsets[run]
        first, last = first_frame + run.start, first_frame + run.stop - 1
        if len(set(own.tolist())) == 1 and len(own) > 1:
            words = "early: a picture before them was dropped" if own[0] > 0 else "late: a picture was shown twice"
            reason = f"pictures come {abs(own[0])} frame{'s' if abs(own[0]) > 1 else ''} {words}"
        else:
            reason = ", ".join(
                f"frame {first + place} shows frame {first + place + offset}"
                for place, offset in enumerate(own.tolist()[:4])
            )
        faults.append(Fault("order", first, last, reason, "Render again, or number the pictures by the plate's frames"))
    return faults


def _jaw_faults(motion: Motion, first_frame: int, left_out: np.ndarray) -> list[Fault]:
    plate, asked, shown = (jaw_opening(points) for points in (motion.tracked, motion.asked, motion.shown))
    is_dead = np.zeros(len(asked), np.bool_)
    for window in _windows(left_out):
        slopes = (_slope(asked[window], shown[window]), _slope((asked - plate)[window], (shown - plate)[window]))
        is_dead[window] |= min(slopes) < DEAD_SLOPE
    return [
        Fault(
            "jaw",
            first_frame + run.start,
            first_frame + run.stop - 1,
            f"the jaw hardly moves where the keys move it by {np.ptp(asked[run]):.1f} pixels",
            "Look at 'dvp coverage': a generator that has seen little speech paints little of it",
        )
        for run in runs_of(is_dead)
    ]


def _slope(asked: np.ndarray, shown: np.ndarray) -> float:
    """Return how much of an asked motion is shown, 1 where hardly any is asked for."""
    x, y = asked - asked.mean(), shown - shown.mean()
    return float(x @ y / (x @ x)) if x.std() >= LIVELY_JAW_PX else 1.0


def _eye_faults(motion: Motion, first_frame: int, left_out: np.ndarray) -> list[Fault]:
    """Return windows in which lids or gaze do the opposite of what was changed from the plate."""
    found: dict[str, np.ndarray] = {}
    for name, signal in eye_signals().items():
        is_swapped = np.zeros(len(left_out), np.bool_)
        plate = signal(motion.tracked)
        x, y = signal(motion.asked) - plate, signal(motion.shown) - plate
        for window in _windows(left_out):
            own, other = x[window] - x[window].mean(), y[window] - y[window].mean()
            size = np.linalg.norm(own) * np.linalg.norm(other)
            if own.std() >= LIVELY_EYES_PX and size > 0 and own @ other / size < SWAPPED_CORRELATION:
                is_swapped[window] = True
        found[name] = is_swapped
    words = {"blinks": "the left eye's lids do what the right one's should", "looks": "the eyes look to the other side"}
    return [
        Fault(
            "eyes",
            first_frame + run.start,
            first_frame + run.stop - 1,
            " and ".join(words[name] for name, is_swapped in found.items() if is_swapped[run].any()),
            "Check that passes and pictures are of this take and not mirrored",
        )
        for run in runs_of(np.any(list(found.values()), axis=0))
    ]


def jaw_opening(points: np.ndarray) -> np.ndarray:
    """Return (T,) the chin's distance from the tip of the nose, pixels."""
    return np.linalg.norm(points[:, _CHIN] - points[:, _NOSE_TIP], axis=1)


def eye_signals() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what tells left eyes from right ones, by name: functions of points (T, 70, 2) to pixels (T,)."""
    return {"blinks": _lid_difference, "looks": _gaze_across}


def _windows(left_out: np.ndarray) -> list[np.ndarray]:
    """Return overlapping windows of frames that are judged; one of all where there are fewer."""
    usable = np.flatnonzero(~left_out)
    if len(usable) < WINDOW // 2:
        return []
    last = max(len(usable) - WINDOW, 0)
    starts = sorted({*range(0, last + 1, _STEP), last})
    return [usable[start : start + WINDOW] for start in starts]


def _lid_difference(points: np.ndarray) -> np.ndarray:
    """Return (T,) how much wider the left eye is open than the right one, pixels."""
    left, right = ((points[:, list(below), 1] - points[:, list(above), 1]).mean(axis=1) for above, below in _LIDS)
    return left - right


def _gaze_across(points: np.ndarray) -> np.ndarray:
    """Return (T,) how far both irises stand to the picture's right of the middles of their eyes, pixels."""
    sides = zip(IRISES, _CORNERS, strict=True)
    return np.mean([points[:, iris, 0] - points[:, list(ends), 0].mean(axis=1) for iris, ends in sides], axis=0)
