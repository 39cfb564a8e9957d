"""The lips' shade upon what lies behind them."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.camera import Camera, Crop
from dvp_core.face import built_in_face, evaluate, import_ict
from dvp_core.face.evaluation import landmarks_68
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.maths.spherical_harmonics import ambient_light
from dvp_core.passes import render_pass_frame
from dvp_core.passes.mouth_light import INSIDE_MOUTH, NEAREST_M, mouth_light

FACING = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def face():
    return built_in_face().baked(np.zeros(built_in_face().identity_count))


def posed(face, **weights):
    return evaluate(face, expression=np.array([weights.get(name, 0.0) for name in face.expression_names]))


def front_teeth(face):
    """The nearest tenth of the teeth's vertices, at rest."""
    teeth = face.region("teeth")
    return teeth & (face.vertices[:, 2] > np.quantile(face.vertices[teeth, 2], 0.9))


def test_closed_lips_leave_the_mouth_dark(face):
    share = mouth_light(face, posed(face))
    assert share[front_teeth(face)].max() < 0.25
    assert share[face.region("mouth_socket")].max() < 0.25


def test_an_open_mouth_shows_its_teeth_and_hides_its_depth(face):
    share = mouth_light(face, posed(face, jawOpen=1.0))
    assert share[front_teeth(face)].min() > 0.6
    socket = face.region("mouth_socket")
    deepest = socket & (face.vertices[:, 2] < np.quantile(face.vertices[socket, 2], 0.2))
    assert share[deepest].max() < 0.15


def test_more_opening_is_more_light(face):
    inside = face.region(*INSIDE_MOUTH)
    shares = [mouth_light(face, posed(face, jawOpen=opening))[inside].mean() for opening in np.linspace(0, 1, 6)]
    assert (np.diff(shares) > 0).all()


def test_outside_the_mouth_all_light_comes(face):
    assert (mouth_light(face, posed(face, jawOpen=0.7))[~face.region(*INSIDE_MOUTH)] == 1.0).all()


def test_the_light_goes_with_the_head(face):
    """The same share wherever the head stands and however it is turned."""
    vertices = posed(face, jawOpen=0.5)
    rotation = FACING @ rotation_from_yaw_pitch_roll(0.7, -0.3, 0.4)
    np.testing.assert_allclose(
        mouth_light(face, vertices @ rotation.T + [0.1, -0.05, 0.8]), mouth_light(face, vertices), atol=1e-9
    )


def test_the_share_is_that_of_the_window_seen(face):
    """On the axis behind the middle it is the product of two sines that anyone can draw."""
    vertices = posed(face, jawOpen=0.8)
    lips = landmarks_68(face, vertices)[60:68]
    half_width = 0.5 * np.linalg.norm(lips[4] - lips[0])
    middle = 0.5 * (lips[2] + lips[6])
    number = np.flatnonzero(face.region("teeth"))[0]
    across = (lips[4] - lips[0]) / (2 * half_width)
    upper, lower = landmarks_68(face, vertices)[50:53].mean(axis=0), landmarks_68(face, vertices)[56:59].mean(axis=0)
    outward = np.cross(across, upper - lower)
    outward /= np.linalg.norm(outward)
    half_height = 0.5 * (lips[[1, 2, 3]] - lips[[7, 6, 5]]).mean(axis=0) @ np.cross(outward, across)
    for depth in (0.002, 0.01, 0.04):
        vertices[number] = middle - depth * outward
        expected = half_height / np.hypot(half_height, depth) * half_width / np.hypot(half_width, depth)
        assert mouth_light(face, vertices)[number] == pytest.approx(expected, rel=1e-6)
    vertices[number] = middle + 0.01 * outward  # a tongue put out
    expected = half_height / np.hypot(half_height, NEAREST_M) * half_width / np.hypot(half_width, NEAREST_M)
    assert mouth_light(face, vertices)[number] == pytest.approx(expected, rel=1e-6)


def test_a_face_without_a_mouths_inside_is_lit_everywhere(face):
    names = tuple("face" if name in INSIDE_MOUTH else name for name in face.region_names)
    assert (mouth_light(replace(face, region_names=names), posed(face)) == 1.0).all()


def test_the_colour_pass_shows_it(face):
    """Under light from everywhere teeth are as bright as their reflectance times the share; skin is as before."""
    vertices = posed(face, jawOpen=1.0)
    camera = Camera.centered(500.0, 192, 192)
    grey = np.full((face.vertex_count, 3), 0.5)

    def drawn(model):
        return render_pass_frame(
            model,
            vertices @ FACING.T + [0, 0, 0.6],
            camera,
            illumination_sh=ambient_light(1.0),
            reflectance=grey,
            frame=1,
            crop=Crop(0, 0, 192, 192),
            take_sha256="",
            face_model_sha256="",
        )

    names = tuple("face" if name in INSIDE_MOUTH else name for name in face.region_names)
    shaded, unshaded = drawn(face), drawn(replace(face, region_names=names))
    seen = shaded.mask == 1
    assert (unshaded.color[seen] == 0.5).all()
    is_darker = (shaded.color < unshaded.color).any(axis=2)
    np.testing.assert_array_equal(shaded.corr, unshaded.corr)
    assert 20 < is_darker.sum() < 0.1 * seen.sum()
    assert shaded.color[is_darker].min() < 0.1


def test_on_ict_closed_lips_are_no_light_seam(test_data):
    face = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    share = mouth_light(face, face.vertices.astype(np.float64))
    assert share[face.region("teeth", "gums", "mouth_socket")].max() < 0.35
