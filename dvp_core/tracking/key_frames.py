"""Chooses a few frames that differ as much as possible: they show the person's shape from many sides."""

from __future__ import annotations

import numpy as np

REACH = 4  # frames to each side: what lasts no longer, and differs from all around it, is a slip of the detector
SLIP = 0.2  # of the face's size, the root mean square over points: farther than a face goes and comes back in that time
SLIP_DEVIATIONS = 5.0


def well_spread_frames(points_px: np.ndarray, is_detected: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` frame numbers, ascending, spread over poses and expressions (farthest-point sampling).

    The first is the most usual frame, so that the mean face is a good start. Frames in which the detector slipped
    differ most of all and would all be chosen; they are left out.

    Args:
        points_px: (F, 68, 2) detected points.
        is_detected: (F,) whether a face was found.
        count: How many.
    """
    frames = np.flatnonzero(is_detected)
    frames = frames[~slips(points_px[frames])]
    shapes = _shapes(points_px[frames])
    usual = np.median(shapes, axis=0)
    chosen = [int(np.argmin(np.linalg.norm(shapes - usual, axis=1)))]
    distance = np.linalg.norm(shapes - shapes[chosen[0]], axis=1)
    for _ in range(min(count, len(frames)) - 1):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(shapes - shapes[chosen[-1]], axis=1))
    return np.sort(frames[np.unique(chosen)])


def slips(points_px: np.ndarray) -> np.ndarray:
    """Return (F,) in which frames of points (F, 68, 2) the detector slipped for a moment, or saw another face.

    Each frame is held against the median of those around it. Steady motion is its own median, and so is what stays, as
    after a cut.
    """
    inner = points_px[:, 17:]
    if len(inner) <= 2 * REACH:
        return np.zeros(len(inner), dtype=bool)
    radius = np.median(np.linalg.norm(inner - inner.mean(axis=1, keepdims=True), axis=(1, 2)))
    flat = inner.reshape(len(inner), -1) / max(float(radius), 1e-9)
    before, after = 2 * flat[0] - flat[REACH:0:-1], 2 * flat[-1] - flat[-2 : -REACH - 2 : -1]
    around = np.concatenate([before, flat, after])
    away = np.array(
        [
            np.linalg.norm(frame - np.median(around[index : index + 2 * REACH + 1], axis=0))
            for index, frame in enumerate(flat)
        ]
    )
    return away > max(SLIP, SLIP_DEVIATIONS * float(np.median(away)))


def _shapes(points_px: np.ndarray) -> np.ndarray:
    """Return (F, 102) the inner points of frames (F, 68, 2), free of place and size."""
    points = points_px[:, 17:]
    centered = points - points.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(centered, axis=(1, 2), keepdims=True)
    return (centered / np.maximum(sizes, 1e-9)).reshape(len(points), -1)
