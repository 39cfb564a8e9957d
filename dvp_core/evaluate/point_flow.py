"""Where points of one picture lie in another one of the same scene, by dense optical flow: no detector is asked."""

from __future__ import annotations

import cv2
import numpy as np

_LEAST_SIDE_PX = 256
"""Smaller pictures are enlarged first: the flow's patches are eight pixels wide."""
_LEAST_CONTRAST = 2.0  # levels of 255, below which a patch shows noise


def moved_points(
    before: np.ndarray, after: np.ndarray, points_px: np.ndarray, *, is_enlarged: bool = True
) -> np.ndarray:
    """Return where points of a picture lie in another one (dense inverse search, Kroeger et al. 2016).

    Args:
        before: (H, W, 3) uint8, the picture the points are of.
        after: (H, W, 3) uint8, of the same scene a little changed.
        points_px: (P, 2) pixels of `before`; beyond its border they move as the nearest pixel does.
        is_enlarged: Whether small pictures are enlarged first, which is finer and four times as slow.

    Returns:
        (P, 2) pixels of `after`.
    """
    times = max(-(-_LEAST_SIDE_PX // before.shape[0]), 1) if is_enlarged else 1
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    gray = _gray(before, times)
    flow = search.calc(gray, _gray(after, times), np.zeros((*gray.shape, 2), np.float32))
    return points_px + _sampled(flow, points_px * times - 0.5) / times


def likeness(before: np.ndarray, after: np.ndarray, points_px: np.ndarray, moved_px: np.ndarray) -> np.ndarray:
    """Return (P,) how alike the surroundings of points are in two pictures: their correlation, 0 where nothing is seen.

    Args:
        before: (R, R, 3) uint8.
        after: (R, R, 3) uint8.
        points_px: (P, 2) pixels of `before`.
        moved_px: (P, 2) the same points in `after`.
    """
    radius = max(before.shape[0] // 32, 3)
    steps = np.arange(-radius, radius + 1)
    offsets = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    first, second = (
        _sampled(_gray(picture, 1).astype(np.float64)[..., None], places[:, None] + offsets - 0.5)[..., 0]
        for picture, places in ((before, points_px), (after, moved_px))
    )
    first, second = (patches - patches.mean(axis=1, keepdims=True) for patches in (first, second))
    contrast = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.maximum(contrast, len(offsets) * _LEAST_CONTRAST**2)


def _gray(picture: np.ndarray, times: int) -> np.ndarray:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if times == 1:
        return gray
    return cv2.resize(gray, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def _sampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return an image (H, W, C) at places (..., 2) counted from the first pixel's centre, bilinearly."""
    largest = np.array([image.shape[1] - 1, image.shape[0] - 1])
    inside = np.clip(places, 0, largest)
    whole = np.minimum(inside.astype(int), largest - 1)
    right, down = np.moveaxis(inside - whole, -1, 0)[..., None]
    x, y = np.moveaxis(whole, -1, 0)
    above = image[y, x] * (1 - right) + image[y, x + 1] * right
    below = image[y + 1, x] * (1 - right) + image[y + 1, x + 1] * right
    return above * (1 - down) + below * down
