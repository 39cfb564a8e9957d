"""Lens distortion: against OpenCV's own, there and back, and every lens that cannot be."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvp_core.data.errors import DataError
from dvp_core.data.lens import LensDistortion, read_lens, write_lens
from dvp_core.maths.lens import PlateCorrection, distorted_px, undistorted_px

SIZE_WH = (1920, 1080)
BARREL = LensDistortion(SIZE_WH, (1500.0, 1500.0), (975.0, 530.0), -0.2, 0.05, 0.001, -0.002, 0.01)
PINCUSHION = LensDistortion(SIZE_WH, (1500.0, 1500.0), (975.0, 530.0), 0.15, -0.02, -0.001, 0.001)
ANAMORPHIC = LensDistortion(SIZE_WH, (900.0, 1800.0), (950.0, 545.0), -0.06, 0.01)
LENSES = pytest.mark.parametrize("lens", [BARREL, PINCUSHION, ANAMORPHIC], ids=["barrel", "pincushion", "anamorphic"])


def grid_px(count: int = 15) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, SIZE_WH[0], count), np.linspace(0, SIZE_WH[1], count))
    return np.stack([x, y], axis=-1)


def opencv_matrix(lens: LensDistortion) -> np.ndarray:
    (focal_x, focal_y), (x, y) = lens.focal_px, lens.principal_px
    return np.array([[focal_x, 0, x - 0.5], [0, focal_y, y - 0.5], [0, 0, 1.0]])


@LENSES
def test_distortion_is_opencvs(lens):
    points_px = grid_px()
    slopes = (points_px - lens.principal_px) / lens.focal_px
    rays = np.concatenate([slopes, np.ones((*slopes.shape[:2], 1))], axis=-1).reshape(-1, 1, 3)
    zero = np.zeros(3)
    expected, _ = cv2.projectPoints(rays, zero, zero, opencv_matrix(lens), np.array(lens.coefficients))
    assert distorted_px(points_px, lens).reshape(-1, 2) == pytest.approx(expected.reshape(-1, 2) + 0.5, abs=1e-6)


@LENSES
def test_there_and_back_is_where_it_was(lens):
    points_px = grid_px()
    assert distorted_px(undistorted_px(points_px, lens), lens) == pytest.approx(points_px, abs=1e-6)
    inner_px = undistorted_px(grid_px(), lens)
    assert undistorted_px(distorted_px(inner_px, lens), lens) == pytest.approx(inner_px, abs=1e-6)


@given(
    k1=st.floats(-0.15, 0.3),
    k2=st.floats(0, 0.1),
    p1=st.floats(-0.003, 0.003),
    p2=st.floats(-0.003, 0.003),
)
def test_there_and_back_for_many_lenses(k1, k2, p1, p2):
    lens = replace(BARREL, k1=k1, k2=k2, p1=p1, p2=p2, k3=0.0)
    assert distorted_px(undistorted_px(grid_px(5), lens), lens) == pytest.approx(grid_px(5), abs=1e-5)


def test_a_point_that_the_lens_cannot_show_is_an_error_that_names_it():
    strong = replace(BARREL, k1=-0.9, k2=0.0, k3=0.0)
    with pytest.raises(DataError, match="cannot show anything at"):
        undistorted_px(grid_px(), strong)


def test_beyond_the_turning_radius_the_picture_does_not_come_back():
    strong = replace(BARREL, principal_px=(0.0, 0.0), k1=-0.9, k2=0.0, k3=0.0, p1=0.0, p2=0.0)
    along = distorted_px(np.stack([np.linspace(0, 4000, 50), np.zeros(50)], axis=-1), strong)[:, 0]
    assert (np.diff(along) > -1e-9).all()


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2), Fraction(4, 3)])
def test_square_pixels_alone(aspect):
    correction = PlateCorrection(None, aspect, (100, 60))
    width, height = correction.corrected_size_wh
    assert width / height == pytest.approx(100 / 60 * float(aspect), rel=0.01)
    assert min(width / 100, height / 60) == pytest.approx(1, abs=0.01)
    corner = np.array([100.0, 60.0])
    assert correction.corrected_px(corner) == pytest.approx([width, height], abs=0.5)
    assert correction.plate_px(correction.corrected_px(corner)) == pytest.approx(corner)
    assert correction.focal_px is None


def test_an_anamorphic_lens_gives_one_focal_length_and_a_pinhole():
    correction = PlateCorrection(ANAMORPHIC, Fraction(2), SIZE_WH)
    assert correction.focal_px == 1800
    assert correction.corrected_size_wh == (3840, 1080)
    line = np.linspace([-0.4, -0.1], [0.3, 0.2], 9)  # slopes of rays on one straight line
    seen = distorted_px(line * ANAMORPHIC.focal_px + ANAMORPHIC.principal_px, ANAMORPHIC)
    straight = correction.corrected_px(seen)
    assert straight == pytest.approx(line * 1800 + np.array([1900.0, 545.0]), abs=1e-6)


@pytest.mark.parametrize(
    ("lens", "aspect", "size_wh", "match"),
    [
        (BARREL, Fraction(1), (1280, 720), "was calibrated for"),
        (BARREL, Fraction(2), SIZE_WH, "implies pixels 1.000"),
        (ANAMORPHIC, Fraction(1), SIZE_WH, "implies pixels 2.000"),
        (None, Fraction(20), SIZE_WH, "not possible"),
    ],
)
def test_what_does_not_fit_is_refused(lens, aspect, size_wh, match):
    with pytest.raises(DataError, match=match):
        PlateCorrection(lens, aspect, size_wh)


def test_a_lens_comes_back_from_its_file(tmp_path):
    write_lens(tmp_path / "lens.json", BARREL)
    assert read_lens(tmp_path / "lens.json") == BARREL


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("[]", "no lens of version 1"),
        ('{"version":2}', "no lens of version 1"),
        ('{"version":1,"size_wh":[10,10]}', "no lens"),
        ('{"version":1,"size_wh":[10,10],"focal_px":[9,9],"principal_px":[5,5],"k4":1}', "k4"),
        ('{"version":1,"size_wh":[10,10],"focal_px":[0,9],"principal_px":[5,5]}', "positive focal"),
        ('{"version":1,"size_wh":[10.5,10],"focal_px":[9,9],"principal_px":[5,5]}', "no whole pixels"),
        ('{"version":1,"size_wh":[10,10],"focal_px":[9],"principal_px":[5,5]}', "no lens"),
        ('{"version":1,"size_wh":[10,10],"focal_px":[9,9],"principal_px":[5,5],"k1":"a"}', "no lens"),
    ],
)
def test_what_is_no_lens_is_refused_with_its_place(tmp_path, content, match):
    (tmp_path / "lens.json").write_text(content)
    with pytest.raises(DataError, match=match) as caught:
        read_lens(tmp_path / "lens.json")
    assert "lens.json" in str(caught.value)
