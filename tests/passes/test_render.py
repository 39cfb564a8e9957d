from dataclasses import fields, replace

import numpy as np
import pytest

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassFrame
from dvp_core.face import evaluate, import_ict, rotate_eyes
from dvp_core.maths.projection import project
from dvp_core.maths.spherical_harmonics import ambient_light
from dvp_core.passes import read_pass_frame, render_pass_frame, render_passes, write_pass_frame

FACING = np.diag([1.0, -1.0, -1.0])  # head space to camera space for a head that looks into the lens


def picture_of(face, vertices_camera, *, focal_px=300.0, side_px=128, **changes):
    call = {
        "illumination_sh": ambient_light(1.0),
        "reflectance": face.reflectance_mean,
        "frame": 1,
        "crop": Crop(0, 0, side_px, side_px),
        "take_sha256": "",
        "face_model_sha256": "",
    }
    return render_pass_frame(face, vertices_camera, Camera.centered(focal_px, side_px, side_px), **(call | changes))


def ball_face(tiny_face):
    """Two eyeballs of 1,000 vertices and nothing else, so that the iris's disc can be computed by hand."""
    height = np.linspace(-1, 1, 25)[1:-1]
    turn = np.linspace(0, 2 * np.pi, 41)[:-1]
    ring = np.sqrt(1 - height**2)
    shell = np.stack(
        [np.outer(ring, np.cos(turn)), np.outer(ring, np.sin(turn)), np.repeat(height[:, None], 40, 1)], axis=-1
    ).reshape(-1, 3)
    number = np.arange(len(shell)).reshape(23, 40)
    after = np.roll(number, -1, axis=1)
    quads = np.stack([number[:-1], after[:-1], after[1:], number[1:]], axis=-1).reshape(-1, 4)
    centers, radius = np.array([[0.04, 0, 0], [-0.04, 0, 0]]), 0.03
    top = np.array([[0, 0, 1.0]])
    ball = np.concatenate([shell, top])
    cap = np.stack([number[-1], after[-1], np.full(40, len(shell)), np.full(40, -1)], axis=-1)
    polygons = np.concatenate([quads, cap])
    count = len(ball)
    moved = np.where(polygons < 0, -1, polygons + count)
    return replace(
        tiny_face,
        vertices=np.concatenate([ball * radius + center for center in centers]),
        polygons=np.concatenate([polygons, moved]).astype(np.int32),
        correspondence=np.full((2 * count, 3), 0.5, np.float32),
        reflectance_mean=np.full((2 * count, 3), 0.5, np.float32),
        eye_centers=centers,
        eye_ranges=np.array([[0, count], [count, 2 * count]], np.int32),
        eye_radii=np.full(2, radius),
        iris_radii=np.full(2, 0.012),
    )


@pytest.mark.parametrize("gaze_rad", [(0.0, 0.0), (0.4, 0.0), (-0.3, 0.25)])
def test_iris_lies_at_the_gaze(tiny_face, gaze_rad):
    face = ball_face(tiny_face)
    turned = rotate_eyes(face, face.vertices, np.array([gaze_rad, gaze_rad]))
    shift = np.array([0, 0, 0.5])
    shown = picture_of(face, turned @ FACING.T + shift, focal_px=450.0)
    is_iris = (shown.gaze == (0, 0, 1)).all(axis=2)
    is_white = (shown.gaze == (1, 1, 1)).all(axis=2)
    np.testing.assert_array_equal(is_iris | is_white, shown.mask == 1)
    yaw, pitch = gaze_rad
    direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    for center, columns in zip(face.eye_centers, (slice(64, 128), slice(0, 64)), strict=True):
        disc_center = (center + direction * np.sqrt(0.03**2 - 0.012**2)) @ FACING.T + shift
        expected = project(disc_center, Camera.centered(450.0, 128, 128))
        y, x = np.nonzero(is_iris[:, columns])
        actual = np.array([x.mean() + 0.5 + columns.start, y.mean() + 0.5])
        np.testing.assert_allclose(actual, expected, atol=0.8)
        area_px = np.pi * (0.012 * 450 / (0.5 - 0.028)) ** 2 * np.cos(yaw) * np.cos(pitch)
        assert len(x) == pytest.approx(area_px, rel=0.12)


def test_eye_behind_a_lid_is_not_seen(tiny_face):
    shown = picture_of(tiny_face, tiny_face.vertices @ FACING.T + [0, 0, 0.45])
    assert shown.mask.any()
    assert not shown.gaze.any()


def test_ambient_light_shows_the_reflectance(tiny_face):
    shown = picture_of(tiny_face, tiny_face.vertices @ FACING.T + [0, 0, 0.45])
    seen = shown.color[shown.mask == 1]
    np.testing.assert_allclose(seen, np.broadcast_to([0.6, 0.4, 0.3], seen.shape), rtol=1e-3)


def test_background_is_zero_in_every_image(tiny_face):
    shown = picture_of(tiny_face, tiny_face.vertices @ FACING.T + [0, 0, 0.9])
    outside = shown.mask == 0
    assert outside.any()
    for name in ("color", "corr", "gaze", "depth"):
        assert not getattr(shown, name)[outside].any(), name
    assert (shown.depth[~outside] > 0.8).all()


def test_correspondence_stays_with_the_vertices(tiny_face):
    """Wherever a vertex is seen, its pixel shows the vertex's own place to within a pixel's step."""
    vertices = tiny_face.vertices @ FACING.T + [0, 0, 0.45]
    shown = picture_of(tiny_face, vertices)
    px = project(vertices, Camera.centered(300.0, 128, 128))
    inner = np.flatnonzero((np.abs(tiny_face.vertices[:81, :2]) < [0.06, 0.09]).all(axis=1))
    x, y = np.floor(px[inner]).astype(int).T
    np.testing.assert_allclose(shown.corr[y, x], tiny_face.correspondence[inner], atol=0.02)


def test_crop_shows_the_plates_pixels(tiny_face):
    """A crop at the plate's own scale holds the very pixels of the whole picture."""
    vertices = tiny_face.vertices @ FACING.T + [0, 0, 0.45]
    whole, part = picture_of(tiny_face, vertices), picture_of(tiny_face, vertices, crop=Crop(40, 30, 64, 64))
    for name in ("color", "corr", "gaze", "mask", "depth"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[30:94, 40:104], atol=1e-6)


def test_backends_give_the_same_bits(tiny_take):
    reference = render_passes(tiny_take, backend="reference")
    for first, second in zip(reference, render_passes(tiny_take, backend="compiled"), strict=True):
        for item in fields(PassFrame):
            np.testing.assert_array_equal(getattr(first, item.name), getattr(second, item.name))


def test_file_gives_back_what_was_drawn(tiny_take, tmp_path):
    for drawn in render_passes(tiny_take, frames=[102, 104]):
        write_pass_frame(tmp_path / "x.exr", drawn)
        read = read_pass_frame(tmp_path / "x.exr")
        for item in fields(PassFrame):
            np.testing.assert_array_equal(getattr(read, item.name), getattr(drawn, item.name))


def test_frames_are_the_plates(tiny_take):
    assert [drawn.frame for drawn in render_passes(tiny_take)] == list(range(101, 107))
    with pytest.raises(DataError, match="outside the take"):
        list(render_passes(tiny_take, frames=[0]))


def test_take_without_a_face_needs_its_model(tiny_take, tiny_face):
    bare = replace(tiny_take, face=None)
    with pytest.raises(DataError, match="carries no face"):
        list(render_passes(bare))
    with pytest.raises(DataError, match="was tracked with"):
        list(render_passes(bare, face=replace(tiny_face, id="another")))
    drawn = list(render_passes(bare, face=tiny_face))
    assert len(drawn) == 6
    assert drawn[0].mask.any()


def test_drawing_agrees_with_projected_truth(test_data):
    """The skin drawn for a rendered sequence covers its exact landmarks, to a pixel, with the camera's depth."""
    truth = np.load(test_data / "synthetic/seq_11/truth.npz")
    face = import_ict(test_data / "ict_facekit/ict_facekit.npz")
    side_px, focal_px = int(truth["size"]), float(truth["focal_px"])
    for index in (0, 30):
        expression = [float(value) for value in truth["expression"][index]]
        head = evaluate(face, identity=truth["identity"], expression=expression)
        transform = np.diag([1.0, -1, -1, 1]) @ truth["head_to_camera"][index]
        skin = truth["vertices_camera_cm"][index].astype(np.float64) * [0.01, -0.01, -0.01]
        # Shifted by what the importer moved the model's origin.
        rotation = transform[:3, :3].astype(np.float64)
        posed = head @ rotation.T
        posed += skin.mean(axis=0) - posed[: len(skin)].mean(axis=0)
        np.testing.assert_allclose(posed[: len(skin)], skin, atol=5e-4)
        shown = picture_of(face, posed, focal_px=focal_px, side_px=side_px)
        x, y = np.floor(truth["landmarks68"][index, 27:31].T).astype(int)
        assert shown.mask[y, x].all()
        assert (np.abs(shown.depth[y, x] - skin[:, 2].min()) < 0.05).all()
