"""A calibrated detector: its file, where its points lie, and that it is used where it fits the model alone."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.detector_table import DetectorTable, read_detector_table, view_terms, write_detector_table
from dvp_core.data.errors import DataError
from dvp_core.face.detectors import detector_table, fits
from dvp_core.tracking.detector import calibrated_detector, whitening


@pytest.fixture
def table(tiny_face) -> DetectorTable:
    random = np.random.default_rng(4)
    count, spread = 5, random.normal(size=(10, 40))
    return DetectorTable(
        detector="mediapipe-478",
        model_id=tiny_face.id,
        expression_names=tiny_face.expression_names,
        numbers=np.array([0, 7, 61, 200, 467]),
        vertices=np.arange(count) * 3,
        offset_mm=random.normal(size=(count, 3)),
        identity_mm=random.normal(size=(count, 3, tiny_face.identity_count)),
        expression_mm=random.normal(size=(count, 3, tiny_face.expression_count)),
        view_mm=random.normal(size=(count, 3, 6)),
        covariance_mm2=spread @ spread.T / 40,
    )


def test_a_table_comes_back_from_its_file(tmp_path, table):
    write_detector_table(tmp_path / "t.npz", table)
    back = read_detector_table(tmp_path / "t.npz")
    assert back.expression_names == table.expression_names
    for name in ("numbers", "vertices", "offset_mm", "identity_mm", "expression_mm", "view_mm", "covariance_mm2"):
        np.testing.assert_allclose(getattr(back, name), getattr(table, name), rtol=2e-3, atol=2e-3, err_msg=name)


def test_a_table_whose_arrays_do_not_fit_is_refused(tmp_path, table):
    write_detector_table(tmp_path / "t.npz", replace(table, view_mm=table.view_mm[:, :, :5]))
    with pytest.raises(DataError, match="view_mm"):
        read_detector_table(tmp_path / "t.npz")


def test_points_lie_beside_their_vertices_by_what_the_table_says(tiny_face, table):
    detector = calibrated_detector(tiny_face, table, stray_m=0.0)
    identity, expression = np.array([1.0, 0.0, -0.5]), np.full(tiny_face.expression_count, 0.5)
    at = detector.points.at(expression, identity)
    model = tiny_face.vertices + np.tensordot(identity, tiny_face.identity_basis, 1)
    model = model + np.tensordot(expression, tiny_face.expression_basis, 1)
    away_mm = 1000 * (at - model[table.vertices])
    expected = table.offset_mm + table.identity_mm @ identity + table.expression_mm @ expression
    np.testing.assert_allclose(away_mm, expected, atol=1e-4)
    np.testing.assert_allclose(detector.baked(identity).points.at(expression, np.zeros(0)), at, atol=1e-12)


def test_whitening_makes_the_measured_errors_independent(tiny_face, table):
    found = calibrated_detector(tiny_face, table, stray_m=0.002).whitening
    covariance = 1e-6 * (table.covariance_mm2 + 4.0 * np.eye(10))
    np.testing.assert_allclose(found @ covariance @ found.T, np.eye(10), atol=1e-9)


def test_an_unsure_point_has_more_error_of_its_own_and_one_without_confidence_says_nothing(tiny_face, table):
    detector = calibrated_detector(tiny_face, table, stray_m=0.002)
    covariance = detector.covariance_m2
    confidence = np.array([1.0, 0.25, 1.0, 0.0, 1.0])
    found = detector.whitening_of(confidence)
    assert not found[:, 6:8].any()
    told = np.array([0, 1, 2, 3, 4, 5, 8, 9])
    expected = covariance[np.ix_(told, told)] + np.diag(np.where((told == 2) | (told == 3), 3.0, 0) * covariance[2, 2])
    expected[3, 3] = 4 * covariance[3, 3]
    np.testing.assert_allclose(np.linalg.inv(found[:, told].T @ found[:, told]), expected, rtol=1e-9, atol=1e-15)
    assert detector.whitening_of(confidence) is found
    assert detector.whitening_of(np.ones(5)) is detector.whitening_of(None) is detector.whitening


@pytest.mark.parametrize("confidence", [np.ones(5), np.array([1.0, 0.3, 1.0, 0.0, 0.9]), np.zeros(5)])
def test_along_the_ways_of_points_a_condensed_energy_is_the_whole_one(tiny_face, table, confidence):
    covariance = calibrated_detector(tiny_face, table, stray_m=0.002).covariance_m2
    random = np.random.default_rng(1)
    ways, error = random.normal(size=(10, 4)), random.normal(size=10)
    whole, condensed = whitening(covariance, confidence, None), whitening(covariance, confidence, ways)
    assert condensed.shape == (4, 10)
    for between in ((ways, ways), (ways, error)):
        a, b = ((of @ between[0]).T @ (of @ between[1]) for of in (whole, condensed))
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-9 * np.abs(a).max())


def test_the_view_is_that_of_the_camera_in_head_space():
    half = np.sqrt(0.5)
    left = np.array([[half, 0, half], [0, 1, 0], [-half, 0, half]])
    expected = left.T @ np.array([0, 0, -1.0])
    x, y = view_terms(left, np.array([0, 0, 2.0]))[:2]
    assert (x, y) == pytest.approx(tuple(expected[:2]))


def test_a_face_that_was_never_calibrated_has_no_table(tiny_face):
    assert detector_table(tiny_face) is None


def test_some_points_of_a_table_keep_their_own_errors(table):
    some = table.chosen(np.array([False, True, False, True, True]))
    assert some.numbers.tolist() == [7, 200, 467]
    np.testing.assert_array_equal(some.covariance_mm2[2:4, 4:6], table.covariance_mm2[6:8, 8:10])


def test_a_table_of_another_model_is_refused(tiny_face, table):
    assert fits(table, tiny_face)
    assert not fits(replace(table, identity_mm=table.identity_mm[:, :, :1]), tiny_face)
    assert not fits(replace(table, expression_names=("a", "b")), tiny_face)
