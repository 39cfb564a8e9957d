"""Doubts on a performance that is clean, and on the same one tampered with in known frames."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.actor import actor_truth
from dvp_core.data.clip import Clip
from dvp_core.data.doubt import doubtful_frames, gravest_first
from dvp_core.data.measurement import Measurement
from dvp_core.edit import find_doubts
from dvp_core.maths.rotations import multiply_quaternions, normalized, quaternion_wxyz_from_rotation_vector

FIRST = 101
PERFORMED = ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad")


@pytest.fixture
def clean(make_take):
    """The built-in actor's truth as a tracker measures it: a little noise, deviations to match, usual errors."""
    truth, random = actor_truth(), np.random.default_rng(3)
    count, names = truth.frame_count, truth.expression_names
    turns = quaternion_wxyz_from_rotation_vector(random.normal(0, 0.002, (count, 3)))
    rotation = normalized(multiply_quaternions(turns, truth.head_rotation_wxyz)).astype(np.float32)
    noisy = {
        "head_translation_m": truth.head_translation_m + random.normal(0, 0.0003, (count, 3)),
        "expression": np.clip(truth.expression + random.normal(0, 0.01, truth.expression.shape), 0, 0.98),
        "gaze_rad": truth.gaze_rad + random.normal(0, 0.01, truth.gaze_rad.shape),
    }
    curves = {"head_rotation_wxyz": rotation, **{name: value.astype(np.float32) for name, value in noisy.items()}}
    measured = Measurement(
        **curves,
        rotation_sigma_rad=_about(random, 0.004, (count, 3)),
        translation_sigma_m=_about(random, 0.0006, (count, 3)),
        expression_sigma=_about(random, 0.05, (count, len(names))),
        gaze_sigma_rad=np.full((count, 2, 2), 0.05, np.float32),
    )
    take = make_take(frame_count=count, names=names)
    return replace(
        take,
        clip=Clip("actor.mp4", "0" * 64, 256, 256, truth.fps, FIRST, count),
        measured=measured,
        landmark_error_px=_about(random, 0.5, (count,)),
        photometric_error=_about(random, 0.03, (count,)),
        **curves,
    )


def _about(random, usual, shape):
    return (usual * np.exp(random.normal(0, 0.08, shape))).astype(np.float32)


def tampered(take, name, indices, change):
    """The take with one measured array changed at some indices."""
    values = getattr(take.measured, name).copy()
    values[indices] = change(values[indices])
    return replace(take, measured=replace(take.measured, **{name: values}))


def only(take):
    """The one doubt about a take."""
    (doubt,) = find_doubts(take)
    return doubt


def told(doubt):
    return doubt.channel, str(doubt.frames), doubt.severity


def test_a_clean_performance_raises_no_doubt(clean):
    assert find_doubts(clean) == ()
    assert find_doubts(replace(clean, measured=None)) == ()


def test_each_tampering_is_found_in_its_frames_and_nowhere_else(clean):
    is_tracked = clean.is_tracked.copy()
    is_tracked[200:212] = False
    errors = clean.landmark_error_px.copy()
    errors[[250, 251, 253]] *= 6
    take = replace(clean, is_tracked=is_tracked, landmark_error_px=errors)
    turn = quaternion_wxyz_from_rotation_vector(np.array([[0.0, 0.12, 0.0]]))
    take = tampered(take, "head_rotation_wxyz", [40], lambda q: multiply_quaternions(turn, q).astype(np.float32))
    doubts = find_doubts(take)
    assert [told(doubt) for doubt in doubts] == [
        ("head", "141", "bad"),
        ("face", "301-312", "bad"),
        ("points", "351-354", "bad"),
    ]
    assert "6.1 degrees" in doubts[0].reason
    assert "0.48 s" in doubts[1].reason
    assert all(doubt.remedy for doubt in doubts)
    assert str(doubtful_frames(doubts)) == "141,301-312,351-354"


def test_a_face_lost_for_a_blink_of_time_is_less_grave(clean):
    is_tracked = clean.is_tracked.copy()
    is_tracked[20:23] = False
    assert told(only(replace(clean, is_tracked=is_tracked))) == ("face", "121-123", "look")


def test_a_shift_of_the_head_in_two_frames_is_a_jump(clean):
    take = tampered(clean, "head_translation_m", [60, 61], lambda t: t + np.float32([0.02, 0, 0]))
    assert told(only(take)) == ("head", "161-162", "bad")


def test_a_turn_that_stays_is_a_step_and_at_a_cut_it_is_only_told(clean):
    turn = quaternion_wxyz_from_rotation_vector(np.array([[0.0, 0.3, 0.0]]))
    take = tampered(
        clean, "head_rotation_wxyz", slice(120, None), lambda q: multiply_quaternions(turn, q).astype(np.float32)
    )
    assert told(only(take)) == ("head", "221", "bad")
    assert "stays there" in only(take).reason
    assert told(only(replace(take, shot_starts=(221,)))) == ("shot", "221", "note")


def test_colours_far_off_are_found(clean):
    errors = clean.photometric_error.copy()
    errors[10] = 0.2
    assert told(only(replace(clean, photometric_error=errors))) == ("picture", "111", "bad")


@pytest.mark.parametrize(
    ("name", "channel"),
    [("rotation_sigma_rad", "head"), ("translation_sigma_m", "head"), ("expression_sigma", "expression")],
)
def test_frames_known_less_surely_than_usual_are_found(clean, name, channel):
    assert told(only(tampered(clean, name, slice(30, 34), lambda s: 5 * s))) == (channel, "131-134", "look")


def test_an_expression_that_jumps_and_one_at_its_limit_are_named(clean):
    jaw, blink = (clean.expression_names.index(name) for name in ("jawOpen", "eyeBlinkLeft"))
    smile = clean.expression_names.index("mouthSmileLeft")
    take = tampered(clean, "expression", (90, smile), lambda value: value + np.float32(0.6))
    take = tampered(take, "expression", (slice(150, 160), jaw), lambda value: np.ones_like(value))
    take = tampered(take, "expression", (slice(170, 180), blink), lambda value: np.ones_like(value))
    jump, limit = find_doubts(take)
    assert told(jump) == ("expression", "191", "look")
    assert "mouthSmileLeft" in jump.reason
    assert told(limit) == ("expression", "251-260", "look")
    assert "jawOpen" in limit.reason


def test_blinks_and_lips_that_meet_are_no_jumps_at_low_rates(clean):
    every_second = slice(0, None, 2)
    halved = {name: getattr(clean, name)[every_second] for name in PERFORMED}
    fields = {name: getattr(clean.measured, name)[every_second] for name in vars(clean.measured)}
    count = len(halved["expression"])
    take = replace(
        clean,
        clip=replace(clean.clip, frame_count=count, fps=clean.clip.fps / 2),
        measured=Measurement(**fields),
        is_tracked=clean.is_tracked[every_second],
        landmark_error_px=clean.landmark_error_px[every_second],
        photometric_error=clean.photometric_error[every_second],
        **halved,
    )
    assert find_doubts(take) == ()


def test_eyes_that_jump_or_look_apart_are_found_but_not_closed_ones(clean):
    jump = tampered(clean, "gaze_rad", 77, lambda g: g + np.float32(0.4))
    assert told(only(jump)) == ("gaze", "178", "look")
    apart = tampered(clean, "gaze_rad", (slice(None), 0, 0), lambda g: g - np.float32(0.6))
    assert told(only(apart)) == ("gaze", "101-400", "look")
    closed = tampered(jump, "gaze_sigma_rad", slice(70, 90), lambda s: np.ones_like(s))
    assert told(only(closed)) == ("gaze", "171-190", "note")
    assert doubtful_frames(find_doubts(closed)).numbers == ()


def test_a_head_in_profile_is_found(clean):
    angle = np.linspace(0, 1.2, 100)
    turns = quaternion_wxyz_from_rotation_vector(np.outer(angle, [0, 1, 0]))
    rotation = clean.head_rotation_wxyz.copy()
    rotation[200:] = multiply_quaternions(rotation[200:], turns).astype(np.float32)
    take = replace(clean, head_rotation_wxyz=rotation, measured=replace(clean.measured, head_rotation_wxyz=rotation))
    doubt = only(take)
    assert (doubt.channel, doubt.last_frame) == ("head", 400)
    assert "turned away" in doubt.reason
    assert 360 < doubt.first_frame < 390


def test_cuts_are_told_and_a_short_shot_is_doubtful(clean):
    doubts = find_doubts(replace(clean, shot_starts=(201, 206)))
    assert [told(doubt) for doubt in doubts] == [
        ("shot", "201", "note"),
        ("shot", "201-205", "look"),
        ("shot", "206", "note"),
    ]
    assert [doubt.severity for doubt in gravest_first(doubts)] == ["look", "note", "note"]


def test_a_clip_that_fits_nowhere_is_said_once(clean):
    doubt = only(replace(clean, landmark_error_px=20 * clean.landmark_error_px))
    assert told(doubt) == ("points", "101-400", "bad")


def test_a_take_without_any_face_and_a_single_frame_are_judged(make_take):
    lost = replace(make_take(frame_count=5), is_tracked=np.zeros(5, np.bool_))
    assert [doubt.channel for doubt in find_doubts(lost)] == ["face"]
    assert find_doubts(make_take(frame_count=1)) == ()
