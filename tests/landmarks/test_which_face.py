"""Whose face is whose: people who cross, hide, leave and come back, before painted pictures."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.landmarks.face_look import look_of, shape_distance
from dvp_core.landmarks.which_face import Crowd, SeenFace, best_pairs, seen_face
from dvp_core.maths.rotations import matrix_from_rotation_vector
from dvp_core.pipeline.track import faces_seen_figures

FPS = Fraction(25)
HEIGHT_PX, WIDTH_PX = 240, 640
SKIN = {"anna": (200, 160, 140), "bert": (150, 110, 90), "carl": (90, 60, 50)}
CLOTHES = {"anna": (40, 60, 160), "bert": (170, 40, 40), "carl": (60, 150, 60)}


@dataclass(frozen=True)
class Pose:
    """Where one person stands on one frame."""

    name: str
    x_px: float
    size_px: float = 80.0
    turn_rad: float = 0.0


def head_points(name: str) -> np.ndarray:
    """68 points on a head that is a little different for everyone, (68, 3), one size high."""
    random = np.random.default_rng(7)
    own = np.random.default_rng(sum(map(ord, name))).normal(0, 0.04, (68, 3))
    points = random.uniform(-0.5, 0.5, (68, 3)) + own
    return points / np.ptp(points[:, 1])


def painted(poses: list[Pose], random: np.random.Generator, *, light=(1.0, 1.0, 1.0)) -> np.ndarray:
    """The picture: later people stand before earlier ones."""
    plate = np.full((HEIGHT_PX, WIDTH_PX, 3), 110.0)
    row, column = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    for pose in poses:
        x, y = (column - pose.x_px) / pose.size_px, (row - 100) / pose.size_px
        plate[(np.abs(x) < 0.8) & (y > 0.55)] = CLOTHES[pose.name]
        plate[(x / 0.55) ** 2 + (y / 0.65) ** 2 < 1] = SKIN[pose.name]
    noisy = plate * np.array(light) + random.normal(0, 4, plate.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def points_of(pose: Pose, random: np.random.Generator, *, has_depth: bool) -> np.ndarray:
    turn = matrix_from_rotation_vector(np.array([0.0, pose.turn_rad, 0.0]))
    points = head_points(pose.name) @ turn.T * pose.size_px + np.array([pose.x_px, 100.0, 0.0])
    return (points + random.normal(0, 0.4, points.shape))[:, : 3 if has_depth else 2]


def who_is_who(
    frames: list[list[Pose]], hidden=frozenset(), *, has_depth: bool = True, lights=None
) -> list[dict[str, int | None]]:
    """Follow everyone; the detector names faces in an order that changes. `hidden` holds (frame, name)."""
    random = np.random.default_rng(0)
    crowd, told = Crowd(FPS), []
    for index, poses in enumerate(frames):
        plate = painted(poses, random, light=lights[index] if lights else (1.0, 1.0, 1.0))
        seen = [pose for pose in poses if (index, pose.name) not in hidden]
        seen = [seen[place] for place in random.permutation(len(seen))]
        faces = [seen_face(points_of(pose, random, has_depth=has_depth), plate) for pose in seen]
        crowd, owners = crowd.followed(faces, index)
        told.append({pose.name: owner for pose, owner in zip(seen, owners, strict=True)})
    return told


def numbers_of(told: list[dict[str, int | None]], name: str) -> set[int | None]:
    return {frame[name] for frame in told if name in frame}


def crossing(count: int = 60) -> list[list[Pose]]:
    along = np.linspace(120, 520, count)
    return [[Pose("bert", 640 - x, 78.0, 0.3), Pose("anna", x, 82.0, -0.3)] for x in along]


@pytest.mark.parametrize("has_depth", [True, False])
def test_two_who_cross_keep_their_numbers(has_depth):
    told = who_is_who(crossing(), has_depth=has_depth)
    apart = [frame for frame in told if None not in frame.values()]  # else both are in one place, found once
    assert len(apart) >= len(told) - 2
    assert numbers_of(apart, "anna") == {0}
    assert numbers_of(apart, "bert") == {1}


@pytest.mark.parametrize("has_depth", [True, False])
@pytest.mark.parametrize("first", [22, 25, 28])
def test_one_hidden_behind_the_other_while_they_cross(has_depth, first):
    hidden = frozenset((index, "bert") for index in range(first, first + 10))
    told = who_is_who(crossing(), hidden, has_depth=has_depth)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "bert") == {1}


def test_two_who_meet_and_turn_back_keep_their_numbers():
    along = 120 + 190 * np.sin(np.linspace(0, np.pi, 80))
    frames = [[Pose("bert", 640 - x, 78.0), Pose("anna", x, 82.0)] for x in along]
    hidden = frozenset((index, "bert") for index in range(35, 45))
    told = who_is_who(frames, hidden)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "bert") == {1}


@pytest.mark.parametrize("away", [20, 45, 200])
def test_who_leaves_and_comes_back_elsewhere_is_known_again(away):
    frames = [[Pose("anna", 150.0), Pose("bert", 400.0, 70.0)]] * 20
    frames += [[Pose("bert", 400.0, 70.0)]] * away
    frames += [[Pose("bert", 400.0, 70.0), Pose("anna", 560.0, 95.0, 0.4)]] * 10
    told = who_is_who(frames)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "bert") == {1}


def test_a_stranger_in_the_place_of_one_who_left_is_somebody_else():
    frames = [[Pose("anna", 200.0)]] * 20 + [[]] * 30 + [[Pose("carl", 205.0)]] * 10
    told = who_is_who(frames)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "carl") == {1}


def test_a_bystander_who_grows_larger_is_not_taken_for_the_wanted_face():
    frames = [[Pose("anna", 200.0), Pose("bert", 480.0 - index, 40.0 + 2 * index)] for index in range(50)]
    told = who_is_who(frames)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "bert") == {1}


def test_people_who_appear_together_are_numbered_by_size_and_later_ones_after_them():
    frames = [[Pose("anna", 100.0, 60.0), Pose("bert", 300.0, 90.0)]] * 3
    frames += [[Pose("anna", 100.0, 60.0), Pose("bert", 300.0, 90.0), Pose("carl", 520.0, 110.0)]] * 3
    told = who_is_who(frames)
    assert [numbers_of(told, name) for name in ("bert", "anna", "carl")] == [{0}, {1}, {2}]


def test_a_switched_coloured_light_changes_nobody():
    frames = crossing(40)[:15] + [crossing(40)[15]] * 25
    lights = [(1.0, 1.0, 1.0)] * 8 + [(1.0, 0.3, 0.25)] * 32
    told = who_is_who(frames, lights=lights)
    assert numbers_of(told, "anna") == {0}
    assert numbers_of(told, "bert") == {1}


def test_a_jump_of_the_only_person_over_a_cut_is_followed():
    frames = [[Pose("anna", 150.0)]] * 10 + [[Pose("anna", 500.0, 110.0, 0.5)]] * 10
    assert numbers_of(who_is_who(frames), "anna") == {0}


def test_a_face_found_twice_is_counted_once():
    random = np.random.default_rng(1)
    pose = Pose("anna", 200.0)
    plate = painted([pose], random)
    twice = [seen_face(points_of(pose, random, has_depth=True), plate) for _ in range(2)]
    crowd, owners = Crowd(FPS).followed(twice, 0)
    assert owners == (0, None)
    assert len(crowd.people) == 1


def test_figures_tell_how_many_faces_were_seen():
    points, confidence = np.full((3, 68, 2), 9.0), np.ones((3, 68), np.float32)
    track = LandmarkTrack(points, confidence, np.ones(3, bool), faces_seen=np.array([1, 3, 2], np.int32))
    assert faces_seen_figures(track) == {"faces_seen_at_once": 3, "frames_with_several_faces": 2}
    assert faces_seen_figures(replace(track, faces_seen=None)) == {}


def test_nobody_on_a_frame_is_fine():
    assert Crowd(FPS).followed([], 0) == (Crowd(FPS), ())


def test_best_pairs_are_the_best_of_all():
    random = np.random.default_rng(5)
    for _ in range(30):
        costs = random.uniform(0, 12, (3, 3))
        found = sum(costs[pair] - 10 for pair in best_pairs(costs, 10.0))
        wanted = min(
            sum(min(costs[row, column] - 10, 0) for row, column in enumerate(p)) for p in permutations(range(3))
        )
        assert found == pytest.approx(wanted)


@pytest.mark.parametrize("turn_rad", [0.0, 0.7])
def test_shape_with_depth_is_the_same_however_the_head_turns(turn_rad):
    plate = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    random = np.random.default_rng(2)
    shapes = [
        look_of(points_of(Pose(name, x, size, turn), random, has_depth=True), plate).shape
        for name, x, size, turn in [
            ("anna", 200.0, 80.0, 0.0),
            ("anna", 400.0, 120.0, turn_rad),
            ("bert", 1.0, 80.0, 0.0),
        ]
    ]
    assert shape_distance(shapes[0], shapes[1]) < 0.03
    assert shape_distance(shapes[0], shapes[2]) > 0.08


def test_a_mirrored_shape_is_another_shape():
    plate = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    points = head_points("anna") * 80 + 100
    face = SeenFace(points, look_of(points, plate))
    mirrored = look_of(points * np.array([-1.0, 1.0, 1.0]), plate)
    assert shape_distance(face.look.shape, mirrored.shape) > 0.3
