"""The tracker's parts, each against what it claims."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.data.clip import Clip
from dvp_core.data.landmark_definitions import MEDIAPIPE_IRISES, lid_lines
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.face import evaluate
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.projection import project
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_rotation_vector,
)
from dvp_core.maths.spherical_harmonics import shade
from dvp_core.tracking.bridging import bridged
from dvp_core.tracking.first_pose import first_pose
from dvp_core.tracking.framing import framed
from dvp_core.tracking.key_frames import well_spread_frames
from dvp_core.tracking.light import estimated_light
from dvp_core.tracking.picture import window_of_plate
from dvp_core.tracking.setup import clip_points


def clip_of(width: int, height: int) -> Clip:
    return Clip("a.mp4", "0" * 64, width, height, Fraction(25), 1, 10)


def test_first_pose_finds_a_turned_head():
    random = np.random.default_rng(2)
    points = random.normal(size=(40, 3)) * [0.06, 0.08, 0.04]
    camera = Camera.centered(900.0, 640, 480)
    truth = OPENGL_CAMERA_FROM_CAMERA @ matrix_from_rotation_vector(np.array([0.3, -0.5, 0.2]))
    translation = np.array([0.05, -0.03, 1.2])
    found = first_pose(points, project(points @ truth.T + translation, camera), camera, 2)
    assert float(angle_between_deg(found.rotation, truth)) < 4.0  # the affine camera's own error at this distance
    assert found.translation_m == pytest.approx(translation, abs=0.06)


def test_key_frames_are_spread_and_seen():
    random = np.random.default_rng(3)
    points = np.tile(random.normal(size=(68, 2)), (50, 1, 1))
    # Two slow turns away from rest and back: what changes from one frame to the next alone is a detector's slip.
    for middle in (5, 30):
        away = random.normal(size=(68, 2))
        for index in range(middle - 5, middle + 6):
            points[index] += away * (1 - abs(index - middle) / 6)
    is_detected = np.ones(50, dtype=bool)
    is_detected[10:20] = False
    chosen = well_spread_frames(points, is_detected, 5)
    assert all(np.abs(chosen - turned).min() <= 1 for turned in (5, 30))
    assert is_detected[chosen].all()
    assert (np.diff(chosen) > 0).all()
    assert len(well_spread_frames(points, np.arange(50) == 4, 5)) == 1


def test_a_clips_points_are_sorted_without_a_copy_of_them_all():
    random = np.random.default_rng(5)
    count = 500
    points = random.uniform(0, 200, (count, 478, 2))
    track = LandmarkTrack(points, np.ones((count, 478), np.float32), np.ones(count, bool), (200, 200), Fraction(25))
    tracemalloc.start()
    try:
        known = clip_points(track)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1200 * count  # iBUG's 68, in float64; all 478 are 7,648
    frame, (lids_px, irises_px) = known.frame(7), known.eyes(7)
    assert frame.detector_px is not None
    assert irises_px is not None
    np.testing.assert_array_equal(frame.detector_px, points[7])
    assert {tuple(point) for point in frame.dense_px} < {tuple(point) for point in points[7, :468]}
    np.testing.assert_array_equal(lids_px, lid_lines(track)[7])
    np.testing.assert_array_equal(irises_px, points[7, MEDIAPIPE_IRISES].mean(axis=1))


def test_light_that_was_put_in_is_found():
    random = np.random.default_rng(4)
    normals = random.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    truth = random.normal(size=(9, 3)) * 0.2
    truth[0] = 3.0
    reflectance = random.uniform(0.2, 0.7, (4000, 3))
    found = estimated_light(reflectance * shade(normals, truth), reflectance, normals, np.ones(4000), stiffness=1e-3)
    assert found == pytest.approx(truth, abs=0.02)


def test_what_was_not_seen_lies_between_what_was():
    gaze = np.zeros((5, 2))
    gaze[:, 0] = [0.0, 9.0, 9.0, 0.3, 0.4]
    is_seen = np.array([True, False, False, True, True])
    assert bridged(gaze, is_seen)[:, 0] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert bridged(gaze, is_seen, cuts=(2,))[:, 0] == pytest.approx([0.0, 0.0, 0.3, 0.3, 0.4])


def test_a_shot_in_which_nothing_was_seen_takes_from_the_others():
    values = np.array([1.0, 9.0, 9.0, 5.0])
    is_seen = np.array([True, False, False, True])
    assert bridged(values, is_seen, cuts=(1, 3)).tolist() == pytest.approx([1.0, 7 / 3, 11 / 3, 5.0])


def test_picture_reads_between_its_pixels():
    ramp = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (80, 1, 3))
    picture = window_of_plate(ramp, np.array([[20.0, 20.0], [70.0, 60.0]]), across_px=25, soften_count=0)
    colours, gradient = picture.sample(np.array([[40.0, 40.0], [40.01, 40.0]]))
    assert picture.pixel_size_px == 2
    assert (colours[1] - colours[0]) / 0.01 == pytest.approx(gradient[0, :, 0], rel=1e-3)
    assert gradient[0, :, 1] == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize(("width", "height"), [(480, 480), (512, 480), (1920, 1080), (1080, 1920), (300, 2000)])
def test_crop_is_a_square_inside_the_plate_around_the_face(width, height):
    face = np.array([width * 0.5, height * 0.4])
    size = 0.25 * min(width, height)
    points = face + np.random.default_rng(6).uniform(-0.5, 0.5, (10, 68, 2)) * size
    crop = framed(clip_of(width, height), points, 256)
    assert 0 <= crop.x_px <= width - crop.size_px
    assert 0 <= crop.y_px <= height - crop.size_px
    assert (crop.to_crop_px(points) > 0).all()
    assert (crop.to_crop_px(points) < 256).all()
    if max(width, height) <= 1.25 * min(width, height):
        assert crop.size_px == min(width, height)


def test_surface_points_follow_the_face(tiny_face):
    from dvp_core.tracking.surface import vertex_points

    identity, expression = np.array([0.3, -1.0, 0.5]), np.array([0.4, 0.8])
    chosen = np.array([0, 17, 40])
    points = vertex_points(tiny_face, chosen)
    expected = evaluate(tiny_face, identity=identity, expression=expression)[chosen]
    assert points.at(expression, identity) == pytest.approx(expected, abs=1e-6)
    assert points.baked(identity).at(expression, identity) == pytest.approx(expected, abs=1e-6)
