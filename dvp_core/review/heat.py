"""Heat strips: one row a region over all frames, cold where a generator has seen the like, hot where it guesses."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from dvp_core.review.marks import INK, Colour, write

_ROW_PX, _LEFT_PX, _BOTTOM_PX, _GAP_PX = 26, 96, 22, 2
_GROUND: Colour = (24, 24, 28)
_STOPS = (0.0, 1.0, 2.0, 4.0)
_COLOURS = np.array([(38, 52, 84), (70, 150, 120), (250, 200, 60), (220, 50, 40)], np.float64)
"""Colours at these distances, linear between: seen, at the rim of it, beyond, far beyond."""
_TICKS = 8


def heat_colours(distances: np.ndarray) -> np.ndarray:
    """Return the colours (..., 3) uint8 of distances (...), see `dvp_core.data.coverage.unseen`."""
    return np.rint(np.stack([np.interp(distances, _STOPS, channel) for channel in _COLOURS.T], axis=-1)).astype(
        np.uint8
    )


def heat_picture(rows: Mapping[str, np.ndarray], first_frame: int, *, width_px: int = 1200) -> np.ndarray:
    """Return (H, W, 3) uint8: named rows of distances (F,) over the frames' numbers; a column shows its worst frame.

    Args:
        rows: Distances by name.
        first_frame: Number of the first frame.
        width_px: Of the whole picture.
    """
    count = len(next(iter(rows.values())))
    picture = np.empty((_ROW_PX * len(rows) + _BOTTOM_PX, width_px, 3), np.uint8)
    picture[:] = _GROUND
    edges = np.linspace(0, count, width_px - _LEFT_PX + 1)
    starts = np.minimum(edges[:-1].astype(int), count - 1)
    stops = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    for number, (name, distances) in enumerate(rows.items()):
        top = number * _ROW_PX
        worst = np.array([distances[start:stop].max() for start, stop in zip(starts, stops, strict=True)])
        picture[top : top + _ROW_PX - _GAP_PX, _LEFT_PX:] = heat_colours(worst)
        write(picture, name, (8, top + _ROW_PX - 9), INK)
    _draw_ticks(picture, first_frame, count)
    return picture


def _draw_ticks(picture: np.ndarray, first_frame: int, count: int) -> None:
    for index in np.unique(np.linspace(0, count - 1, min(_TICKS, count)).round().astype(int)):
        x = _LEFT_PX + int((index + 0.5) / count * (picture.shape[1] - _LEFT_PX))
        cv2.line(picture, (x, len(picture) - _BOTTOM_PX), (x, len(picture) - _BOTTOM_PX + 4), INK, 1)
        text = str(first_frame + index)
        write(picture, text, (min(x, picture.shape[1] - 9 * len(text)), len(picture) - 5), INK)
