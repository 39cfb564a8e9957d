"""A detector that was made up is found again from what it saw."""

import numpy as np
import pytest

from dvp_core.data.detector_table import view_terms
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.tracking.detector_fit import CalibrationSamples, fit_detector_table
from dvp_core.tracking.surface import vertex_points

POINT_COUNT, NOISE_M = 6, 0.0008
CENTER_PX = np.array([128.0, 128.0])


@pytest.fixture(scope="module")
def made_up(tiny_face):
    """Vertices, departures (offset, view's x, shape, expression) and samples of a detector that sees with noise."""
    random = np.random.default_rng(5)
    count = 600
    skin = np.flatnonzero(tiny_face.region("face"))
    vertices = skin[:: max(1, len(skin) // POINT_COUNT)][:POINT_COUNT]
    offset, slide = random.normal(size=(2, POINT_COUNT, 3)) * [[[0.002]], [[0.004]]]
    by_shape = random.normal(size=(POINT_COUNT, 3, tiny_face.identity_count)) * 0.001
    by_expression = random.normal(size=(POINT_COUNT, 3, tiny_face.expression_count)) * 0.002
    points = vertex_points(tiny_face, vertices)
    identity = np.repeat(random.normal(size=(count // 4, tiny_face.identity_count)), 4, axis=0)
    expression = random.uniform(0, 1, (count, tiny_face.expression_count))
    turns = np.radians(random.normal(size=(count, 3)) * [20, 12, 10])
    rotation = np.stack([OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(*turn) for turn in turns])
    translation = np.array([0.0, 0.0, 0.8]) + random.normal(size=(count, 3)) * 0.05
    focal = random.uniform(400, 700, count)
    seen = np.zeros((count, POINT_COUNT, 2))
    for index in range(count):
        view = view_terms(rotation[index], translation[index])[0]
        head = points.at(expression[index], identity[index]) + offset + slide * view
        head += by_shape @ identity[index] + by_expression @ expression[index]
        camera = head @ rotation[index].T + translation[index]
        scale = focal[index] / camera[:, 2:]
        noise = random.normal(size=(POINT_COUNT, 2)) * NOISE_M
        seen[index] = (camera[:, :2] + noise) * scale + CENTER_PX
    samples = CalibrationSamples(
        np.arange(count) // 4, identity, expression, rotation, translation, focal, CENTER_PX, seen
    )
    return vertices, offset, slide, by_shape, by_expression, samples


def test_what_a_detector_does_is_found_again(tiny_face, made_up):
    vertices, offset, slide, by_shape, by_expression, samples = made_up
    numbers = np.arange(POINT_COUNT)
    table = fit_detector_table(tiny_face, samples, detector="made-up", numbers=numbers)
    riding, wanted = (vertex_points(tiny_face, chosen).neutral for chosen in (table.vertices, vertices))
    for x in (-0.4, 0.0, 0.4):
        view = np.array([x, 0.0, np.sqrt(1 - x * x)])
        terms = np.array([x, 0.0, x * x, 0.0, 0.0, x**3])
        found_mm = 1000 * (riding - wanted) + table.offset_mm + table.view_mm @ terms
        away_mm = found_mm - 1000 * (offset + slide * x)
        seen_mm = away_mm - (away_mm @ view)[:, None] * view  # along the view only other views tell
        assert np.linalg.norm(seen_mm, axis=1).max() < 0.5, x
    # What it rides on and how it departs from there are known together alone; from the front, depth is not seen.
    found, wanted = vertex_points(tiny_face, table.vertices), vertex_points(tiny_face, vertices)
    shape_mm = 1000 * (found.identity_basis - wanted.identity_basis) + table.identity_mm
    expression_mm = 1000 * (found.expression_basis - wanted.expression_basis) + table.expression_mm
    assert np.abs(shape_mm - 1000 * by_shape)[:, :2].max() < 0.4
    assert np.abs(expression_mm - 1000 * by_expression)[:, :2].max() < 0.6
    deviation_mm = np.sqrt(np.diag(table.covariance_mm2))
    assert deviation_mm == pytest.approx(np.full(2 * POINT_COUNT, 1000 * NOISE_M), rel=0.15)


def test_errors_that_go_together_are_seen_to(tiny_face, made_up):
    *_, samples = made_up
    random = np.random.default_rng(6)
    together = random.normal(size=(len(samples.subject), 1, 1)) * [1.5, 0.0]
    shifted = CalibrationSamples(**{**vars(samples), "points_px": samples.points_px + together})
    table = fit_detector_table(tiny_face, shifted, detector="made-up", numbers=np.arange(POINT_COUNT))
    rightward = table.covariance_mm2[::2, ::2]
    correlation = rightward[0, 1] / np.sqrt(rightward[0, 0] * rightward[1, 1])
    assert correlation > 0.7
