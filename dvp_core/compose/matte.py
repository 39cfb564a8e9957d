"""Where a generated square replaces the plate.

The matte follows from geometry: the face as it was filmed and as it is now, widened by a part of the head's size so
that hair, ears and the shadow on the neck come along, with a soft border. The whole square would be the other choice;
it was not taken because a generator repaints background and clothes a little softer and a little differently on every
frame, and nobody asked for that change. What lies further from the head than the matte reaches (long hair, hands) stays
the plate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.data.camera import Crop


@dataclass(frozen=True)
class MatteOptions:
    """How far the matte reaches. A head's size is the square root of its area in the picture.

    Attributes:
        margin: Width of the full replacement around the face, in head sizes.
        feather: Width of the soft border around that, in head sizes.
        border: Width of the soft border along the square's own edges, in parts of the square.
        edit_margin: Width of the full replacement around what an edit moves while the head stands still, in head sizes.
        edit_feather: Width of the soft border around that, in head sizes.
    """

    margin: float = 0.25
    feather: float = 0.2
    border: float = 0.06
    edit_margin: float = 0.04
    edit_feather: float = 0.08


def head_matte(masks: Sequence[np.ndarray], options: MatteOptions) -> np.ndarray:
    """Return the matte (R, R) float32 in 0..1 around the union of face masks; all zero where there is no face.

    Args:
        masks: (R, R) each, 1 on the face: the edited frame's and, where at hand, the unedited one's.
        options: How far it reaches.
    """
    face = np.max([mask > 0.5 for mask in masks], axis=0)
    if not face.any():
        return np.zeros(face.shape, np.float32)
    head_size_px = float(np.sqrt(np.mean([np.count_nonzero(mask > 0.5) for mask in masks])))
    outside = np.where(face, 0, 1).astype(np.uint8)
    distance_px = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    feather_px = max(options.feather * head_size_px, 1.0)
    return smooth_step((distance_px - options.margin * head_size_px) / feather_px)


def border_matte(crop: Crop, plate_shape: tuple[int, ...], options: MatteOptions) -> np.ndarray:
    """Return (R, R) float32 that falls to 0 at those edges of the square that lie inside the plate.

    An edge on or beyond the plate's own edge needs no soft border: nothing of the plate follows it.
    """
    height, width = plate_shape[:2]
    resolution = crop.resolution_px
    width_px = max(options.border * resolution, 1.0)
    from_start = np.arange(resolution) + 0.5
    from_stop = from_start[::-1]

    def ramp(is_inside_start: bool, is_inside_stop: bool) -> np.ndarray:
        start = from_start / width_px if is_inside_start else np.ones(resolution)
        stop = from_stop / width_px if is_inside_stop else np.ones(resolution)
        return smooth_step(1.0 - np.minimum(start, stop))

    across = ramp(crop.x_px > 0, crop.x_px + crop.size_px < width)
    down = ramp(crop.y_px > 0, crop.y_px + crop.size_px < height)
    return down[:, None] * across[None, :]


def smooth_step(part: np.ndarray) -> np.ndarray:
    """Return (...) float32: 1 up to part 0, 0 from part 1 on, smooth between."""
    rest = np.clip(1.0 - part, 0.0, 1.0)
    return (rest * rest * (3.0 - 2.0 * rest)).astype(np.float32)
