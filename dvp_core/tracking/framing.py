"""Chooses the one square of the plate that a clip's network will see: head and shoulders, inside where possible."""

from __future__ import annotations

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.clip import Clip

NEARLY_SQUARE = 1.25
ABOVE, BELOW, BESIDE = 0.9, 0.9, 0.7  # room over the brows, under the chin and at each side, in face heights


def framed(clip: Clip, points_px: np.ndarray, resolution_px: int) -> Crop:
    """Return the crop of a clip from its facial points.

    Args:
        clip: Gives the plate's size.
        points_px: (F, 68, 2) of the frames that show the face.
        resolution_px: Side of the square as rendered.
    """
    low, high = np.percentile(points_px.min(axis=1), 1, axis=0), np.percentile(points_px.max(axis=1), 99, axis=0)
    face = float(np.median(np.ptp(points_px[..., 1], axis=1)))
    top, bottom = low[1] - ABOVE * face, high[1] + BELOW * face
    left, right = low[0] - BESIDE * face, high[0] + BESIDE * face
    short, long = sorted((clip.width_px, clip.height_px))
    side = short if long <= NEARLY_SQUARE * short else min(round(max(bottom - top, right - left)), short)
    x = np.clip(round((left + right - side) / 2), 0, clip.width_px - side)
    y = np.clip(round((top + bottom - side) / 2), 0, clip.height_px - side)
    return Crop(int(x), int(y), int(side), resolution_px)
