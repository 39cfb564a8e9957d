import numpy as np
import pytest

from dvp_core.maths import rotations

RANDOM = np.random.default_rng(7)
QUATERNIONS = rotations.normalized(RANDOM.normal(size=(200, 4)))
# Every closed form has its own trouble near zero, near pi and on the axes.
SCALES = np.concatenate([np.logspace(-12, 0, 25), np.linspace(0.5, np.pi - 1e-6, 25)])
AXES = rotations.normalized(np.concatenate([RANDOM.normal(size=(47, 3)), np.eye(3)]))
VECTORS = AXES * SCALES[:, None]


def test_matrices_are_rotations():
    matrices = rotations.matrix_from_quaternion_wxyz(QUATERNIONS)
    np.testing.assert_allclose(
        matrices @ np.swapaxes(matrices, 1, 2), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-14)


def test_matrix_and_quaternion_are_inverse():
    back = rotations.quaternion_wxyz_from_matrix(rotations.matrix_from_quaternion_wxyz(QUATERNIONS))
    signs = np.sign(QUATERNIONS[:, :1])
    np.testing.assert_allclose(back, QUATERNIONS * signs, atol=1e-14)


def test_exponential_and_logarithm_are_inverse():
    back = rotations.rotation_vector_from_matrix(rotations.matrix_from_rotation_vector(VECTORS))
    np.testing.assert_allclose(back, VECTORS, atol=1e-8)


def test_exponential_agrees_with_the_matrix_series():
    vector = np.array([0.3, -0.2, 0.5])
    cross = rotations.cross_matrix(vector)
    term = series = np.eye(3)
    for order in range(1, 25):
        term = term @ cross / order
        series = series + term
    np.testing.assert_allclose(rotations.matrix_from_rotation_vector(vector), series, atol=1e-14)


def test_product_is_associative_and_matches_matrices():
    a, b, c = QUATERNIONS[:60], QUATERNIONS[60:120], QUATERNIONS[120:180]
    product = rotations.multiply_quaternions
    np.testing.assert_allclose(product(product(a, b), c), product(a, product(b, c)), atol=1e-14)
    to_matrix = rotations.matrix_from_quaternion_wxyz
    np.testing.assert_allclose(to_matrix(product(a, b)), to_matrix(a) @ to_matrix(b), atol=1e-14)


def test_conjugate_is_the_inverse():
    product = rotations.multiply_quaternions(QUATERNIONS, rotations.conjugate_quaternion(QUATERNIONS))
    np.testing.assert_allclose(product, np.tile([1.0, 0, 0, 0], (200, 1)), atol=1e-14)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_slerp_runs_at_constant_speed_on_the_shortest_arc(fraction):
    a, b = QUATERNIONS[:100], QUATERNIONS[100:]
    between = rotations.slerp(a, b, fraction)
    to_matrix = rotations.matrix_from_quaternion_wxyz
    whole = rotations.angle_between_deg(to_matrix(a), to_matrix(b))
    assert (whole <= 180 + 1e-9).all()
    part = rotations.angle_between_deg(to_matrix(a), to_matrix(between))
    np.testing.assert_allclose(part, whole * fraction, atol=1e-5)


def test_unwrapping_changes_signs_only():
    flipped = QUATERNIONS * RANDOM.choice([-1.0, 1.0], size=(200, 1))
    unwrapped = rotations.unwrapped_quaternions(flipped)
    assert (np.sum(unwrapped[1:] * unwrapped[:-1], axis=1) >= 0).all()
    np.testing.assert_array_equal(np.abs(unwrapped), np.abs(flipped))


@pytest.mark.parametrize(
    ("yaw_pitch_roll_deg", "moved", "direction"),
    [
        ((10, 0, 0), [0, 0, 1], [1, 0, 0]),  # yaw turns the nose to the subject's left
        ((0, 10, 0), [0, 0, 1], [0, 1, 0]),  # pitch lifts the nose
        ((0, 0, 10), [0, 1, 0], [-1, 0, 0]),  # roll leans the top of the head to the subject's right
    ],
)
def test_head_angles_turn_the_way_they_say(yaw_pitch_roll_deg, moved, direction):
    matrix = rotations.rotation_from_yaw_pitch_roll(*np.radians(yaw_pitch_roll_deg))
    turned = matrix @ np.array(moved, float)
    assert turned @ np.array(direction) == pytest.approx(np.sin(np.radians(10)))
