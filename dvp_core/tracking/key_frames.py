"""Chooses a few frames that differ as much as possible: they show the person's shape from many sides."""

from __future__ import annotations

import numpy as np


def well_spread_frames(points_px: np.ndarray, is_detected: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` frame numbers, ascending, spread over poses and expressions (farthest-point sampling).

    The first is the most usual frame, so that the mean face is a good start.

    Args:
        points_px: (F, 68, 2) detected points.
        is_detected: (F,) whether a face was found.
        count: How many.
    """
    frames = np.flatnonzero(is_detected)
    points = points_px[frames, 17:]
    centered = points - points.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(centered, axis=(1, 2), keepdims=True)
    shapes = (centered / np.maximum(sizes, 1e-9)).reshape(len(frames), -1)
    usual = np.median(shapes, axis=0)
    chosen = [int(np.argmin(np.linalg.norm(shapes - usual, axis=1)))]
    distance = np.linalg.norm(shapes - shapes[chosen[0]], axis=1)
    for _ in range(min(count, len(frames)) - 1):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(shapes - shapes[chosen[-1]], axis=1))
    return np.sort(frames[np.unique(chosen)])
