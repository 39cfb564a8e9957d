"""Undistorted plates: a picture bent by a lens comes out straight."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from dvp_core.data.lens import LensDistortion
from dvp_core.maths.lens import PlateCorrection
from dvp_core.video import open_clip, undistorted, write_png
from dvp_core.video.undistorted import resampling_table

SIZE_WH = (160, 120)
LENS = LensDistortion(SIZE_WH, (150.0, 150.0), (82.0, 57.0), -0.18, 0.03, 0.002, -0.001)


def pattern(points_px: np.ndarray) -> np.ndarray:
    """A smooth colour for every place of a plane."""
    x, y = points_px[..., 0], points_px[..., 1]
    colours = [128 + 90 * np.sin(x / 14), 128 + 90 * np.cos(y / 11), 128 + 60 * np.sin((x + y) / 20)]
    return np.rint(np.stack(colours, axis=-1)).astype(np.uint8)


def pixel_centres(size_wh: tuple[int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5), axis=-1)


@pytest.mark.parametrize(
    "correction",
    [
        PlateCorrection(LENS, Fraction(1), SIZE_WH),
        PlateCorrection(None, Fraction(2), SIZE_WH),
        PlateCorrection(None, Fraction(2, 3), SIZE_WH),
        PlateCorrection(LensDistortion(SIZE_WH, (75.0, 150.0), (82.0, 57.0), -0.05), Fraction(2), SIZE_WH),
    ],
    ids=["lens", "wide pixels", "high pixels", "anamorphic"],
)
def test_a_bent_picture_comes_out_straight(correction):
    filmed = pattern(correction.corrected_px(pixel_centres(SIZE_WH)))
    straight = resampling_table(correction).resampled(filmed)
    expected = pattern(pixel_centres(correction.corrected_size_wh))
    width, height = correction.corrected_size_wh
    inner = (slice(height // 8, -height // 8), slice(width // 8, -width // 8))
    assert np.abs(straight[inner].astype(int) - expected[inner]).max() <= 4


def test_pictures_agree_with_opencv():
    matrix = np.array([[150.0, 0, 81.5], [0, 150.0, 56.5], [0, 0, 1]])
    filmed = pattern(pixel_centres(SIZE_WH))
    expected = cv2.undistort(filmed, matrix, np.array(LENS.coefficients))
    ours = resampling_table(PlateCorrection(LENS, Fraction(1), SIZE_WH)).resampled(filmed)
    assert np.abs(ours[8:-8, 8:-8].astype(int) - expected[8:-8, 8:-8]).max() <= 3


def test_a_correction_that_does_nothing_changes_no_byte():
    filmed = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert np.array_equal(resampling_table(PlateCorrection(None, Fraction(1), SIZE_WH)).resampled(filmed), filmed)


def test_a_clip_is_corrected_by_index_and_in_order_and_has_a_name_of_its_own(tmp_path):
    for number in (5, 6, 7):
        picture = np.random.default_rng(number).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        write_png(tmp_path / f"a.{number:04d}.png", picture)
    plain = open_clip(tmp_path)
    correction = PlateCorrection(LENS, Fraction(1), SIZE_WH)
    source = undistorted(plain, correction)
    assert (source.clip.start_frame, source.clip.frame_count, source.clip.fps) == (5, 3, 25)
    assert source.clip.sha256 != plain.clip.sha256
    assert source.clip.file_name == f"undistorted_{plain.clip.file_name}"
    streamed = list(source.iterate(1))
    assert len(streamed) == 2
    assert np.array_equal(streamed[1], source.read(2))
    assert np.array_equal(source.read(2), source.table.resampled(plain.read(2)))
    wide = undistorted(plain, PlateCorrection(None, Fraction(2), SIZE_WH))
    assert (wide.clip.width_px, wide.clip.height_px, wide.clip.pixel_aspect) == (320, 120, 1)
    assert wide.read(0).shape == (120, 320, 3)
    assert wide.clip.sha256 != source.clip.sha256
