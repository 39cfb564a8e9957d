"""The fast ways of shrinking and softening a plate against plain ones."""

import numpy as np
import pytest

from dvp_core.tracking.eye_sight import PITCHES_RAD, YAWS_RAD, directions
from dvp_core.tracking.iris_search import EDGE_RAD, LOOK_PITCHES_RAD, LOOK_YAWS_RAD, PUPIL_SHARE, discs_of
from dvp_core.tracking.picture import BINOMIAL, PlateWindow, softened
from dvp_core.tracking.texture import _boxed


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shrunk_picture_holds_the_means_of_squares(channels):
    pixels = np.random.default_rng(1).uniform(0, 1, (20, 28, channels)).astype(np.float32)
    window = PlateWindow(np.zeros(2), np.array([7, 5]), 4)
    expected = [[pixels[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean(axis=(0, 1)) for x in range(7)] for y in range(5)]
    shrunk = window.shrunk(pixels)
    assert shrunk.dtype == np.float32
    np.testing.assert_allclose(shrunk, expected, rtol=1e-5)


def plainly_filtered(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return an (H, W) picture filtered along both axes, pixel by pixel; the edge repeats."""
    reach = len(weights) // 2
    (height, width), found = pixels.shape, np.zeros(pixels.shape)
    for y, x in np.ndindex(height, width):
        rows = np.clip(np.arange(y - reach, y + reach + 1), 0, height - 1)
        columns = np.clip(np.arange(x - reach, x + reach + 1), 0, width - 1)
        found[y, x] = weights @ pixels[np.ix_(rows, columns)] @ weights
    return found


def test_filters_are_those_of_a_plain_loop():
    pixels = np.random.default_rng(2).uniform(0, 1, (9, 12)).astype(np.float32)
    np.testing.assert_allclose(softened(pixels[..., None])[..., 0], plainly_filtered(pixels, BINOMIAL), rtol=1e-5)
    np.testing.assert_allclose(_boxed(pixels), plainly_filtered(pixels, np.full(5, 0.2)), rtol=1e-5)


@pytest.mark.parametrize("angle_rad", [0.15, 0.45])
def test_discs_are_soft_caps_of_the_eyeball(angle_rad):
    cosines = directions(LOOK_YAWS_RAD, LOOK_PITCHES_RAD) @ directions(YAWS_RAD, PITCHES_RAD).T

    def cap(radius_rad: float) -> np.ndarray:
        return 1 / (1 + np.exp((np.cos(radius_rad) - cosines) / (np.sin(radius_rad) * EDGE_RAD)))

    iris, pupil = cap(angle_rad), cap(np.arcsin(PUPIL_SHARE * np.sin(angle_rad)))
    discs = discs_of(angle_rad)
    np.testing.assert_allclose(discs.iris, iris, atol=1e-5)
    np.testing.assert_allclose(discs.pupil, pupil, atol=1e-5)
    expected = np.concatenate([iris, iris**2, pupil, pupil**2, iris * pupil])
    np.testing.assert_allclose(discs.stacked, expected, atol=2e-5)
