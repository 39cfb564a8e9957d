"""Laws of the smoothing dial, on curves whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.actor import actor_truth
from dvp_core.data.errors import DataError
from dvp_core.data.measurement import Measurement
from dvp_core.data.take import read_take, write_take
from dvp_core.edit import DEFAULT_SMOOTHING, apply_edit, smooth, transfer
from dvp_core.edit.faithful_smoother import Dial, noise_of, smoothed_curves, smoothed_rotations, solved
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_quaternion_wxyz,
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
)

RATES = [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)]
SIGMA = 0.02
CURVES = ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad")


def default_dial(fps: Fraction | float, strength: float = DEFAULT_SMOOTHING) -> Dial:
    return Dial(strength * 0.16 * float(fps), (strength / DEFAULT_SMOOTHING) ** 0.5, float(fps))


def measured_take(take, *, seed: int = 5, sigma: float = SIGMA):
    """The take measured with white noise of one deviation in every channel, and seen as measured."""
    random = np.random.default_rng(seed)

    def noisy(values):
        return (values + sigma * random.normal(size=values.shape)).astype(np.float32)

    turns = quaternion_wxyz_from_rotation_vector(sigma * random.normal(size=(take.frame_count, 3)))
    curves = {
        "head_rotation_wxyz": normalized(multiply_quaternions(turns, take.head_rotation_wxyz)).astype(np.float32),
        **{name: noisy(getattr(take, name)) for name in CURVES[1:]},
    }
    deviations = {
        "rotation_sigma_rad": np.full((take.frame_count, 3), sigma, np.float32),
        "translation_sigma_m": np.full(take.head_translation_m.shape, sigma, np.float32),
        "expression_sigma": np.full(take.expression.shape, sigma, np.float32),
        "gaze_sigma_rad": np.full(take.gaze_rad.shape, sigma, np.float32),
    }
    return replace(take, measured=Measurement(**curves, **deviations), **curves)


def still_take(make_take, **options):
    """A take that holds one pose, all expressions at a half."""
    take = make_take(**options)
    count = take.frame_count
    return replace(
        take,
        head_rotation_wxyz=np.repeat(take.head_rotation_wxyz[:1], count, 0),
        head_translation_m=np.repeat(take.head_translation_m[:1], count, 0),
        expression=np.full_like(take.expression, 0.5),
        gaze_rad=np.zeros_like(take.gaze_rad),
    )


def assert_same_curves(a, b):
    for name in CURVES:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("count", [3, 4, 5, 30])
def test_the_banded_solver_solves_its_equations(count):
    random = np.random.default_rng(count)
    weights, values = random.uniform(0.1, 2, (count, 2)), random.normal(size=(count, 2))
    stiffness = random.uniform(0, 5, (count - 2, 2))
    found = solved(weights, stiffness, values)
    bend = np.diff(np.eye(count), n=2, axis=0)
    for channel in range(2):
        matrix = np.diag(weights[:, channel]) + bend.T @ np.diag(stiffness[:, channel]) @ bend
        expected = np.linalg.solve(matrix, weights[:, channel] * values[:, channel])
        np.testing.assert_allclose(found[:, channel], expected, atol=1e-10)


def test_the_dial_at_zero_is_the_measurement_bit_for_bit(make_take):
    take = measured_take(make_take())
    turned = smooth(smooth(take, 0.8), 0.0)
    assert_same_curves(turned, take.measured)
    assert turned.smoothing == 0.0
    assert turned.sha256 == take.sha256


def test_turning_the_dial_twice_does_not_add_up(make_take):
    take = measured_take(make_take())
    once, twice = smooth(take, 0.3), smooth(smooth(take, 0.9), 0.3)
    assert_same_curves(once, twice)
    assert twice.smoothing == 0.3
    assert np.abs(once.expression - take.expression).max() > 0.01


def test_a_take_without_measurement_is_smoothed_from_what_it_shows(make_take):
    noisy = replace(measured_take(still_take(make_take, frame_count=200)), measured=None)
    assert smooth(noisy, 0.0) is noisy
    result = smooth(noisy, DEFAULT_SMOOTHING)
    assert result.smoothing == 0.0
    assert rms(result.expression - 0.5) < 0.5 * rms(noisy.expression - 0.5)


@pytest.mark.parametrize("fps", RATES, ids=lambda fps: f"{float(fps):.2f}")
def test_noise_of_a_still_head_falls_to_less_than_half(make_take, fps):
    still = still_take(make_take, frame_count=240, fps=fps)
    noisy = measured_take(still)
    result = smooth(noisy, DEFAULT_SMOOTHING)
    for name in CURVES[1:]:
        truth = getattr(still, name)
        assert rms(getattr(result, name) - truth) < 0.5 * rms(getattr(noisy, name) - truth), name
    angles = [
        rms(angle_between_deg(*(matrix_from_quaternion_wxyz(t.head_rotation_wxyz) for t in (take, still))))
        for take in (result, noisy)
    ]
    assert angles[0] < 0.5 * angles[1]


@pytest.mark.parametrize("fps", RATES, ids=lambda fps: f"{float(fps):.2f}")
def test_a_blink_of_two_frames_stays_as_deep_as_it_was(fps):
    random = np.random.default_rng(3)
    truth = np.zeros((200, 50))
    truth[100:102] = 0.8
    noisy = truth + SIGMA * random.normal(size=truth.shape)
    result = smoothed_curves(noisy, np.full(truth.shape, SIGMA), default_dial(fps))
    assert result[100:102].min() > 0.9 * 0.8
    assert rms(result[:90]) < 0.5 * SIGMA
    # The lid is neither early nor late: one frame beside the blink it is open.
    assert np.abs(result[[98, 103]]).max() < 0.1 * 0.8 + 3 * SIGMA


def test_the_actors_blinks_and_lip_contacts_survive_and_the_rest_grows_calmer():
    truth = actor_truth()
    names = truth.expression_names
    curves = truth.expression.astype(np.float64)
    lid, jaw = curves[:, names.index("eyeBlinkLeft")], curves[:, names.index("jawOpen")]
    shut = [i for i in range(2, len(lid) - 2) if lid[i] > 0.6 and lid[i] == lid[i - 2 : i + 3].max()]
    met = [
        i
        for i in range(4, len(jaw) - 4)
        if jaw[i] < 0.05 and jaw[i] == jaw[i - 2 : i + 3].min() and jaw[i - 3 : i + 4].max() > 0.15
    ]
    assert len(shut) > 5
    assert len(met) > 5
    noisy = curves + SIGMA * np.random.default_rng(2).normal(size=curves.shape)
    result = smoothed_curves(noisy, np.full(curves.shape, SIGMA), default_dial(truth.fps))
    assert (result[shut, names.index("eyeBlinkLeft")] / lid[shut]).min() > 0.9
    assert np.mean(result[met, names.index("jawOpen")] - jaw[met]) < 0.5 * SIGMA
    assert rms(result - curves) < 0.75 * SIGMA
    is_still = np.ptp(curves, axis=0) == 0.0
    assert rms(result[:, is_still] - curves[:, is_still]) < 0.5 * SIGMA


def test_fast_lips_lose_less_than_the_noise_that_goes():
    random = np.random.default_rng(4)
    seconds = np.arange(300)[:, None] / 25.0
    truth = 0.5 + 0.3 * np.sin(2 * np.pi * 3.0 * seconds + random.uniform(0, 6, 20))
    noisy = truth + SIGMA * random.normal(size=truth.shape)
    result = smoothed_curves(noisy, np.full(truth.shape, SIGMA), default_dial(25))
    assert rms(result - truth) < rms(noisy - truth)


def test_smoothing_has_no_lag():
    random = np.random.default_rng(6)
    truth = np.sin(np.arange(400) / 9.0)[:, None] * np.ones((1, 8))
    noisy = truth + 0.1 * random.normal(size=truth.shape)
    result = smoothed_curves(noisy, np.full(truth.shape, 0.1), default_dial(25, 1.0))
    shifts = range(-6, 7)
    match = [np.sum(result[10:-10] * np.roll(truth, shift, axis=0)[10:-10]) for shift in shifts]
    assert shifts[int(np.argmax(match))] == 0
    backwards = smoothed_curves(noisy[::-1], np.full(truth.shape, 0.1), default_dial(25, 1.0))[::-1]
    np.testing.assert_allclose(result, backwards, atol=1e-9)


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_strength_means_the_same_in_seconds_at_every_rate(make_take, strength):
    """A bend that does not stand out of the noise is rounded alike, at the same moment of each clip."""
    rounded = []
    for fps in (25, 50, 100):
        take = measured_take(make_take(fps=Fraction(fps), frame_count=4 * fps + 1), sigma=1.0)
        assert take.measured is not None
        bend = np.abs(np.arange(4 * fps + 1) / fps - 2.0).astype(np.float32) / 2.0
        expression = np.repeat(bend[:, None], take.expression.shape[1], axis=1)
        result = smooth(replace(take, measured=replace(take.measured, expression=expression)), strength)
        rounded.append(result.expression[2 * fps, 0])
    assert rounded[0] > 0.04 * strength
    # A time constant of a single frame rounds a corner by a sixth less than the same one of many frames.
    np.testing.assert_allclose(rounded, rounded[0], rtol=0.2)


def test_stronger_is_calmer(make_take):
    noisy = measured_take(still_take(make_take, frame_count=300))
    left = [rms(smooth(noisy, strength).expression - 0.5) for strength in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)]
    assert left == sorted(left, reverse=True)
    assert left[1] < left[0]


def test_an_uncertain_frame_follows_its_neighbours():
    values, sigma = np.full((60, 1), 0.3), np.full((60, 1), SIGMA)
    values[30], sigma[30] = 0.9, 1.0
    result = smoothed_curves(values, sigma, default_dial(25))
    np.testing.assert_allclose(result, 0.3, atol=0.01)
    values_seen = smoothed_curves(values, np.full((60, 1), SIGMA), default_dial(25))
    assert values_seen[30, 0] > 0.8


@pytest.mark.parametrize("is_measured", [True, False])
def test_frames_without_a_face_are_bridged(make_take, is_measured):
    take = still_take(make_take)
    expression, rotation = take.expression.copy(), take.head_rotation_wxyz.copy()
    expression[10:14] = 1.0
    rotation[10:14] = [1, 0, 0, 0]
    is_tracked = np.ones(40, np.bool_)
    is_tracked[10:14] = False
    lost = replace(take, expression=expression, head_rotation_wxyz=rotation, is_tracked=is_tracked)
    if is_measured:
        lost = measured_take(lost, sigma=1e-5)
    result = smooth(lost, 0.6)
    np.testing.assert_allclose(result.expression, 0.5, atol=1e-4)
    matrices = [matrix_from_quaternion_wxyz(t.head_rotation_wxyz) for t in (result, take)]
    assert angle_between_deg(*matrices).max() < 0.01


def test_what_is_left_between_lost_frames_is_smoothed_as_ever(make_take):
    still = still_take(make_take, frame_count=300)
    is_tracked = np.arange(300) % 10 < 4
    noisy = replace(measured_take(still), is_tracked=is_tracked)
    result = smooth(noisy, DEFAULT_SMOOTHING)
    assert rms(result.expression - 0.5) < 0.8 * rms(noisy.expression - 0.5)
    assert rms(result.expression[is_tracked] - 0.5) < 0.7 * SIGMA


def test_nothing_passes_over_a_cut(make_take):
    take = replace(measured_take(make_take(frame_count=60)), shot_starts=(31,))
    changed = replace(take.measured, **{n: getattr(take.measured, n).copy() for n in CURVES})
    changed.expression[30:] = 0.0
    changed.head_translation_m[30:] += 1.0
    changed.head_rotation_wxyz[30:] = [0, 1, 0, 0]
    a, b = smooth(take, 1.0), smooth(replace(take, measured=changed), 1.0)
    for name in CURVES[1:]:
        np.testing.assert_array_equal(getattr(a, name)[:30], getattr(b, name)[:30])
    np.testing.assert_array_equal(np.abs(a.head_rotation_wxyz[:30]), np.abs(b.head_rotation_wxyz[:30]))
    np.testing.assert_allclose(b.head_translation_m[30:], a.head_translation_m[30:] + 1.0, atol=1e-5)


def test_rotations_are_smoothed_alike_in_every_frame_of_reference(make_take):
    take = measured_take(make_take(frame_count=80))
    turn = quaternion_wxyz_from_rotation_vector(np.array([1.2, -2.0, 0.4]))
    rotation = take.head_rotation_wxyz.astype(np.float64)
    sigma = np.full((80, 3), SIGMA)
    plain = smoothed_rotations(rotation, sigma, default_dial(25))
    turned = smoothed_rotations(multiply_quaternions(turn, rotation), sigma, default_dial(25))
    expected = multiply_quaternions(np.broadcast_to(turn, plain.shape), plain)
    assert np.minimum(np.abs(turned - expected), np.abs(turned + expected)).max() < 1e-9
    uneven = sigma * [1.0, 2.0, 5.0]
    in_other_head_axes = smoothed_rotations(multiply_quaternions(rotation, turn), uneven, default_dial(25))
    expected = multiply_quaternions(smoothed_rotations(rotation, uneven, default_dial(25)), turn)
    assert np.minimum(np.abs(in_other_head_axes - expected), np.abs(in_other_head_axes + expected)).max() < 1e-9


def test_a_head_that_turns_all_the_way_round_is_followed():
    random = np.random.default_rng(8)
    turn = np.linspace(0, 2 * np.pi, 120)[:, None] * np.array([[0.0, 1.0, 0.0]])
    truth = quaternion_wxyz_from_rotation_vector(turn)
    shake = quaternion_wxyz_from_rotation_vector(SIGMA * random.normal(size=(120, 3)))
    noisy = multiply_quaternions(shake, truth)
    result = smoothed_rotations(noisy, np.full((120, 3), SIGMA), default_dial(25))
    assert np.abs(np.diff(result, axis=0)).max() < 0.1
    errors = [rms(angle_between_deg(*map(matrix_from_quaternion_wxyz, (q, truth)))) for q in (result, noisy)]
    assert errors[0] < 0.5 * errors[1]


def test_named_expressions_stay_in_their_range(make_take):
    dark = replace(make_take(frame_count=100), expression=np.zeros((100, 7), np.float32))
    result = smooth(measured_take(dark), DEFAULT_SMOOTHING)
    assert result.measured is not None
    assert result.measured.expression.min() < 0
    assert result.expression.min() == 0.0


def test_white_noise_is_told_from_motion():
    random = np.random.default_rng(9)
    noise = SIGMA * random.normal(size=(2000, 6))
    slow = np.sin(np.arange(2000) / 20.0)[:, None]
    np.testing.assert_allclose(noise_of(noise + slow), SIGMA, rtol=0.15)


def test_a_changed_performance_has_no_measurement_to_fall_back_to(make_take):
    from dvp_core.data.edit import Curve, Edit

    take = smooth(measured_take(make_take()), 0.5)
    curve = Curve("gaze.yaw_deg", frames=(1,), values=(5.0,), mode="add")
    for changed in (apply_edit(take, Edit((curve,))), transfer(make_take(seed=2), take)):
        assert changed.measured is None
        assert changed.smoothing == 0.0
        assert np.abs(smooth(changed, 0.2).gaze_rad - take.gaze_rad).max() > 0.03


def test_the_dial_survives_the_file(make_take, tmp_path):
    take = smooth(measured_take(make_take()), 0.7)
    write_take(tmp_path / "a.take", take)
    assert smooth(read_take(tmp_path / "a.take"), 0.2).sha256 == smooth(take, 0.2).sha256


def test_a_strength_out_of_range_is_an_error(make_take):
    for strength in (1.5, -0.1, float("nan")):
        with pytest.raises(DataError, match="expected 0 to 1"):
            smooth(make_take(), strength)
