import numpy as np
import pytest

from dvp_core.evaluate.metrics import change_error, psnr, rgb_distance, ssim


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 200, (32, 32, 3), dtype=np.uint8)


def test_equal_images_are_equal():
    assert rgb_distance(image(), image()) == 0
    assert psnr(image(), image()) == 100
    assert ssim(image(), image()) == pytest.approx(1)


def test_rgb_distance_is_euclidean_over_channels():
    wanted = image()
    made = wanted + np.array([3, 4, 0], dtype=np.uint8)
    assert rgb_distance(made, wanted) == pytest.approx(5)
    assert psnr(made, wanted) == pytest.approx(10 * np.log10(255**2 / (25 / 3)))


def test_dark_minus_bright_does_not_wrap_around():
    assert rgb_distance(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)) == pytest.approx(255 * 3**0.5)


def test_a_mask_chooses_pixels():
    wanted = image()
    made = wanted.copy()
    made[:8] += 10
    mask = np.zeros((32, 32), dtype=bool)
    mask[8:] = True
    assert rgb_distance(made, wanted, mask) == 0
    assert rgb_distance(made, wanted, ~mask) == pytest.approx(10 * 3**0.5)
    assert rgb_distance(made, wanted, np.zeros_like(mask)) == 0


def test_ssim_falls_with_blur():
    sharp = image()
    blurred = (sharp.astype(float) + np.roll(sharp, 1, 0) + np.roll(sharp, 1, 1)) / 3
    assert ssim(blurred.astype(np.uint8), sharp) < 0.8


def test_flicker_measures_change_and_not_level():
    before, now = image(1), image(2)
    assert change_error(now + 20, before + 20, now, before) == 0
    assert change_error(now + 20, before, now, before) == pytest.approx(20 * 3**0.5)


def test_measures_of_a_region_see_that_region_alone():
    wanted = image()
    made = wanted.copy()
    made[:8] = 255 - made[:8]
    spoilt = np.zeros(wanted.shape[:2], dtype=bool)
    spoilt[:8] = True
    untouched = np.zeros_like(spoilt)
    untouched[20:] = True  # beyond the reach of the similarity's window
    assert psnr(made, wanted, untouched) == 100
    assert ssim(made, wanted, untouched) == pytest.approx(1)
    assert psnr(made, wanted, spoilt) < psnr(made, wanted)
    assert ssim(made, wanted, spoilt) < ssim(made, wanted)
    nothing = np.zeros_like(spoilt)
    assert (psnr(made, wanted, nothing), ssim(made, wanted, nothing)) == (100, 1)
