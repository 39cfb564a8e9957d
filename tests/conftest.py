"""Small things made in code that tests of several rooms need."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take, with_compact_face
from dvp_core.face import built_in_face
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector
from dvp_core.maths.spherical_harmonics import ambient_light


@pytest.fixture(scope="session", autouse=True)
def signing_keys_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's own signing keys and ledger out of the tests, and the tests' out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVP_KEYS", str(tmp_path_factory.mktemp("keys")))
        patch.setenv("DVP_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real clips and models; tests that need it are skipped without it."""
    folder = os.environ.get("DVP_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("DVP_TEST_DATA names no folder with the test data")
    return Path(folder)


@pytest.fixture(scope="session")
def actor_source():
    """The actor's movie."""
    from dvp_core.actor import actor_clip_path  # not at the top: Blender's own tests have no PyAV
    from dvp_core.video import open_clip

    return open_clip(actor_clip_path())


@pytest.fixture(scope="session")
def actor_take(actor_source) -> Take:
    """What was rendered, as a perfect tracker would find it."""
    from dvp_core.actor import actor_truth

    truth = actor_truth()
    model = built_in_face()
    count = truth.frame_count
    return Take(
        subject="actor",
        clip=actor_source.clip,
        camera=truth.camera,
        crop=Crop(0, 0, 256, 256),
        face=model.baked(truth.identity),
        face_model_id=model.id,
        face_model_sha256=model.sha256,
        expression_names=truth.expression_names,
        identity=truth.identity,
        reflectance=truth.reflectance,
        head_rotation_wxyz=truth.head_rotation_wxyz,
        head_translation_m=truth.head_translation_m,
        expression=truth.expression,
        gaze_rad=truth.gaze_rad,
        illumination_sh=np.tile(ambient_light(0.8), (count, 1, 1)).astype(np.float32),
        is_tracked=np.ones(count, np.bool_),
        landmark_error_px=np.full(count, 0.5, np.float32),
        photometric_error=np.full(count, 0.03, np.float32),
    )


@pytest.fixture(scope="session")
def tiny_face() -> FaceModel:
    """A bent sheet of 8 x 8 quads with two four-vertex eyeballs behind it: every array of a model, in miniature."""
    random = np.random.default_rng(11)
    side = 9
    u, v = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    sheet = np.column_stack([u.ravel() * 0.07, v.ravel() * 0.1, 0.05 - 0.04 * (u.ravel() ** 2 + 0.5 * v.ravel() ** 2)])
    corner = np.arange(side * (side - 1)).reshape(side - 1, side)[:, :-1].ravel()
    quads = np.column_stack([corner, corner + 1, corner + side + 1, corner + side])
    tetrahedron = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.012 / np.sqrt(3)
    centers = np.array([[0.03, 0.03, 0.02], [-0.03, 0.03, 0.02]])
    vertices = np.concatenate([sheet, tetrahedron + centers[0], tetrahedron + centers[1]])
    count = len(vertices)
    first = len(sheet)
    eye_triangles = np.array([[0, 1, 2, -1], [0, 3, 1, -1], [0, 2, 3, -1], [1, 3, 2, -1]])
    eyes = np.concatenate([np.where(eye_triangles < 0, -1, eye_triangles + first + 4 * eye) for eye in (0, 1)])
    polygons = np.concatenate([quads, eyes]).astype(np.int32)
    extent = np.ptp(vertices, axis=0)
    is_skin = (np.arange(count) < first)[:, None]
    return FaceModel(
        id="tiny",
        vertices=vertices,
        polygons=polygons,
        uv=((vertices - vertices.min(axis=0)) / extent)[:, :2].astype(np.float32),
        polygon_uv=polygons.copy(),
        identity_basis=(random.normal(size=(3, count, 3)) * 0.001 * is_skin).astype(np.float32),
        expression_basis=(random.normal(size=(2, count, 3)) * 0.003 * is_skin).astype(np.float32),
        expression_names=("jawOpen", "mouthSmileLeft"),
        reflectance_mean=np.where(is_skin, [0.6, 0.4, 0.3], [0.8, 0.8, 0.8]).astype(np.float32),
        reflectance_basis=(random.normal(size=(2, count, 3)) * 0.02).astype(np.float32),
        correspondence=((vertices - vertices.min(axis=0)) / extent).astype(np.float32),
        region_ids=np.concatenate([np.zeros(first), [1] * 4, [2] * 4]).astype(np.uint8),
        region_names=("face", "eyeball_left", "eyeball_right"),
        landmark_vertices=random.integers(0, first, (68, 3)).astype(np.int32),
        landmark_barycentric=np.full((68, 3), 1 / 3, np.float32),
        eye_centers=centers,
        eye_radii=np.full(2, 0.012),
        eye_ranges=np.array([[first, first + 4], [first + 4, first + 8]], np.int32),
        iris_radii=np.full(2, 0.006),
    )


@pytest.fixture(scope="session")
def tiny_take(tiny_face) -> Take:
    """Six frames of the tiny face turning and speaking before a camera of 96 x 64 pixels."""
    random = np.random.default_rng(12)
    count = 6
    turns = quaternion_wxyz_from_rotation_vector(np.outer(np.linspace(-0.2, 0.2, count), [0.2, 1.0, 0.1]))
    identity = np.array([0.5, -1.0, 0.2], np.float32)
    return Take(
        subject="tiny",
        clip=Clip("tiny.mp4", "0" * 64, 96, 64, Fraction(25), 101, count),
        camera=Camera.centered(120.0, 96, 64),
        crop=Crop(16, 0, 64, 48),
        face=with_compact_face(tiny_face.baked(identity)),
        face_model_id=tiny_face.id,
        face_model_sha256=tiny_face.sha256,
        expression_names=tiny_face.expression_names,
        identity=identity,
        reflectance=tiny_face.reflectance_mean,
        head_rotation_wxyz=multiply_quaternions(facing_camera_rotation_wxyz(), turns).astype(np.float32),
        head_translation_m=np.tile(np.float32([0.0, 0.0, 0.45]), (count, 1)),
        expression=random.uniform(0, 1, (count, 2)).astype(np.float32),
        gaze_rad=random.uniform(-0.2, 0.2, (count, 2, 2)).astype(np.float32),
        illumination_sh=np.tile(ambient_light(0.9), (count, 1, 1)).astype(np.float32),
        is_tracked=np.ones(count, bool),
        landmark_error_px=np.full(count, 0.5, np.float32),
        photometric_error=np.full(count, 0.02, np.float32),
        tool_version="test",
    )
