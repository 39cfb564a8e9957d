"""Where mouth and eyes lie in a take's crop."""

from __future__ import annotations

import numpy as np

from dvp_core.data.take import Take
from dvp_core.face.evaluation import landmarks_68
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.projection import project

MOUTH, EYES = slice(48, 68), slice(36, 48)
_MASK_MARGIN = 0.3
_BOX_MARGIN = 0.35
_LEAST_HEIGHT = 0.5
"""Least height of an enlarged detail as a part of its width, so that a closed mouth is shown with its lips."""


def crop_points(take: Take, index: int) -> np.ndarray | None:
    """Return iBUG's 68 points (68, 2) of a frame in pixels of the crop, None where the take carries no face."""
    if take.face is None:
        return None
    landmarks_camera = landmarks_68(take.face, pose_vertices(take, index))
    return project(landmarks_camera, take.crop.crop_camera(take.camera))


def mouth_mask(take: Take, index: int) -> np.ndarray:
    """Return the mouth's rectangle of a frame as a mask (R, R) of the crop."""
    size = take.crop.resolution_px
    mask = np.zeros((size, size), dtype=bool)
    points = crop_points(take, index)
    if points is None:
        return mask
    low, high = points[MOUTH].min(axis=0), points[MOUTH].max(axis=0)
    margin = _MASK_MARGIN * (high - low).max()
    left, top = np.clip(np.floor(low - margin), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(high + margin), 0, size).astype(int)
    mask[top:bottom, left:right] = True
    return mask


def detail_boxes(take: Take, indices: np.ndarray, part: slice) -> np.ndarray:
    """Return (P, 4) left, top, right, bottom of boxes of one size around a part of the face.

    A take without a face gives the whole crop.

    Args:
        take: The take.
        indices: P frame indices.
        part: `MOUTH` or `EYES`.
    """
    size = take.crop.resolution_px
    found = [crop_points(take, int(index)) for index in indices]
    points = np.array([each[part] for each in found if each is not None])
    if not len(points):
        return np.tile(np.array([0, 0, size, size]), (len(indices), 1))
    extent = np.ptp(points, axis=1).max(axis=0) * (1 + 2 * _BOX_MARGIN)
    extent[1] = max(extent[1], _LEAST_HEIGHT * extent[0])
    sides = np.clip(np.ceil(extent), 4, size).astype(int)
    middles = (points.min(axis=1) + points.max(axis=1)) / 2
    corners = np.clip(np.rint(middles - sides / 2).astype(int), 0, size - sides)
    return np.concatenate([corners, corners + sides], axis=1)


def mouth_row(take: Take, indices: np.ndarray) -> int:
    """Return the crop's row of pixels that passes through the mouth's middle in most of some frames."""
    found = [crop_points(take, int(index)) for index in indices]
    heights = [each[MOUTH, 1].mean() for each in found if each is not None]
    row = float(np.median(heights)) if heights else take.crop.resolution_px * 0.75
    return int(np.clip(row, 0, take.crop.resolution_px - 1))
