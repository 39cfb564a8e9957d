"""The strip below an overlay: the errors of all frames, what is doubtful, cuts, and a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.data.doubt import Doubt, gravest_first
from dvp_core.data.take import Take
from dvp_core.review.marks import Colour, write

HEIGHT_PX = 64
POINTS: Colour = (80, 255, 90)
COLOURS: Colour = (110, 190, 255)
_GROUND: Colour = (24, 24, 28)
_BAD: Colour = (140, 30, 30)
_LOOK: Colour = (84, 66, 22)
_CUT: Colour = (150, 150, 150)
_TOP_TIMES_USUAL = 3.0
_MARGIN_PX = 4


@dataclass(frozen=True)
class Strip:
    """Drawn once for a whole take; `at` adds the cursor.

    Attributes:
        picture: (HEIGHT_PX, W, 3) uint8.
        frame_count: F.
    """

    picture: np.ndarray
    frame_count: int

    def at(self, index: int) -> np.ndarray:
        """Return the strip with its cursor at a frame's index."""
        picture = self.picture.copy()
        x = int(_places(self.frame_count, picture.shape[1])[index])
        picture[:, max(x - 1, 0) : x + 1] = 255
        return picture


def strip_of(take: Take, doubts: Sequence[Doubt], width_px: int) -> Strip:
    """Return the strip of a take: errors of points (green) and colours (blue), three times the usual at the top."""
    picture = np.empty((HEIGHT_PX, width_px, 3), np.uint8)
    picture[:] = _GROUND
    edges = np.linspace(_MARGIN_PX, width_px - _MARGIN_PX, take.frame_count + 1)
    for doubt in reversed(gravest_first(doubts)):
        if doubt.severity != "note":
            first, last = take.index_of(doubt.first_frame), take.index_of(doubt.last_frame)
            left, right = int(edges[first]), max(int(np.ceil(edges[last + 1])), int(edges[first]) + 2)
            picture[:, left:right] = _BAD if doubt.severity == "bad" else _LOOK
    for frame in take.shot_starts:
        picture[:, int(edges[take.index_of(frame)])] = _CUT
    _draw_curve(picture, take.photometric_error, take.is_tracked, COLOURS)
    _draw_curve(picture, take.landmark_error_px, take.is_tracked, POINTS)
    write(picture, "error of points", (8, 14), POINTS)
    write(picture, "of colours", (128, 14), COLOURS)
    return Strip(picture, take.frame_count)


def _places(frame_count: int, width_px: int) -> np.ndarray:
    """Return the middle (F,) of each frame in pixels."""
    edges = np.linspace(_MARGIN_PX, width_px - _MARGIN_PX, frame_count + 1)
    return 0.5 * (edges[1:] + edges[:-1])


def _draw_curve(picture: np.ndarray, values: np.ndarray, is_tracked: np.ndarray, colour: Colour) -> None:
    seen = values[is_tracked]
    usual = float(np.median(seen)) if len(seen) else 0.0
    share = np.clip(values / max(_TOP_TIMES_USUAL * usual, 1e-9), 0.0, 1.0)
    height_px = len(picture) - 2 * _MARGIN_PX
    y = len(picture) - _MARGIN_PX - share * height_px
    points = np.column_stack([_places(len(values), picture.shape[1]), y])
    breaks = np.flatnonzero(np.diff(is_tracked.astype(np.int8))) + 1
    for part, is_seen in zip(np.split(points, breaks), np.split(is_tracked, breaks), strict=True):
        if is_seen[0]:
            cv2.polylines(picture, [np.rint(part * 16).astype(np.int32)], False, colour, 1, cv2.LINE_AA, 4)
