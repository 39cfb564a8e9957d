"""Laws of cutting out and putting back: the pixel rule, the round trip, the untouched outside."""

from __future__ import annotations

import numpy as np
import pytest

from dvp_core.compose import MatteOptions, compose_frame, crop_plate, head_matte
from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassFrame

CROPS = [
    Crop(30, 20, 64, 64),
    Crop(-20, 10, 64, 64),
    Crop(60, -30, 128, 64),
    Crop(40, 30, 50, 64),
    Crop(-40, -40, 300, 64),
]


def noise_plate(height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_plate(height: int = 120, width: int = 160) -> np.ndarray:
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x, y, 0.5 * (x + y)], axis=2).astype(np.uint8)


def disc_pass(crop: Crop, *, radius: float = 0.2, center: tuple[float, float] = (0.5, 0.5)) -> PassFrame:
    size = crop.resolution_px
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    mask = (np.hypot(x - center[0], y - center[1]) < radius).astype(np.float32)
    empty = np.zeros((size, size, 3), np.float32)
    return PassFrame(1, empty, empty, empty, mask, mask, crop, "0" * 64, "1" * 64)


@pytest.mark.parametrize("crop", [Crop(20, 10, 64, 64), Crop(20, 10, 96, 32), Crop(20, 10, 32, 64), Crop(7, 3, 50, 64)])
def test_the_crop_keeps_the_pixel_rule(crop):
    """A ramp's value is its pixel centre's coordinate: each crop pixel must hold the coordinate it lies on."""
    cut = crop_plate(smooth_plate(), crop).astype(float) + 0.5
    y, x = np.mgrid[: crop.resolution_px, : crop.resolution_px] + 0.5
    expected = crop.to_plate_px(np.stack([x, y], axis=2))
    inner = slice(4, -4)
    gap = np.abs(cut[inner, inner, :2] - expected[inner, inner])
    assert gap.max() <= 0.75
    assert abs((cut[inner, inner, :2] - expected[inner, inner]).mean()) < 0.3


def test_a_crop_at_the_plates_scale_is_the_plates_own_pixels():
    plate = noise_plate()
    np.testing.assert_array_equal(crop_plate(plate, Crop(30, 20, 64, 64)), plate[20:84, 30:94])


def test_outside_the_plate_its_edge_pixels_repeat():
    plate = noise_plate()
    cut = crop_plate(plate, Crop(-10, -5, 40, 40))
    np.testing.assert_array_equal(cut[5:, 10:], plate[:35, :30])
    np.testing.assert_array_equal(cut[:5, 10:], np.repeat(plate[:1, :30], 5, axis=0))
    np.testing.assert_array_equal(cut[5:, :10], np.repeat(plate[:35, :1], 10, axis=1))
    assert (cut[:5, :10] == plate[0, 0]).all()
    beyond = crop_plate(plate, Crop(500, 500, 16, 16))
    assert (beyond == plate[-1, -1]).all()


@pytest.mark.parametrize("crop", CROPS)
def test_outside_the_matte_every_pixel_is_the_plates(crop):
    plate = noise_plate()
    generated = np.full((64, 64, 3), 77, np.uint8)
    frame = disc_pass(crop)
    composed = compose_frame(plate, generated, frame, crop)
    matte = head_matte([frame.mask], MatteOptions())
    y, x = np.mgrid[: plate.shape[0], : plate.shape[1]] + 0.5
    u, v = np.floor(crop.to_crop_px(np.stack([x, y], axis=2))).astype(int).transpose(2, 0, 1)
    reach = 2
    wide = np.zeros(plate.shape[:2], bool)
    for row in (-reach, 0, reach):
        for column in (-reach, 0, reach):
            inside = (u + column >= 0) & (u + column < 64) & (v + row >= 0) & (v + row < 64)
            wide |= inside & (matte[np.clip(v + row, 0, 63), np.clip(u + column, 0, 63)] > 0)
    np.testing.assert_array_equal(composed[~wide], plate[~wide])
    assert (composed != plate).any()


@pytest.mark.parametrize("crop", CROPS[:4])
def test_the_middle_of_the_face_is_the_generators(crop):
    plate = noise_plate()
    generated = np.full((64, 64, 3), 77, np.uint8)
    composed = compose_frame(plate, generated, disc_pass(crop), crop)
    x, y = (int(value) for value in crop.to_plate_px(np.array([32.0, 32.0])))
    assert (composed[y - 3 : y + 3, x - 3 : x + 3] == 77).all()


@pytest.mark.parametrize(("size", "tolerance"), [(64, 0), (32, 1.5), (128, 1.5)])
def test_cut_out_and_put_back_is_the_plate(size, tolerance):
    plate = smooth_plate(200, 240)
    crop = Crop(20, 30, size, 64)
    composed = compose_frame(plate, crop_plate(plate, crop), disc_pass(crop), crop)
    assert np.abs(composed.astype(int) - plate).max() <= tolerance


def test_the_place_the_face_has_left_is_replaced_too():
    crop = Crop(0, 0, 64, 64)
    plate = noise_plate(64, 64)
    generated = np.full((64, 64, 3), 77, np.uint8)
    before, after = disc_pass(crop, center=(0.2, 0.5), radius=0.1), disc_pass(crop, center=(0.8, 0.5), radius=0.1)
    alone = compose_frame(plate, generated, after, crop)
    both = compose_frame(plate, generated, after, crop, unedited=before)
    assert (alone[32, 5:20] == plate[32, 5:20]).all()
    assert (both[32, 8:18] == 77).all()


def test_without_a_face_the_plate_stays():
    crop = Crop(0, 0, 64, 64)
    plate = noise_plate()
    composed = compose_frame(plate, np.zeros((64, 64, 3), np.uint8), disc_pass(crop, radius=0.0), crop)
    np.testing.assert_array_equal(composed, plate)
    assert composed is not plate


def test_the_squares_edge_inside_the_plate_shows_no_seam():
    """A face that fills the square: towards each edge inside the plate the plate takes over."""
    crop = Crop(40, 30, 64, 64)
    plate = np.zeros((160, 200, 3), np.uint8)
    generated = np.full((64, 64, 3), 200, np.uint8)
    row = compose_frame(plate, generated, disc_pass(crop, radius=0.9), crop)[62, :, 0].astype(int)
    assert row[39] == 0
    assert row[72] == 200
    assert np.abs(np.diff(row)).max() < 100
    on_the_edge = compose_frame(
        plate[:, 40:], generated, disc_pass(Crop(0, 30, 64, 64), radius=0.9), Crop(0, 30, 64, 64)
    )
    assert on_the_edge[62, 0, 0] == 200


def test_the_matte_is_full_on_the_face_and_fades_to_nothing():
    mask = disc_pass(Crop(0, 0, 128, 128), radius=0.1).mask
    matte = head_matte([mask], MatteOptions(margin=0.3, feather=0.2))
    assert (matte[mask > 0.5] == 1).all()
    assert matte[0, 0] == 0
    profile = matte[64, 64:]
    assert (np.diff(profile) <= 0).all()
    size = np.sqrt(np.count_nonzero(mask))
    reach = np.count_nonzero(profile > 0) - 12.8
    assert reach == pytest.approx(0.5 * size, abs=1.5)


def test_pictures_that_do_not_fit_are_errors():
    crop = Crop(0, 0, 64, 64)
    plate, generated, frame = noise_plate(), np.zeros((64, 64, 3), np.uint8), disc_pass(crop)
    with pytest.raises(DataError, match="resolution is 64"):
        compose_frame(plate, np.zeros((32, 32, 3), np.uint8), frame, crop)
    with pytest.raises(DataError, match="composed at"):
        compose_frame(plate, generated, frame, Crop(1, 0, 64, 64))
    with pytest.raises(DataError, match="8 bits"):
        compose_frame(plate.astype(np.float32), generated, frame, crop)
