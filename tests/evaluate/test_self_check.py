"""Faults put into numbers and pictures are named with their frames, and nothing is named where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from dvp_core.evaluate.asked_points import INNER, IRISES, POINT_COUNT, asked_points
from dvp_core.evaluate.faults import runs_of
from dvp_core.evaluate.motion_faults import Motion, asked_steps, find_motion_faults, frame_offsets, without_constant
from dvp_core.evaluate.picture_faults import Looks, block_means, find_picture_faults
from dvp_core.face import pose_vertices
from dvp_core.face.evaluation import landmarks_68
from dvp_core.maths.projection import project

COUNT = 40
FIRST = 101
MOVING = np.full(COUNT, 0.5)
NOBODY = np.zeros(COUNT, np.bool_)


@pytest.fixture
def random():
    return np.random.default_rng(5)


def looks(random, made_change=None, still=()):
    """Blocks of a lit room, the made ones a little off, as a generator's are."""
    plate = random.uniform(30, 220, (1, 16, 16, 3)) + random.normal(0, 0.2, (COUNT, 16, 16, 3))
    made = plate + 3.0 + random.normal(0, 0.3, plate.shape)
    change = random.uniform(2.0, 4.0, COUNT)
    change[0] = np.inf
    change[list(still)] = 0.0
    return Looks(made if made_change is None else made_change(made), plate, change)


def found(the_looks, steps=MOVING):
    return [(fault.kind, str(fault.frames)) for fault in find_picture_faults(the_looks, steps, FIRST)]


def test_good_pictures_have_no_fault(random):
    assert found(looks(random)) == []


def changed(frames, change):
    def apply(made):
        made = made.copy()
        made[frames] = change(made[frames])
        return made

    return apply


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed(slice(5, 7), lambda m: m * 0.02), [("black", "106-107")]),
        (changed(slice(9, 10), lambda m: m + np.array([0, 25, 0])), [("colour", "110")]),
        (changed(slice(None), lambda m: m - np.array([0, 25, 0])), [("colour", "101-140")]),
        (changed(slice(12, 22, 2), lambda m: m * 1.03), [("flicker", "112-122")]),
        (changed(slice(12, 13), lambda m: m * 1.04), [("flicker", "112-114")]),  # one flash
    ],
)
def test_pictures_that_are_wrong_are_named(random, change, expected):
    assert found(looks(random, change)) == expected


def test_a_slow_change_of_light_is_no_flicker(random):
    fade = np.linspace(1.0, 1.05, COUNT)[:, None, None, None]
    assert found(looks(random, lambda made: made * fade)) == []


def test_standing_still_is_a_fault_only_where_the_keys_move(random):
    frozen = looks(random, still=(20, 21, 22))
    assert found(frozen) == [("frozen", "121-123")]
    assert found(frozen, np.zeros(COUNT)) == []


def moving(random, *, jaw=None, wink=None, look=None):
    """Points of a head that sways, with a jaw, a left lid and a gaze of their own."""
    time = np.arange(COUNT)
    rest = random.uniform(40, 200, (POINT_COUNT, 2))
    sway = np.stack([3 * np.sin(time / 4), 2 * np.cos(time / 5)], axis=1)
    points = rest + sway[:, None]
    points[:, 8, 1] = points[:, 30, 1] + 60 + (0 if jaw is None else jaw)
    points[:, 8, 0] = points[:, 30, 0]
    points[:, [43, 44], 1] += 0 if wink is None else wink[:, None]
    points[:, list(IRISES), 0] += 0 if look is None else look[:, None]
    return points


def motion_of(random, asked_of, shown_of):
    seed = int(random.integers(1 << 30))
    tracked, asked, shown = (moving(np.random.default_rng(seed), **one) for one in ({}, asked_of, shown_of))
    noise = random.normal(0, 0.08, shown.shape)
    return Motion(tracked, asked, without_constant(shown + noise + random.normal(0, 2, (POINT_COUNT, 2)), asked))


def named(motion):
    return [(fault.kind, str(fault.frames)) for fault in find_motion_faults(motion, FIRST, NOBODY)]


WAVE = 3 * np.sin(np.arange(COUNT) / 3)
WINK = 4 * np.exp(-((np.arange(COUNT) - 20) ** 2) / 8)


def test_motion_as_asked_has_no_fault(random):
    asked = {"jaw": WAVE, "wink": WINK, "look": WAVE}
    weak = {"jaw": 0.9 * WAVE, "wink": 0.45 * WINK, "look": 0.4 * WAVE}  # what flow finds of it at the least
    assert named(motion_of(random, asked, weak)) == []


def test_a_jaw_that_does_not_move_is_named(random):
    assert named(motion_of(random, {"jaw": WAVE}, {"jaw": 0.2 * WAVE})) == [("jaw", "101-140")]
    assert named(motion_of(random, {"jaw": 0.02 * WAVE}, {})) == []  # hardly any motion was asked for


def test_exchanged_eyes_are_named(random):
    assert named(motion_of(random, {"look": WAVE}, {"look": -0.4 * WAVE})) == [("eyes", "101-140")]
    wink = motion_of(random, {"wink": WINK}, {"wink": -0.5 * WINK})
    assert [kind for kind, _ in named(wink)] == ["eyes"]


def rearranged(random, order):
    motion = motion_of(random, {}, {})
    return Motion(motion.tracked, motion.asked, without_constant(motion.shown[order], motion.asked))


def test_pictures_out_of_order_are_named(random):
    order = np.arange(COUNT)
    exchanged = order.copy()
    exchanged[[15, 16]] = [16, 15]
    assert named(rearranged(random, exchanged)) == [("order", "116-117")]
    dropped = np.minimum(order + (order >= 10), COUNT - 1)  # most pictures come early
    offsets = frame_offsets(rearranged(random, dropped))
    assert (offsets[:10] == 0).all()
    assert (offsets[10:-1] == 1).mean() > 0.8
    (first, *_) = find_motion_faults(rearranged(random, dropped), FIRST, NOBODY)
    assert "early" in first.reason


def test_steps_and_runs():
    points = np.zeros((3, POINT_COUNT, 2))
    points[1:, list(INNER), 0] = 2.0
    np.testing.assert_allclose(asked_steps(points), [0, 2, 0])
    assert [(run.start, run.stop) for run in runs_of(np.array([1, 0, 1, 1], bool))] == [(0, 1), (2, 4)]


def test_asked_points_are_those_of_the_posed_mesh(actor_take):
    (points,) = asked_points(actor_take, np.array([50]))
    posed = pose_vertices(actor_take, 50)
    camera = actor_take.crop.crop_camera(actor_take.camera)
    np.testing.assert_allclose(points[:68], project(landmarks_68(actor_take.face, posed), camera), atol=1e-3)
    for iris, (start, stop) in zip(points[68:], actor_take.face.eye_ranges, strict=True):
        eyeball = project(posed[start:stop], camera)
        assert (eyeball.min(axis=0) <= iris).all()
        assert (iris <= eyeball.max(axis=0)).all()


def test_blocks_are_means():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:4, :4] = (10, 20, 30)
    blocks = block_means(picture)
    np.testing.assert_allclose(blocks[0, 0], (10, 20, 30))
    assert blocks[1:].max() == 0
