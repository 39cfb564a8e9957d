"""How far two images lie apart, each measure a short function on uint8 RGB images of one size.

Nothing here knows where the images come from.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

_LARGEST = 255.0
_PERFECT_DB = 100.0
_WINDOW_REACH = 5  # of the similarity's window, pixels


def rgb_distance(made: np.ndarray, wanted: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean Euclidean distance of pixels in RGB, channels 0..255: the error of Deep Video Portraits, section 7.

    Args:
        made: (H, W, 3) uint8.
        wanted: (H, W, 3) uint8.
        mask: (H, W), true where pixels count; everywhere where not given. An empty one gives 0.
    """
    return mean_within(distance_image(made, wanted), mask, empty=0.0)


def distance_image(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Euclidean RGB distance of every pixel, (H, W) float64."""
    return np.linalg.norm(made.astype(np.float64) - wanted, axis=2)


def psnr(made: np.ndarray, wanted: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all channels, within a mask (H, W) if given; 100 for equal images."""
    squares = (made.astype(np.float64) - wanted) ** 2
    counted = squares if mask is None else squares[mask]
    mean_square = float(counted.mean()) if counted.size else 0.0
    return _PERFECT_DB if mean_square == 0 else min(_PERFECT_DB, 10 * float(np.log10(_LARGEST**2 / mean_square)))


def ssim(made: np.ndarray, wanted: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity (Wang et al. 2004), see `similarity_within`."""
    return similarity_within(similarity_image(made, wanted), mask)


def similarity_within(similarity: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return the mean of a similarity image over a mask's pixels; 1 for an empty mask.

    Without a mask over all whose window lies within the image, as is usual.
    """
    if mask is None:
        inner = slice(_WINDOW_REACH, -_WINDOW_REACH)
        return float(similarity[inner, inner].mean())
    return mean_within(similarity, mask, empty=1.0)


def similarity_image(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Structural similarity of every pixel, (H, W): a Gaussian window of sigma 1.5, mean over channels."""
    similarity = structural_similarity(
        made,
        wanted,
        channel_axis=2,
        data_range=_LARGEST,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    return np.asarray(similarity).mean(axis=2)


def mean_within(image: np.ndarray, mask: np.ndarray | None, *, empty: float) -> float:
    """Return the mean of an image (H, W) over a mask's pixels, over all where None, `empty` where it has none."""
    counted = image if mask is None else image[mask]
    return float(counted.mean()) if counted.size else empty


def change_error(made: np.ndarray, made_before: np.ndarray, wanted: np.ndarray, wanted_before: np.ndarray) -> float:
    """Flicker: mean RGB distance between the change of the made image and that of the wanted one."""
    made_change = made.astype(np.float64) - made_before
    wanted_change = wanted.astype(np.float64) - wanted_before
    return float(np.linalg.norm(made_change - wanted_change, axis=2).mean())
