"""Where the preview is drawn: arithmetic against the camera's own projection."""

import numpy as np
import pytest

from blender_addon.preview.placing import Rectangle, crop_rectangle, plate_rectangle, wiped
from dvp_core.data.camera import Crop


def test_plate_fills_a_frame_of_its_own_shape():
    frame = Rectangle(100, 50, 740, 410)
    assert plate_rectangle(frame, width_px=1920, height_px=1080, pixel_aspect=1.0) == frame


def test_plate_keeps_width_and_middle_where_the_frame_has_another_shape():
    square = Rectangle(0, 0, 640, 640)
    assert plate_rectangle(square, width_px=1920, height_px=1080, pixel_aspect=1.0) == Rectangle(0, 140, 640, 500)
    wide = plate_rectangle(square, width_px=720, height_px=576, pixel_aspect=64 / 45)
    assert (wide.width, wide.height) == pytest.approx((640, 360))


def test_crop_counts_downwards_from_the_plates_upper_left():
    plate = Rectangle(100, 200, 420, 380)  # 320 x 180 px, one to one
    assert crop_rectangle(plate, Crop(0, 0, 180, 96), width_px=320, height_px=180) == Rectangle(100, 200, 280, 380)
    assert crop_rectangle(plate, Crop(95, 20, 140, 96), width_px=320, height_px=180) == Rectangle(195, 220, 335, 360)
    half = Rectangle(0, 0, 160, 90)
    assert crop_rectangle(half, Crop(95, 20, 140, 96), width_px=320, height_px=180) == Rectangle(47.5, 10, 117.5, 80)


def test_crop_may_reach_beyond_the_plate():
    placed = crop_rectangle(Rectangle(0, 0, 320, 180), Crop(-20, -10, 220, 96), width_px=320, height_px=180)
    assert placed == Rectangle(-20, -30, 200, 190)


@pytest.mark.parametrize("wipe", [0.25, 0.5, 1.0, 7.0])
def test_wipe_cuts_picture_and_place_alike(wipe):
    square = Rectangle(195, 220, 335, 360)
    part = wiped(square, wipe)
    share = min(wipe, 1.0)
    assert part.rectangle == Rectangle(195, 220, 195 + 140 * share, 360)
    assert part.line_x == (None if share == 1.0 else 195 + 140 * share)
    corners = np.array(part.rectangle.corners)
    np.testing.assert_allclose((corners - (195, 220)) / 140, part.uv)


def test_wiped_away_preview_is_not_drawn():
    assert wiped(Rectangle(0, 0, 1, 1), 0.0) is None
    assert wiped(Rectangle(0, 0, 1, 1), -1.0) is None
