"""How far two images lie apart, each measure a short function on uint8 RGB images of one size.

Nothing here knows where the images come from.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

_LARGEST = 255.0
_PERFECT_DB = 100.0


def rgb_distance(made: np.ndarray, wanted: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean Euclidean distance of pixels in RGB, channels 0..255: the error of Deep Video Portraits, section 7.

    Args:
        made: (H, W, 3) uint8.
        wanted: (H, W, 3) uint8.
        mask: (H, W), true where pixels count; everywhere where not given. An empty one gives 0.
    """
    distances = distance_image(made, wanted)
    if mask is None:
        return float(distances.mean())
    return float(distances[mask].mean()) if mask.any() else 0.0


def distance_image(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Euclidean RGB distance of every pixel, (H, W) float64."""
    return np.linalg.norm(made.astype(np.float64) - wanted, axis=2)


def psnr(made: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; 100 for equal images."""
    mean_square = float(np.mean((made.astype(np.float64) - wanted) ** 2))
    return _PERFECT_DB if mean_square == 0 else min(_PERFECT_DB, 10 * float(np.log10(_LARGEST**2 / mean_square)))


def ssim(made: np.ndarray, wanted: np.ndarray) -> float:
    """Structural similarity with a Gaussian window of sigma 1.5 (Wang et al. 2004), mean over channels."""
    similarity = structural_similarity(
        made,
        wanted,
        channel_axis=2,
        data_range=_LARGEST,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(np.mean(np.asarray(similarity)))


def change_error(made: np.ndarray, made_before: np.ndarray, wanted: np.ndarray, wanted_before: np.ndarray) -> float:
    """Flicker: mean RGB distance between the change of the made image and that of the wanted one."""
    made_change = made.astype(np.float64) - made_before
    wanted_change = wanted.astype(np.float64) - wanted_before
    return float(np.linalg.norm(made_change - wanted_change, axis=2).mean())
