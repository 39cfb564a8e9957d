"""Takes a generated face to the plate's colours: a smooth difference, measured where the plate is kept beside it.

A network paints skin a level or two off, which nobody sees in a whole frame and everybody in a patch on the plate. What
the plate and the generated picture differ by on the kept part of the face is carried smoothly into the replaced part.
"""

from __future__ import annotations

import cv2
import numpy as np

REACH = 0.15
"""Standard deviation of the blur that carries the difference, in head sizes."""
LARGEST = 16.0
"""Levels of 255 at most: more is another face, not another colour."""
_WELL_KNOWN = 0.02


def matched_to_plate(generated: np.ndarray, plate_square: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
    """Return the generated square (R, R, 3) float32 in 0..255 with the plate's colours.

    Args:
        generated: (R, R, 3) uint8.
        plate_square: (R, R, 3) uint8, the plate's crop of the same frame.
        is_kept: (R, R) bool: face that the matte leaves to the plate, in the same place in both.
    """
    own = generated.astype(np.float32)
    if not is_kept.any():
        return own
    weight = is_kept.astype(np.float32)
    sigma_px = REACH * float(np.sqrt(np.count_nonzero(is_kept)))
    known = _blurred(weight, sigma_px)
    difference = _blurred((plate_square - own) * weight[..., None], sigma_px) / (known + _WELL_KNOWN)[..., None]
    return np.clip(own + np.clip(difference, -LARGEST, LARGEST), 0.0, 255.0)


def _blurred(picture: np.ndarray, sigma_px: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), max(sigma_px, 1.0), borderType=cv2.BORDER_REPLICATE)
