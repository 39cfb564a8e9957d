"""What footage lacks that a generator will be asked for, told before hours are spent on it.

A generator paints what it has seen. These checks look at how far the head turned, the eyes looked and the face moved in
the frames to learn from; they warn and never refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dvp_core.data.take import Take
from dvp_core.generator.coverage import performance_vectors
from dvp_core.generator.footage import check_takes
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.splitting import split_of

FEW_FRAMES = 500
LITTLE_TURN_DEG = 10.0
LITTLE_NOD_DEG = 6.0
LITTLE_GAZE_DEG = 8.0
LITTLE_JAW = 0.25
LITTLE_BLINK = 0.4
LITTLE_MOTION = 0.1
FEW_EXPRESSIONS = 8
_REST_PERCENT = 2
"""Share of frames at either end of a range that may be slips of the tracker."""


def footage_doubts(takes: Sequence[Take], options: TrainOptions) -> list[str]:
    """Return a sentence for everything that the frames to learn from hardly show.

    Raises:
        DataError: Takes that do not fit together, or too few frames.
    """
    check_takes(takes)
    learned = split_of(takes, options).learned
    names, _ = performance_vectors(takes[0])
    values = np.concatenate([performance_vectors(take)[1][own] for take, own in zip(takes, learned, strict=True)])
    low, high = np.percentile(values, [_REST_PERCENT, 100 - _REST_PERCENT], axis=0)
    ranges = dict(zip(names, (high - low).tolist(), strict=True))
    found = [_few_frames(len(values), float(takes[0].clip.fps)), *(check(ranges) for check in CHECKS)]
    return [sentence for sentence in found if sentence]


def _few_frames(count: int, fps: float) -> str | None:
    if count >= FEW_FRAMES:
        return None
    return f"there are only {count} frames ({count / fps:.0f} s) to learn from; about one minute is good"


def _small_turn(ranges: dict[str, float]) -> str | None:
    degrees = np.degrees(ranges["head.yaw_rad"])
    if degrees >= LITTLE_TURN_DEG:
        return None
    return f"the head turns from side to side by only {degrees:.1f} degrees; turned further it will come out wrong"


def _small_nod(ranges: dict[str, float]) -> str | None:
    degrees = np.degrees(ranges["head.pitch_rad"])
    if degrees >= LITTLE_NOD_DEG:
        return None
    return f"the head nods by only {degrees:.1f} degrees; tilted further it will come out wrong"


def _still_gaze(ranges: dict[str, float]) -> str | None:
    degrees = np.degrees(max(ranges["gaze.left_yaw_rad"], ranges["gaze.right_yaw_rad"]))
    if degrees >= LITTLE_GAZE_DEG:
        return None
    return f"the eyes look from side to side by only {degrees:.1f} degrees; other gaze will come out wrong"


def _closed_mouth(ranges: dict[str, float]) -> str | None:
    jaw = ranges.get("expression.jawOpen")
    if jaw is None or jaw >= LITTLE_JAW:
        return None
    return f"the mouth hardly opens (jawOpen moves by {jaw:.2f}); teeth and tongue will come out wrong"


def _open_eyes(ranges: dict[str, float]) -> str | None:
    lids = [ranges[name] for name in ("expression.eyeBlinkLeft", "expression.eyeBlinkRight") if name in ranges]
    if not lids or max(lids) >= LITTLE_BLINK:
        return None
    return f"the eyes hardly ever close (eyeBlink moves by {max(lids):.2f}); closed lids will come out wrong"


def _still_face(ranges: dict[str, float]) -> str | None:
    expressions = [span for name, span in ranges.items() if name.startswith("expression.")]
    moving = sum(span >= LITTLE_MOTION for span in expressions)
    if moving >= min(FEW_EXPRESSIONS, len(expressions)):
        return None
    return f"only {moving} of {len(expressions)} expressions move; others will come out wrong"


CHECKS: tuple[Callable[[dict[str, float]], str | None], ...] = (
    _small_turn,
    _small_nod,
    _still_gaze,
    _closed_mouth,
    _open_eyes,
    _still_face,
)
