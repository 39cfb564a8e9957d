"""The measures behind the tracker's figures: each knows what is wrong, by how much, and what it must not mind."""

from dataclasses import replace

import numpy as np
import pytest
import track_real
import track_truth

from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.face import built_in_face
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import (
    matrix_from_quaternion_wxyz,
    matrix_from_rotation_vector,
    quaternion_wxyz_from_matrix,
)
from dvp_core.tracking import TrackOptions, track
from dvp_core.tracking.options import PriorOptions
from tests.tracking.stage import FOCAL_PX, made_up_table, performance, staged, with_dense_points


@pytest.fixture
def random():
    return np.random.default_rng(31)


def test_distance_minds_neither_place_nor_turn_nor_size(random):
    truth = random.normal(size=(200, 3)) * 0.05
    turn = matrix_from_rotation_vector(np.array([0.3, -1.0, 0.5]))
    assert track_truth.aligned_distance_mm(1.7 * truth @ turn.T + [1.0, 2.0, 3.0], truth) < 1e-6
    noise = random.normal(size=truth.shape) * 0.001
    assert track_truth.aligned_distance_mm(truth + noise, truth) == pytest.approx(
        1000 * np.linalg.norm(noise, axis=1).mean(), rel=0.05
    )
    mirrored = truth * [-1, 1, 1]
    assert track_truth.aligned_distance_mm(mirrored, truth) > 10


def test_rotation_errors_leave_out_one_constant_offset_alone(tiny_take):
    found = matrix_from_quaternion_wxyz(tiny_take.head_rotation_wxyz.astype(np.float64))
    offset = matrix_from_rotation_vector(np.array([0.2, -0.3, 0.1]))
    head_to_camera = np.tile(np.eye(4), (len(found), 1, 1))
    head_to_camera[:, :3, :3] = OPENGL_CAMERA_FROM_CAMERA.T @ found @ offset
    assert np.abs(track_truth.rotation_errors_rad(tiny_take, head_to_camera)).max() < 1e-5
    swing = 0.05 * np.array([1, -1, 1, -1, 1, -1])
    turned = found @ matrix_from_rotation_vector(np.outer(swing, [0, 1, 0]))
    worse = replace(tiny_take, head_rotation_wxyz=quaternion_wxyz_from_matrix(turned).astype(np.float32))
    errors = track_truth.rotation_errors_rad(worse, head_to_camera)
    np.testing.assert_allclose(np.linalg.norm(errors, axis=1), 0.05, atol=1e-3)


def test_gaze_errors_are_angles_whose_truth_is_pitch_then_yaw():
    gaze = np.radians([[10.0, 0.0], [0.0, 10.0], [20.0, -5.0]])
    truth = np.array([[0.0, 10.0], [0.0, 0.0], [-5.0, 12.0]])
    np.testing.assert_allclose(
        track_truth.gaze_errors_deg(gaze, truth), [0.0, 10.0, 8.0 * np.cos(np.radians(5))], atol=0.01
    )


def test_lip_gap_is_the_way_between_the_inner_lips_middles(tiny_face):
    corners, weights = tiny_face.landmark_vertices, tiny_face.landmark_barycentric
    vertices = np.stack([tiny_face.vertices, 2 * tiny_face.vertices])
    upper, lower = ((weights[p][:, None] * tiny_face.vertices[corners[p]]).sum(axis=0) for p in (62, 66))
    gap = np.linalg.norm(upper - lower)
    np.testing.assert_allclose(track_truth.lip_gaps_m(vertices, tiny_face), [gap, 2 * gap], rtol=1e-6)


def test_means_are_over_those_that_have_a_number_and_leave_out_words():
    figures = [{"clip": "a", "x": 1.0, "j": {"r": 2, "s": 1}, "held": None}, {"clip": "b", "x": 2.0, "j": {"r": 4}}]
    assert track_truth.means(figures) == {"x": 1.5, "j": {"r": 3.0, "s": 1.0}}
    assert track_truth.means([]) == {}


def standing(random, count=40) -> LandmarkTrack:
    points = np.tile(random.uniform(50, 150, (68, 2)), (count, 1, 1))
    return LandmarkTrack(points, np.ones((count, 68), np.float32), np.ones(count, bool))


def test_only_long_stretches_without_motion_are_still(random):
    points = standing(random)
    assert track_real.still_frames(points).all()
    moved = points.points_px.copy()
    moved[20:] += np.arange(20)[:, None, None] * 5.0
    is_still = track_real.still_frames(replace(points, points_px=moved))
    assert is_still[:14].all()
    assert not is_still[22:].any()
    gone = replace(points, is_detected=np.arange(40) % 10 != 0)
    assert not track_real.still_frames(gone).any()


def test_jitter_is_that_of_second_differences_in_still_frames(random):
    is_still = np.arange(200) < 150
    noise = random.normal(size=(200, 3)) * 0.01
    rotations = matrix_from_rotation_vector(noise)
    expected = np.degrees(np.sqrt((np.diff(noise, n=2, axis=0)[:148] ** 2).sum(axis=1).mean()))
    assert track_real.rotation_jitter_deg(rotations, is_still) == pytest.approx(expected, rel=0.02)
    steady = matrix_from_rotation_vector(np.outer(np.arange(200), [0, 0.01, 0]))
    assert track_real.rotation_jitter_deg(steady, is_still) < 1e-6
    assert len(track_real.second_differences(noise, is_still)) == 148


def test_held_out_points_and_the_rest_are_the_table_and_no_lips_lids_or_outline(random):
    table = made_up_table()
    dense = LandmarkTrack(np.zeros((2, 478, 2)), np.ones((2, 478), np.float32), np.ones(2, bool))
    held, rest = track_real.held_out(table, dense, 1)
    assert held is not None
    assert rest is not None
    assert sorted([*held.numbers, *rest.numbers]) == sorted(table.numbers)
    assert 0.15 < len(held.numbers) / len(table.numbers) < 0.3
    used_otherwise = track_real.MEDIAPIPE_OF_68[track_real.OPENING_PAIRS].ravel()
    assert not set(held.numbers) & {*track_real.MEDIAPIPE_OUTLINE, *used_otherwise}
    assert track_real.held_out(table, standing(random, 2), 1) == (None, table)


def test_held_out_points_are_measured_in_percent_of_the_eyes_distance():
    turns = np.outer(np.linspace(-1, 1, 6), [8.0, 3.0, 0.0])
    stage = with_dense_points(staged(performance(turns)))
    points, model = stage.landmarks, built_in_face()
    held, rest = track_real.held_out(made_up_table(), points, 1)
    assert held is not None
    options = TrackOptions(FOCAL_PX, key_frame_count=4, photometric=None, priors=PriorOptions(identity_sigma=0.5))
    take = track(stage.source, points, model, options=options, table=rest)
    near = track_real.held_out_percent(take, points, model, held)["median"]
    away = points.points_px.copy()
    away[:, held.numbers] += np.array([0.1 * track_real.eye_distance_px(points), 0.0])
    far = track_real.held_out_percent(take, replace(points, points_px=away), model, held)["median"]
    assert near < 3.0  # a detector's tremble of 0.4 pixels is one percent
    assert far == pytest.approx(10.0, abs=1.5)
