"""What an overlay shows, pixel by pixel where a place is known."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.actor import actor_landmarks_path
from dvp_core.data.camera import Camera
from dvp_core.data.doubt import Doubt
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.face.posing import pose_vertices
from dvp_core.passes.surface import see_surface
from dvp_core.review import drawn_frame, overlay_of
from dvp_core.review.marks import ALARM, DETECTED, WARNING, wrapped, write
from dvp_core.review.mesh import TRACKED, mesh_over, outline_over
from dvp_core.review.overlay import drawn_plate, scaled_camera
from dvp_core.review.strip import HEIGHT_PX, strip_of

INDEX = 150
GREY = 128


@pytest.fixture(scope="module")
def points():
    return read_landmarks(actor_landmarks_path())


def grey_plate(camera):
    return np.full((camera.height_px, camera.width_px, 3), GREY, np.uint8)


def head_mask(take, index, camera):
    return see_surface(pose_vertices(take, index), take.face.triangles, camera).is_covered


def test_the_mesh_covers_the_head_and_nothing_else(actor_take):
    plate = grey_plate(actor_take.camera)
    drawn = mesh_over(plate, actor_take.face, pose_vertices(actor_take, INDEX), actor_take.camera)
    is_changed = (drawn != plate).any(axis=2)
    np.testing.assert_array_equal(is_changed, head_mask(actor_take, INDEX, actor_take.camera))
    assert (plate == GREY).all()


def test_lines_run_where_the_grid_changes_its_cell_and_hidden_ones_are_not_drawn(tiny_face):
    camera = Camera.centered(100.0, 100, 100)
    corners = np.array([[-0.4, -0.4], [0.4, -0.4], [0.4, 0.4], [-0.4, 0.4]])

    def square(depth_m):
        return np.column_stack([corners * depth_m, np.full(4, depth_m)])

    places = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    face = replace(
        tiny_face,
        polygons=np.array([[3, 2, 1, 0], [7, 6, 5, 4]], np.int32),
        correspondence=np.concatenate([np.zeros((4, 3)), np.column_stack([places, np.zeros(4)])]).astype(np.float32),
    )

    def lines(front_m, back_m):
        drawn = mesh_over(grey_plate(camera), face, np.concatenate([square(front_m), square(back_m)]), camera)
        return (np.abs(drawn[30].astype(int) - np.array(TRACKED)) < 60).all(axis=1)

    plain, seen = lines(1.0, 2.0), lines(2.0, 1.0)
    assert plain.sum() == 2  # the outline, left and right
    assert seen.sum() == 2 + 21
    expected = 10 + 80 * np.arange(1, 22) / 22
    inner = np.flatnonzero(seen)[1:-1]
    assert np.abs(inner + 1 - expected).max() <= 1.0


def test_a_frame_without_a_face_shows_the_outline_alone(actor_take):
    plate = grey_plate(actor_take.camera)
    drawn = outline_over(plate, actor_take.face, pose_vertices(actor_take, INDEX), actor_take.camera)
    mask = head_mask(actor_take, INDEX, actor_take.camera)
    is_changed = (drawn != plate).any(axis=2)
    assert not is_changed[~mask].any()
    assert 0.01 < is_changed.sum() / mask.sum() < 0.15


def test_small_plates_are_enlarged_and_large_ones_shrunk(actor_take, actor_source):
    overlay = overlay_of(actor_take, ())
    picture = drawn_frame(overlay, actor_source.read(INDEX), INDEX)
    assert picture.shape == (512 + HEIGHT_PX, 512, 3)
    large = replace(actor_take, camera=scaled_camera(actor_take.camera, 10.0))
    assert overlay_of(large, ()).camera.width_px == 1280


def test_detected_points_stand_where_the_detector_saw_them(actor_take, points):
    overlay = overlay_of(actor_take, (), points)
    drawn = drawn_plate(overlay, grey_plate(actor_take.camera), INDEX)
    places = np.floor(2 * points.points_px[INDEX]).astype(int)
    colours = drawn[places[:, 1], places[:, 0]].astype(int)
    is_shown = (np.abs(colours - np.array(DETECTED)) < 60).all(axis=1)
    assert is_shown.mean() > 0.9  # a few lie under a ray


def test_rays_turn_with_the_gaze(actor_take):
    def ray_middle(yaw_rad):
        gaze = np.zeros_like(actor_take.gaze_rad)
        gaze[..., 0] = yaw_rad
        drawn = drawn_plate(
            overlay_of(replace(actor_take, gaze_rad=gaze), ()), grey_plate(actor_take.camera), INDEX
        ).astype(int)
        is_ray = (np.abs(drawn - np.array((255, 170, 40))) < 25).all(axis=2)
        return np.flatnonzero(is_ray.any(axis=0)).mean()

    assert ray_middle(0.5) > ray_middle(0.0) + 8 > ray_middle(-0.5) + 16  # the subject's left is the picture's right


@pytest.mark.parametrize(("severity", "border"), [("bad", ALARM), ("look", WARNING), ("note", (GREY,) * 3)])
def test_doubtful_frames_alone_have_a_border_and_words(actor_take, severity, border):
    first = actor_take.clip.start_frame
    doubt = Doubt(first + INDEX, first + INDEX, "head", "the head jumps", severity, "key it")
    overlay = overlay_of(actor_take, [doubt])
    for index, expected in ((INDEX, border), (INDEX + 1, (GREY,) * 3)):
        drawn = drawn_frame(overlay, grey_plate(actor_take.camera), index)
        assert tuple(drawn[0, 5]) == expected
        assert tuple(drawn[511, 300]) == expected
        is_banded = drawn[8, 500, 0] < GREY - 20 and severity != "note"
        assert is_banded == (index == INDEX and severity != "note")


def test_the_strip_shows_runs_cuts_and_a_cursor(actor_take):
    first = actor_take.clip.start_frame
    doubts = [Doubt(first + 100, first + 149, "face", "lost", "bad", "key it")]
    strip = strip_of(replace(actor_take, shot_starts=(first + 250,)), doubts, 608)
    row = strip.picture[30].astype(int)
    is_red = row[:, 0] > row[:, 2] + 60
    assert np.abs(np.flatnonzero(is_red)[[0, -1]] - [204, 303]).max() <= 1
    assert tuple(strip.picture[30, 504]) == (150, 150, 150)
    cursor = np.flatnonzero((strip.at(200)[40] == 255).all(axis=1))
    assert np.abs(cursor - 405).max() <= 1


def test_a_face_far_outside_and_words_of_any_script_do_no_harm(actor_take, points):
    away = replace(actor_take, head_translation_m=actor_take.head_translation_m + np.float32([500, 0, 0]))
    drawn = drawn_plate(overlay_of(away, (), points), grey_plate(actor_take.camera), INDEX)
    assert drawn.shape == (512, 512, 3)
    write(drawn, "Zoë 顔", (10, 20))
    assert [len(line) < 30 for line in wrapped("word " * 30, 150)] == [True] * len(wrapped("word " * 30, 150))


def test_a_take_without_face_or_with_other_points_is_refused(actor_take, points):
    with pytest.raises(DataError, match="--face-model"):
        overlay_of(replace(actor_take, face=None), ())
    with pytest.raises(DataError, match="299"):
        overlay_of(actor_take, (), points.part(0, 299))
