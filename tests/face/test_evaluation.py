"""What evaluation promises of any model, tried on the built-in face."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvp_core.data.face_model import LEFT, RIGHT
from dvp_core.face import built_in_face, evaluate, landmarks_68, rotate_eyes, vertex_normals
from dvp_core.face.evaluation import blend, eye_centers
from dvp_core.maths.rotations import gaze_rotation


@pytest.fixture(scope="module")
def face():
    return built_in_face()


def test_no_coefficients_give_the_mean(face):
    np.testing.assert_array_equal(evaluate(face), face.vertices)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.floats(-2, 2), st.floats(-2, 2))
def test_evaluation_is_linear(seed, first, second):
    face = built_in_face()
    random = np.random.default_rng(seed)
    one, two = random.normal(size=(2, face.expression_count))
    offset = {name: evaluate(face, expression=w) - face.vertices for name, w in (("one", one), ("two", two))}
    both = evaluate(face, expression=first * one + second * two) - face.vertices
    np.testing.assert_allclose(both, first * offset["one"] + second * offset["two"], atol=2e-6)


def test_a_baked_face_is_the_evaluated_one(face):
    random = np.random.default_rng(3)
    identity, expression = random.normal(size=face.identity_count), random.uniform(size=face.expression_count)
    baked = face.baked(identity)
    whole = evaluate(face, identity=identity, expression=expression)
    np.testing.assert_allclose(evaluate(baked, expression=expression), whole, atol=1e-6)
    np.testing.assert_allclose(baked.eye_centers, eye_centers(face, evaluate(face, identity=identity)), atol=1e-6)
    np.testing.assert_array_equal(baked.correspondence, face.correspondence)


def test_wrong_number_of_coefficients_is_refused(face):
    with pytest.raises(ValueError, match="expected 52 coefficients"):
        evaluate(face, expression=np.zeros(3))


@pytest.mark.parametrize(("yaw", "pitch"), [(0.3, 0.0), (0.0, 0.3), (-0.2, 0.25)])
def test_gaze_points_where_it_says(yaw, pitch):
    looking = gaze_rotation(yaw, pitch) @ (0, 0, 1)
    assert np.arctan2(looking[0], looking[2]) == pytest.approx(yaw)
    assert np.arcsin(looking[1]) == pytest.approx(pitch)


def test_eyes_turn_alone_about_their_centres(face):
    turned = rotate_eyes(face, face.vertices, [[0.4, 0.0], [0.0, -0.3]])
    eyes = face.region("eyeball_left", "eyeball_right")
    np.testing.assert_array_equal(turned[~eyes], face.vertices[~eyes])
    for side in (LEFT, RIGHT):
        start, stop = face.eye_ranges[side]
        radius = np.linalg.norm(turned[start:stop] - face.eye_centers[side], axis=1)
        np.testing.assert_allclose(radius, face.eye_radii[side], atol=2e-6)
    start, stop = face.eye_ranges[LEFT]
    pupil = start + face.vertices[start:stop, 2].argmax()
    assert turned[pupil, 0] > face.vertices[pupil, 0] + 0.004
    start, stop = face.eye_ranges[RIGHT]
    pupil = start + face.vertices[start:stop, 2].argmax()
    assert turned[pupil, 1] < face.vertices[pupil, 1] - 0.003


def test_eyes_turn_in_a_face_of_another_identity(face):
    identity = np.random.default_rng(8).normal(size=face.identity_count)
    vertices = evaluate(face, identity=identity)
    still = face.baked(identity)
    gaze = [[0.2, 0.1], [0.2, 0.1]]
    np.testing.assert_allclose(rotate_eyes(face, vertices, gaze), rotate_eyes(still, vertices, gaze), atol=1e-7)


def test_normals_of_a_ball_point_outward(face):
    start, stop = face.eye_ranges[LEFT]
    normals = vertex_normals(face.vertices, face.triangles)
    outward = (face.vertices[start:stop] - face.eye_centers[LEFT]) / face.eye_radii[LEFT]
    assert np.sum(normals[start:stop] * outward, axis=1).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-9)


def test_a_vertex_without_triangles_has_a_normal():
    normals = vertex_normals(np.eye(4, 3), np.array([[0, 1, 2]]))
    np.testing.assert_array_equal(normals[3], (0, 0, 1))


def test_landmarks_follow_the_vertices(face):
    shift = np.array((0.1, -0.2, 0.3))
    moved = landmarks_68(face, face.vertices + shift)
    np.testing.assert_allclose(moved, landmarks_68(face, face.vertices) + shift, atol=1e-6)


def test_posing_is_evaluation_then_gaze_then_head(tiny_take):
    from dvp_core.face import pose_vertices
    from dvp_core.maths.rigid import camera_from_head

    index = tiny_take.frame_count - 1
    vertices = evaluate(tiny_take.face, expression=tiny_take.expression[index])
    turned = rotate_eyes(tiny_take.face, vertices, tiny_take.gaze_rad[index])
    expected = camera_from_head(tiny_take.head_rotation_wxyz[index], tiny_take.head_translation_m[index], turned)
    np.testing.assert_allclose(pose_vertices(tiny_take, index), expected)
    assert isinstance(tiny_take.clip.fps, Fraction)


def test_blend_rounds_as_the_written_out_sum():
    """A matrix product gave other last bits in Blender's numpy than in this one."""
    random = np.random.default_rng(8)
    basis = random.normal(size=(40, 500, 3)).astype(np.float32)
    weights = random.uniform(size=40).astype(np.float32)
    weights[::3] = 0
    expected = np.zeros((500, 3))
    for weight, offsets in zip(weights, basis, strict=True):
        expected += np.multiply(offsets, weight, dtype=np.float32)
    np.testing.assert_array_equal(blend(weights, basis), expected)
