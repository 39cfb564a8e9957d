"""Gaze from the picture: on eyeballs drawn in code, and on the built-in actor against his truth."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.actor import actor_clip_path, actor_landmarks_path, actor_truth
from dvp_core.data.camera import Camera
from dvp_core.data.landmark_definitions import EYES_68, ibug_points, lid_lines
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.face.built_in import built_in_face
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.projection import project, rays
from dvp_core.maths.rotations import gaze_rotation, matrix_from_quaternion_wxyz, matrix_from_rotation_vector
from dvp_core.tracking.eye_sight import EyePair, EyeSight, eye_pair, sight_of_eyes
from dvp_core.tracking.gaze import CLOSED, VERGENCE_RAD, gaze_of_frames, known_eyes, openings, telling_frames
from dvp_core.tracking.states import FrameState
from dvp_core.video import open_clip

CAMERA = Camera.centered(900.0, 320, 240)
EYES = EyePair(
    centers=np.array([[0.031, 0.0, 0.0], [-0.031, 0.0, 0.0]]),
    shifts=np.zeros((0, 2, 3)),
    radii=np.full(2, 0.012),
    iris_radii=np.full(2, 0.0059),
)
VERGENCE = np.array([[-0.5, 0.0], [0.5, 0.0]]) * VERGENCE_RAD
GAZES_DEG = [(0, 0), (18, 4), (-15, -8), (8, 10), (-20, 3), (4, -12), (12, -3), (-6, 6)]


def turned(yaw_deg: float) -> FrameState:
    turn = matrix_from_rotation_vector(np.radians([3.0, yaw_deg, 2.0]))
    return FrameState(OPENGL_CAMERA_FROM_CAMERA @ turn, np.array([0.0, 0.0, 0.55]), np.zeros(0))


def lids_of(state: FrameState, *, half_height: float = 0.0055) -> np.ndarray:
    """Return almond-shaped lids (2, 2, 9, 2) in front of both eyeballs."""
    along = np.linspace(-1, 1, 9)
    lids = np.zeros((2, 2, 9, 2))
    for side, center in enumerate(EYES.centers):
        for number, sign in enumerate((1, -1)):
            x, y = 0.0115 * along, sign * half_height * (1 - along**2)
            z = np.sqrt(0.0125**2 - x**2 - y**2)
            edge = center + np.stack([x, y, z], axis=1)
            lids[side, number] = project(edge @ state.rotation.T + state.translation_m, CAMERA)
    return lids


def drawn_eyes(
    state: FrameState, gaze_rad: np.ndarray, *, iris=(60, 75, 90), seen: tuple[int, ...] = (0, 1)
) -> np.ndarray:
    """Return a plate (H, W, 3) with both eyeballs, each iris where its eye looks; eyes not in `seen` are mere skin."""
    y, x = np.mgrid[: CAMERA.height_px * 2, : CAMERA.width_px * 2] / 2 + 0.25
    towards = rays(np.stack([x, y], axis=-1), CAMERA)
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    plate = np.full((*x.shape, 3), (190.0, 150.0, 130.0))
    for side in seen:
        center = state.rotation @ EYES.centers[side] + state.translation_m
        along = towards @ center
        depth2 = EYES.radii[side] ** 2 - (center @ center - along**2)
        on_ball = (along - np.sqrt(np.maximum(depth2, 0)))[..., None] * towards - center
        look = state.rotation @ gaze_rotation(*gaze_rad[side]) @ [0.0, 0.0, 1.0]
        off_axis = np.sqrt(np.maximum(EYES.radii[side] ** 2 - (on_ball @ look) ** 2, 0))
        off_axis[(depth2 <= 0) | (on_ball @ look < 0)] = 1.0
        plate[depth2 > 0] = (225, 220, 215)
        plate[off_axis < EYES.iris_radii[side]] = iris
        plate[off_axis < 0.35 * EYES.iris_radii[side]] = (20, 18, 18)
    return plate.reshape(CAMERA.height_px, 2, CAMERA.width_px, 2, 3).mean(axis=(1, 3)).astype(np.uint8)


def seen_gazes(
    gazes_rad: np.ndarray, *, eyes: EyePair = EYES, half_height: float = 0.0055, **drawing
) -> list[EyeSight]:
    sights = []
    for number, gaze in enumerate(gazes_rad):
        state = turned(10.0 * np.sin(number))
        plate = drawn_eyes(state, gaze, **drawing)
        sights.append(sight_of_eyes(plate, eyes, state, lids_of(state, half_height=half_height), CAMERA))
    return sights


def gazes() -> np.ndarray:
    return np.radians(GAZES_DEG)[:, None] + VERGENCE


def found_gaze(eyes: EyePair, sights: list[EyeSight], is_open: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gaze and deviations of a whole clip's sights."""
    known = known_eyes(eyes, [sights[frame] for frame in telling_frames(is_open)])
    return gaze_of_frames(known, sights)


def all_open(count: int) -> np.ndarray:
    return np.ones((count, 2), dtype=bool)


@pytest.mark.parametrize("iris", [(60, 75, 90), (70, 45, 30), (130, 155, 185)])
def test_drawn_irises_are_found_whatever_their_colour(iris):
    found, sigma = found_gaze(EYES, seen_gazes(gazes(), iris=iris), all_open(len(GAZES_DEG)))
    away_deg = np.degrees(np.abs(found - gazes()))
    assert away_deg[..., 0].max() < 2.5
    assert away_deg[..., 1].max() < 4.0
    assert (away_deg < 4 * np.degrees(sigma)).all()


def test_narrow_lids_make_the_gaze_less_sure():
    _, wide = found_gaze(EYES, seen_gazes(gazes()), all_open(len(GAZES_DEG)))
    _, narrow = found_gaze(EYES, seen_gazes(gazes(), half_height=0.0025), all_open(len(GAZES_DEG)))
    assert (np.median(narrow, axis=(0, 1)) > 1.3 * np.median(wide, axis=(0, 1))).all()


def test_a_hidden_eye_follows_the_other_one():
    truth = gazes()
    found, sigma = found_gaze(EYES, seen_gazes(truth, seen=(0,)), all_open(len(truth)))
    assert np.degrees(np.abs(found - truth)[..., 0]).max() < 5.0
    assert (sigma[:, 1] > sigma[:, 0]).all()


def test_where_the_picture_shows_nothing_the_detector_is_believed():
    truth = gazes()
    reach = np.sqrt(EYES.radii**2 - EYES.iris_radii**2)
    sights = []
    for number, gaze in enumerate(truth):
        state = turned(10.0 * np.sin(number))
        looks = np.stack([gaze_rotation(*eye)[:, 2] for eye in gaze])
        irises = EYES.centers + reach[:, None] * looks
        irises_px = project(irises @ state.rotation.T + state.translation_m, CAMERA)
        plate = drawn_eyes(state, gaze, seen=())
        sight = sight_of_eyes(plate, EYES, state, lids_of(state), CAMERA, irises_px=irises_px)
        assert sight.irises_rad == pytest.approx(gaze, abs=1e-6)
        sights.append(sight)
    found, sigma = found_gaze(EYES, sights, all_open(len(truth)))
    assert np.degrees(np.abs(found - truth)).max() < 6.0  # drawn a little towards what eyes usually do
    assert np.degrees(sigma).min() > 3.0


def test_eyeballs_that_stand_too_far_out_do_not_make_a_squint():
    outside = replace(EYES, centers=EYES.centers * [1.04, 1.0, 1.0])  # 1.2 mm, six degrees
    found, _ = found_gaze(outside, seen_gazes(gazes(), eyes=outside), all_open(len(GAZES_DEG)))
    apart_deg = np.degrees(found[:, 0, 0] - found[:, 1, 0])
    assert np.median(apart_deg) == pytest.approx(-np.degrees(VERGENCE_RAD), abs=1.5)
    assert np.degrees(np.abs(found - gazes())[..., 0]).max() < 3.0


def test_a_frames_gaze_does_not_depend_on_the_frames_it_is_looked_at_with():
    sights = seen_gazes(gazes())
    known = known_eyes(EYES, sights)
    together, sigma = gaze_of_frames(known, sights)
    for number, sight in enumerate(sights):
        alone, sigma_alone = gaze_of_frames(known, [sight])
        assert alone[0] == pytest.approx(together[number], abs=1e-4)
        assert sigma_alone[0] == pytest.approx(sigma[number], abs=1e-4)


def test_eyes_are_known_by_a_few_open_frames_of_the_whole_clip():
    is_open = np.ones((18_000, 2), dtype=bool)
    is_open[::7, 1] = False
    chosen = telling_frames(is_open)
    assert 20 <= len(chosen) <= 24
    assert is_open[chosen].all()
    assert np.diff(chosen).max() < 18_000 / 20
    assert len(telling_frames(np.zeros((9, 2), dtype=bool))) == 0


def test_a_clip_without_open_eyes_still_gives_numbers():
    found, sigma = found_gaze(EYES, seen_gazes(gazes()[:2]), np.zeros((2, 2), dtype=bool))
    assert np.isfinite(found).all()
    assert np.isfinite(sigma).all()


def test_lid_lines_go_through_the_points_of_the_lids():
    points = np.zeros((1, 68, 2))
    points[0, EYES_68[1]] = [[0, 0], [3, -2], [6, -2], [9, 0], [6, 2], [3, 2]]
    track = LandmarkTrack(points, np.ones((1, 68), np.float32), np.array([True]), (64, 64), Fraction(25))
    upper, lower = lid_lines(track)[0, 1]
    assert upper[[0, -1]] == pytest.approx(np.array([[0, 0], [9, 0]]))
    assert np.interp([3, 4.5, 6], *upper.T) == pytest.approx([-2.0, -2.25, -2.0], abs=0.1)
    assert lower == pytest.approx(upper * [1, -1])


def test_the_actor_looks_where_he_looks():
    truth, model = actor_truth(), built_in_face()
    eyes = eye_pair(model.baked(truth.identity))
    points = read_landmarks(actor_landmarks_path())
    rotations = matrix_from_quaternion_wxyz(truth.head_rotation_wxyz.astype(np.float64))
    frames = range(0, truth.frame_count, 5)
    plates = list(open_clip(actor_clip_path()).iterate())
    lids = lid_lines(points)
    sights = [
        sight_of_eyes(
            plates[frame],
            eyes,
            FrameState(rotations[frame], truth.head_translation_m[frame], truth.expression[frame]),
            lids[frame],
            truth.camera,
        )
        for frame in frames
    ]
    is_open = (openings(ibug_points(points)) > CLOSED)[frames]
    found, sigma = found_gaze(eyes, sights, is_open)
    expected = truth.gaze_rad[frames]
    away = np.arccos(np.clip((_looks(found) * _looks(expected)).sum(axis=-1), -1, 1))
    assert np.degrees([away[:, side][is_open[:, side]].mean() for side in range(2)]).max() < 4.0
    in_sigmas = ((found - expected) / sigma)[is_open]
    assert 0.5 < np.sqrt((in_sigmas**2).mean()) < 1.6


def _looks(gaze_rad: np.ndarray) -> np.ndarray:
    yaw, pitch = gaze_rad[..., 0], gaze_rad[..., 1]
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)
