"""A take's crop cut out of its plate, and squares resized with the one pixel rule.

Pixel centres lie at +0.5: pixel (u, v) of the crop covers the plate's square from `x_px + u / scale` to
`x_px + (u + 1) / scale`. Shrinking averages over that area, enlarging interpolates with Lanczos' kernel. This file
blends nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

from dvp_core.data.camera import Crop


def crop_plate(plate: np.ndarray, crop: Crop) -> np.ndarray:
    """Return the crop of a plate at the crop's resolution; outside the plate its edge pixels repeat.

    Args:
        plate: (height, width, 3) uint8.
        crop: The square; it may reach beyond the plate.

    Returns:
        (resolution_px, resolution_px, 3) uint8.
    """
    height, width = plate.shape[:2]
    rows = np.clip(np.arange(crop.y_px, crop.y_px + crop.size_px), 0, height - 1)
    columns = np.clip(np.arange(crop.x_px, crop.x_px + crop.size_px), 0, width - 1)
    return resized_square(plate[rows[:, None], columns], crop.resolution_px)


def resized_square(image: np.ndarray, size_px: int) -> np.ndarray:
    """Return a square picture (N, N, ...) at another size: by area when it shrinks, by Lanczos when it grows."""
    if len(image) == size_px:
        return np.ascontiguousarray(image)
    kernel = cv2.INTER_AREA if size_px < len(image) else cv2.INTER_LANCZOS4
    return cv2.resize(image, (size_px, size_px), interpolation=kernel)
