"""The sRGB transfer curve (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np


def srgb_encode(linear: np.ndarray) -> np.ndarray:
    """Return sRGB-encoded values of scene-linear ones; the dtype is kept, negative values count as 0."""
    linear = np.maximum(linear, 0)
    low = linear * 12.92
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, low, high).astype(linear.dtype)


def srgb_decode(encoded: np.ndarray) -> np.ndarray:
    """Return scene-linear values of sRGB-encoded ones; the dtype is kept."""
    encoded = np.maximum(encoded, 0)
    low = encoded / 12.92
    high = ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, low, high).astype(encoded.dtype)
