import numpy as np
import pytest

from dvp_core.data.camera import Camera, Crop
from dvp_core.maths import frames, projection, rotations, spherical_harmonics
from dvp_core.maths.colour import srgb_decode, srgb_encode

RANDOM = np.random.default_rng(3)
CAMERA = Camera(focal_px=700.0, principal_px=(131.0, 120.0), width_px=256, height_px=256)
POINTS = np.column_stack([RANDOM.uniform(-0.2, 0.2, (50, 2)), RANDOM.uniform(0.4, 1.2, 50)])


def central_differences(function, at, step=1e-6):
    columns = []
    for axis in range(at.shape[-1]):
        shift = np.zeros_like(at)
        shift[..., axis] = step
        columns.append((function(at + shift) - function(at - shift)) / (2 * step))
    return np.stack(columns, axis=-1)


def test_projection_of_the_axis_is_the_principal_point():
    np.testing.assert_array_equal(projection.project(np.array([0.0, 0.0, 2.0]), CAMERA), CAMERA.principal_px)


def test_points_behind_the_lens_are_nowhere():
    assert np.isinf(projection.project(np.array([[0.0, 0.0, -1.0], [0.1, 0.0, 0.0]]), CAMERA)).all()


def test_projection_jacobian_matches_differences():
    expected = central_differences(lambda points: projection.project(points, CAMERA), POINTS)
    np.testing.assert_allclose(projection.project_jacobian(POINTS, CAMERA), expected, rtol=1e-6, atol=1e-4)


def test_rays_pass_through_their_points():
    directions = projection.rays(projection.project(POINTS, CAMERA), CAMERA)
    np.testing.assert_allclose(directions * POINTS[:, 2:], POINTS, atol=1e-14)


def test_crop_camera_sees_what_the_crop_shows():
    crop = Crop(x_px=-20, y_px=15, size_px=300, resolution_px=128)
    through_plate = crop.to_crop_px(projection.project(POINTS, CAMERA))
    np.testing.assert_allclose(projection.project(POINTS, crop.crop_camera(CAMERA)), through_plate, atol=1e-10)
    np.testing.assert_allclose(crop.to_plate_px(through_plate), projection.project(POINTS, CAMERA), atol=1e-10)


@pytest.mark.parametrize("name", ["BLENDER_HEAD_FROM_HEAD", "BLENDER_WORLD_FROM_CAMERA", "OPENGL_CAMERA_FROM_CAMERA"])
def test_axis_changes_are_proper_signed_permutations(name):
    matrix = getattr(frames, name)
    assert np.linalg.det(matrix) == 1
    assert sorted(np.abs(matrix).ravel()) == [0] * 6 + [1] * 3


def test_blender_pose_round_trip_is_exact():
    rotation = rotations.matrix_from_quaternion_wxyz(rotations.normalized(RANDOM.normal(size=(20, 4))))
    translation = RANDOM.normal(size=(20, 3))
    back_rotation, back_translation = frames.take_pose_from_blender(
        frames.blender_from_take_pose(rotation, translation)
    )
    np.testing.assert_array_equal(back_rotation, rotation)
    np.testing.assert_array_equal(back_translation, translation)


def test_a_head_facing_the_camera_shows_its_nose():
    rotation = rotations.matrix_from_quaternion_wxyz(frames.facing_camera_rotation_wxyz())
    np.testing.assert_allclose(rotation @ np.array([0, 0, 1.0]), [0, 0, -1], atol=1e-15)  # towards the lens
    np.testing.assert_allclose(
        rotation @ np.array([0, 1.0, 0]), [0, -1, 0], atol=1e-15
    )  # the crown is up in the picture
    np.testing.assert_allclose(rotation @ np.array([1.0, 0, 0]), [1, 0, 0], atol=1e-15)  # subject's left is right


def test_opengl_pose_puts_the_point_in_front():
    matrix = np.eye(4)
    matrix[:3, 3] = [0.1, 0.2, -0.8]
    quaternion, translation = frames.head_pose_from_opengl(matrix)
    np.testing.assert_allclose(quaternion, frames.facing_camera_rotation_wxyz())
    np.testing.assert_allclose(translation, [0.1, -0.2, 0.8])


def test_spherical_harmonics_integrate_a_cosine_lobe():
    """The nine numbers of a distant lamp must give nearly its clamped cosine (Ramamoorthi & Hanrahan, fig. 2)."""
    lamp = np.array([0.0, 0.0, 1.0])
    factors = np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])
    coefficients = spherical_harmonics.sh_basis(lamp) / factors * np.pi
    normals = rotations.normalized(RANDOM.normal(size=(4000, 3)))
    shaded = spherical_harmonics.sh_basis(normals) @ coefficients
    truth = np.maximum(normals @ lamp, 0.0)
    assert np.abs(shaded - truth).max() < 0.1
    assert np.sqrt(np.mean((shaded - truth) ** 2)) < 0.05


def test_spherical_harmonics_jacobian_matches_differences():
    normals = RANDOM.normal(size=(30, 3))
    expected = central_differences(spherical_harmonics.sh_basis, normals)
    np.testing.assert_allclose(spherical_harmonics.sh_basis_jacobian(normals), expected, atol=1e-8)


def test_ambient_light_shades_all_alike():
    normals = rotations.normalized(RANDOM.normal(size=(10, 3)))
    np.testing.assert_allclose(spherical_harmonics.shade(normals, spherical_harmonics.ambient_light(0.4)), 0.4)


def test_srgb_curve_is_known_and_invertible():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(srgb_decode(srgb_encode(values)), values, atol=1e-6)
    assert srgb_encode(np.array(0.18)) == pytest.approx(0.46135612950044164)
    assert srgb_encode(values.astype(np.float32)).dtype == np.float32


def test_pose_of_blenders_head_bone_loses_no_bit():
    random = np.random.default_rng(5)
    rotation = rotations.normalized(random.normal(size=(20, 4))).astype(np.float32)
    translation = random.normal(size=(20, 3)).astype(np.float32)
    channels = frames.opengl_pose_from_take_pose(rotation, translation)
    back = frames.take_pose_from_opengl_pose(*channels)
    for before, after in zip((rotation, translation), back, strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    turned = frames.OPENGL_CAMERA_FROM_CAMERA @ rotations.matrix_from_quaternion_wxyz(rotation)
    np.testing.assert_allclose(rotations.matrix_from_quaternion_wxyz(channels[0]), turned, atol=1e-15)
