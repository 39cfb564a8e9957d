"""Which frames of a shot tell most about it: its ends, its middle, and the extremes of its curves.

Whoever renders a shot may begin with them, so that a few pictures show within seconds what the whole will be like.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import TRACKED_TAKE, Take, read_take
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import yaw_pitch_roll_rad

_FEWEST_FRAMES = 25
"""A shot that fits one contact sheet whole needs no order."""
_SPREAD_PARTS = 8


def first_frames(passes: Path, frames: FrameRange, *, unedited: Path | None = None) -> tuple[int, ...]:
    """Return the frames of a shot to begin with, each once; none where the shot is short.

    The curves are those of a take that lies beside the passes, else of the performance as tracked; without any take the
    frames are spread evenly.

    Args:
        passes: Folder of pass files.
        frames: The shot's frames.
        unedited: The performance as tracked, where it is known.
    """
    if len(frames) < _FEWEST_FRAMES:
        return ()
    ends = (frames.first, frames.numbers[len(frames) // 2], frames.last)
    take = _take_beside(passes, unedited)
    found = () if take is None else extreme_frames(take, frames)
    return tuple(dict.fromkeys((*ends, *(found or _spread(frames)))))


def extreme_frames(take: Take, frames: FrameRange) -> tuple[int, ...]:
    """Return where a take's curves are at their ends: head, gaze, jaw, lids and the expression as a whole.

    Args:
        take: The performance.
        frames: Those to choose from; what the take does not hold is left aside.
    """
    numbers = [frame for frame in frames if frame in take.frames]
    if not numbers:
        return ()
    rows = np.array([take.index_of(number) for number in numbers])
    chosen = []
    for curve in _curves(take, rows):
        if np.ptp(curve) > 0:
            chosen += [numbers[int(np.argmax(curve))]]
    return tuple(dict.fromkeys(chosen))


def _curves(take: Take, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield curves (rows,) whose highest value is worth a picture."""
    angles_rad = yaw_pitch_roll_rad(relative_to_facing(take.head_rotation_wxyz[rows]))
    gaze_yaw_rad = take.gaze_rad[rows].mean(axis=1)[:, 0]
    names = list(take.expression_names)
    for number in range(2):  # yaw and pitch
        yield angles_rad[:, number]
        yield -angles_rad[:, number]
    for name in ("jawOpen", "eyeBlinkLeft"):
        if name in names:
            yield take.expression[rows, names.index(name)]
    yield gaze_yaw_rad
    yield -gaze_yaw_rad
    yield np.linalg.norm(take.expression[rows], axis=1)


def _take_beside(passes: Path, unedited: Path | None) -> Take | None:
    beside = sorted(passes.glob("*.take"), key=lambda path: (path.name == TRACKED_TAKE, path.name))
    if unedited is not None and unedited.suffix == ".take":
        beside.append(unedited)
    for path in beside:
        try:
            return read_take(path)
        except DataError:  # rendering does not need it, and whoever does will name what is wrong
            continue
    return None


def _spread(frames: FrameRange) -> tuple[int, ...]:
    """Return frames at the quarters of a range, then at its eighths."""
    places = sorted(range(1, _SPREAD_PARTS), key=lambda part: (part % 2, part))
    return tuple(frames.numbers[len(frames) * place // _SPREAD_PARTS] for place in places)
