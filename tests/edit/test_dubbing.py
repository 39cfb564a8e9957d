"""Dubbing: whose mouth it is when, and what lips do on the built-in actor's own mesh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvp_core.data.errors import DataError
from dvp_core.data.sound import Sound
from dvp_core.data.speech import LIP_SHAPES, Speech, SpeechSound
from dvp_core.edit import find_neutral, region_of, transfer
from dvp_core.edit.dubbing import DUBBED_REGIONS, dub
from dvp_core.edit.dubbing_contacts import EASE_S, contacts_of, smallest_change
from dvp_core.edit.dubbing_lips import lip_opening, lip_rule
from dvp_core.edit.dubbing_stretches import BLEND_S, dub_weights, loud_stretches, moving_stretches, spoken_stretches
from dvp_core.edit.dubbing_sync import measured_sync
from dvp_core.face.evaluation import evaluate, landmarks_68

PER_FRAME = ("head_rotation_wxyz", "head_translation_m", "gaze_rad", "illumination_sh", "expression")
LINE = (("p", "closed"), ("a", None), ("f", "teeth"), ("i", None), ("w", "round"), ("a", None), ("b", "closed"))


def line_of(begin_s: float, *, count: int = 14, length_s: float = 0.1) -> Speech:
    """A made-up line in which every kind of contact follows another sound."""
    sounds = [
        SpeechSound(begin_s + length_s * index, begin_s + length_s * (index + 1), *LINE[index % len(LINE)])
        for index in range(count)
    ]
    return Speech(tuple(sounds))


def gaping(take, jaw: float = 0.45):
    """The take with its mouth wide open throughout, but for a calm start that is its rest."""
    expression = take.expression.copy()
    expression[:40] = 0.0
    expression[40:, take.expression_names.index("jawOpen")] = jaw
    return replace(take, expression=expression)


def test_in_silence_the_take_is_the_actors_value_for_value(make_take):
    actor, dubber = make_take(seed=1, frame_count=60), make_take(seed=2, frame_count=60)
    dubbing = dub(actor, dubber, np.array([[0.8, 1.4]]))
    silent = dubbing.weights == 0
    assert silent.sum() > 20
    assert (dubbing.weights == 1).sum() == 15
    for name in PER_FRAME:
        np.testing.assert_array_equal(getattr(dubbing.take, name)[silent], getattr(actor, name)[silent], err_msg=name)


def test_in_speech_the_mouth_is_the_transferred_one_and_all_else_the_actors(make_take):
    actor, dubber = make_take(seed=1, frame_count=60), make_take(seed=2, frame_count=60)
    dubbing = dub(actor, dubber, np.array([[0.8, 1.4]]))
    spoken = dubbing.weights == 1
    whole = transfer(dubber, actor, channels=("expression",))
    for column, name in enumerate(actor.expression_names):
        expected = whole if region_of(name) in DUBBED_REGIONS else actor
        np.testing.assert_allclose(
            dubbing.take.expression[spoken, column], expected.expression[spoken, column], atol=1e-6, err_msg=name
        )
    for name in ("head_rotation_wxyz", "head_translation_m", "gaze_rad", "illumination_sh", "identity"):
        np.testing.assert_array_equal(getattr(dubbing.take, name), getattr(actor, name))
    assert dubbing.take.measured is None


def test_at_the_borders_the_mouth_blends_without_a_jump(make_take):
    weights = dub_weights(np.array([[1.0, 2.0]]), fps=50.0, frame_count=200)
    assert weights[50:100].min() == 1
    assert (weights[: int(50 * (1 - BLEND_S)) - 1] == 0).all()
    assert (weights[int(50 * (2 + BLEND_S)) + 1 :] == 0).all()
    assert np.abs(np.diff(weights)).max() < 0.2
    assert (np.diff(weights[:75]) >= 0).all()


def test_all_contacts_are_made_on_the_mesh_where_a_gaping_mouth_makes_none(actor_take):
    speech = line_of(3.0)
    dubber = gaping(actor_take)
    dubbing = dub(actor_take, dubber, spoken_stretches(speech), speech=speech)
    assert set(dubbing.contacts) == set(LIP_SHAPES)
    for shape, count in dubbing.contacts.items():
        assert count.met_before == 0 or shape == "round", shape
        assert count.rate == 1.0, (shape, count.missed)
    # The gap itself, from vertices and not from the solver's own lines.
    face = actor_take.face
    height = np.ptp(landmarks_68(face, evaluate(face))[[8, 27], 1])
    for contact in contacts_of(speech, fps=25.0, frame_count=300):
        points = landmarks_68(face, evaluate(face, expression=dubbing.take.expression[contact.first]))
        if contact.shape == "closed":
            gaps = points[[61, 62, 63], 1] - points[[67, 66, 65], 1]
            assert gaps.max() <= 0.0041 * height, contact


def test_contacts_change_the_mouth_alone_and_ease_in_and_out(actor_take):
    speech = Speech((SpeechSound(3.0, 3.9, "a"), SpeechSound(3.9, 4.0, "p", "closed"), SpeechSound(4.0, 5.0, "a")))
    dubber = gaping(actor_take)
    stretches = spoken_stretches(speech)
    held = dub(actor_take, dubber, stretches, speech=speech).take.expression
    free = dub(actor_take, dubber, stretches).take.expression
    changed = np.abs(held - free) > 1e-6
    names = [actor_take.expression_names[column] for column in np.flatnonzero(changed.any(axis=0))]
    assert names
    assert all(region_of(name) in ("mouth", "jaw") for name in names)
    acting = np.flatnonzero(changed.any(axis=1))
    reach = EASE_S * 25
    assert acting.min() >= 3.9 * 25 - reach - 1
    assert acting.max() <= 4.0 * 25 + reach + 1
    opening = lip_opening(actor_take.face, held)
    assert opening[98] < 0.004 < opening[96] < opening[94]
    assert held.min() >= min(0.0, actor_take.expression.min())
    assert held.max() <= max(1.0, actor_take.expression.max())


def test_contacts_leave_silence_alone(actor_take):
    """A contact as the very first sound eases in within the blend, and not before it."""
    speech = Speech((SpeechSound(4.0, 4.08, "m", "closed"), SpeechSound(4.08, 4.6, "a")))
    dubbing = dub(actor_take, gaping(actor_take), spoken_stretches(speech), speech=speech)
    silent = dubbing.weights == 0
    np.testing.assert_array_equal(dubbing.take.expression[silent], actor_take.expression[silent])
    assert dubbing.contacts["closed"].rate == 1.0


@pytest.mark.parametrize("shape", LIP_SHAPES)
def test_a_change_is_the_smallest_that_meets_its_rule(actor_take, shape):
    """No feasible point near it is smaller: random steps inside the bounds that keep the contact make it larger."""
    face = actor_take.face
    rest = find_neutral(actor_take).expression
    rule = lip_rule(face, shape, rest)
    own = rest.copy()
    own[face.expression_names.index("jawOpen")] = 0.4
    low, high = np.zeros(len(own)), np.ones(len(own))
    change = smallest_change(own, rule, low, high)
    assert rule.is_met((own + change)[None])[0]
    assert (change[~rule.is_free] == 0).all()
    random = np.random.default_rng(3)
    aim = np.clip(rule.values(own[None])[0], rule.aim_low, rule.aim_high)
    for _ in range(300):
        step = 0.02 * random.normal(size=len(own)) * rule.is_free
        other = np.clip(own + change + step, low, high) - own
        error = rule.values((own + other)[None])[0] - aim
        cost = 1e4 * error @ error + other @ other
        own_error = rule.values((own + change)[None])[0] - aim
        assert cost >= 1e4 * own_error @ own_error + change @ change - 1e-6


def test_a_mouth_that_has_its_contact_is_not_touched(actor_take):
    rule = lip_rule(actor_take.face, "closed", np.zeros(len(actor_take.expression_names)))
    closed = np.zeros(len(actor_take.expression_names))
    assert rule.is_met(closed[None])[0]
    assert not smallest_change(closed, rule, closed, closed + 1).any()


def test_bounds_are_kept_where_a_contact_is_out_of_reach(actor_take):
    """The missed sound is named, and the lips come as near as they can."""
    face = actor_take.face
    rule = lip_rule(face, "closed", np.zeros(len(face.expression_names)))
    own = np.full(len(face.expression_names), 0.0)
    own[face.expression_names.index("jawOpen")] = 0.8
    low, high = own - 0.05, own + 0.05
    change = smallest_change(own, rule, low, high)
    assert (np.abs(change) <= 0.05 + 1e-9).all()
    assert not rule.is_met((own + change)[None])[0]
    assert rule.values((own + change)[None]).max() < rule.values(own[None]).max() - 0.02


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 0.6), st.floats(0.01, 0.9)), min_size=1, max_size=8))
def test_timings_become_ordered_stretches_that_cover_every_sound(lengths):
    time_s, sounds = 0.0, []
    for pause_s, length_s in lengths:
        time_s += pause_s
        sounds.append(SpeechSound(time_s, time_s + length_s, "a"))
        time_s += length_s
    stretches = spoken_stretches(Speech(tuple(sounds)))
    assert (stretches[:, 0] < stretches[:, 1]).all()
    assert (stretches[1:, 0] - stretches[:-1, 1] > 2 * BLEND_S).all()
    for sound in sounds:
        inside = (stretches[:, 0] <= sound.start_s) & (stretches[:, 1] >= sound.end_s)
        assert inside.any() or sound.end_s - sound.start_s < 0.08


def bursts(spans_s, *, length_s=6.0, noise=0.002, rate_hz=16000) -> Sound:
    time_s = np.arange(int(length_s * rate_hz)) / rate_hz
    voice = np.zeros(len(time_s))
    for begin_s, end_s in spans_s:
        inside = (time_s >= begin_s) & (time_s < end_s)
        voice[inside] = 0.3 * np.sin(2 * np.pi * 150 * time_s[inside]) * (1.2 + np.sin(2 * np.pi * 4 * time_s[inside]))
    hiss = np.random.default_rng(0).normal(0, noise, len(time_s))
    return Sound((voice + hiss).astype(np.float32), rate_hz)


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.02])
def test_a_sounds_stretches_are_found_over_noise(noise):
    spans = [(1.0, 2.2), (3.1, 4.0)]
    np.testing.assert_allclose(loud_stretches(bursts(spans, noise=noise)), spans, atol=0.06)


def test_silence_has_no_speech_and_one_long_word_is_speech():
    assert len(loud_stretches(Sound(np.zeros(16000, np.float32), 16000))) == 0
    assert len(loud_stretches(Sound(np.zeros(0, np.float32), 16000))) == 0
    (stretch,) = loud_stretches(bursts([(0.0, 6.0)]))
    np.testing.assert_allclose(stretch, (0, 6), atol=0.1)


def test_a_mouth_that_moves_speaks(actor_take):
    still = actor_take.expression.copy()
    still[:75] = still[75]
    still[200:] = still[199]
    (stretch,) = moving_stretches(replace(actor_take, expression=still))
    np.testing.assert_allclose(stretch, (75 / 25, 200 / 25), atol=0.3)
    assert len(moving_stretches(replace(actor_take, expression=np.repeat(still[:1], 300, axis=0)))) == 0


@pytest.mark.parametrize("late_frames", [-5, 0, 7])
def test_a_shifted_sound_is_measured(actor_take, late_frames):
    opening = lip_opening(actor_take.face, actor_take.expression)
    levels = np.roll(np.clip(opening, 0, None), -late_frames) ** 2
    samples = np.repeat(levels, 640) * np.random.default_rng(1).choice([-1.0, 1.0], 300 * 640)
    sync = measured_sync(actor_take, Sound(samples.astype(np.float32) * 20, 16000), np.ones(300))
    assert sync is not None
    assert sync.lag_s == pytest.approx(late_frames / 25, abs=0.012)
    assert sync.best_correlation > 0.9
    noise = np.random.default_rng(2).normal(0, 0.1, 300 * 640).astype(np.float32)
    assert measured_sync(actor_take, Sound(noise, 16000), np.ones(300)).lag_s is None


def test_what_cannot_be_dubbed_is_said(make_take, actor_take):
    speech = line_of(0.2, count=4)
    stretches = spoken_stretches(speech)
    actor = make_take(seed=1)
    with pytest.raises(DataError, match="carries no face"):
        dub(replace(actor, face=None), make_take(seed=2), stretches, speech=speech)
    numbered = tuple(f"expression_{index:03d}" for index in range(len(actor_take.expression_names)))
    face = replace(actor_take.face, expression_names=numbered)
    with pytest.raises(DataError, match="names no expression that could bring its lips"):
        lip_rule(face, "closed", np.zeros(len(numbered)))
