"""The algebra of performances, over takes, rates, shapes and strengths that hypothesis chooses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvp_core.edit import CHANNELS, REGIONS, find_neutral, region_of, transfer
from dvp_core.edit.dubbing import dub
from dvp_core.edit.mirroring import mirrored_gaze, mirrored_names, mirrored_rotation, mirrored_translation
from dvp_core.edit.performing import performed_expression, performed_gaze, performed_head, performer_for
from dvp_core.face.expression_names import ARKIT_52, weights_by_name
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz

CURVES = ("head_translation_m", "expression", "gaze_rad")
seeds = st.integers(0, 10_000)
rates = st.sampled_from([Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60)])
shapes = st.lists(st.sampled_from(ARKIT_52), min_size=3, max_size=12, unique=True).map(tuple)
modes = st.sampled_from(["relative", "absolute"])
part = st.floats(0, 1)
laws = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def turn_gap_deg(a, b) -> float:
    return float(angle_between_deg(*(matrix_from_quaternion_wxyz(take.head_rotation_wxyz) for take in (a, b))).max())


def assert_alike(a, b, tolerance: float) -> None:
    assert turn_gap_deg(a, b) < max(np.degrees(tolerance), 1e-3)
    for name in CURVES:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance, err_msg=name)


@laws
@given(seeds, seeds, rates, rates, shapes, modes)
def test_strength_zero_is_the_target(make_take, one, two, fps, other_fps, names, mode):
    source = make_take(seed=one, fps=fps, names=names)
    target = make_take(seed=two, fps=other_fps, names=names)
    result = transfer(source, target, mode=mode, strength=dict.fromkeys(REGIONS, 0.0))
    for name in CURVES:
        np.testing.assert_array_equal(getattr(result, name), getattr(target, name), err_msg=name)
    assert turn_gap_deg(result, target) < 1e-3


@laws
@given(seeds, rates, shapes, modes)
def test_a_take_onto_itself_is_itself(make_take, seed, fps, names, mode):
    take = make_take(seed=seed, fps=fps, names=names)
    assert_alike(transfer(take, take, mode=mode), take, 1e-5)


@laws
@given(seeds, seeds, shapes, st.dictionaries(st.sampled_from(REGIONS), part, max_size=9))
def test_regions_act_each_on_its_own_and_add_up(make_take, one, two, names, strength):
    """What all regions change together is what each changes alone."""
    source, target = make_take(seed=one, names=names), make_take(seed=two, names=names)
    strengths = {region: strength.get(region, 0.0) for region in REGIONS}
    together = transfer(source, target, strength=strengths)
    alone = [
        transfer(source, target, strength=dict.fromkeys(REGIONS, 0.0) | {region: value})
        for region, value in strengths.items()
    ]
    for name in CURVES:
        own = getattr(target, name).astype(np.float64)
        added = own + sum(getattr(take, name) - own for take in alone)
        np.testing.assert_allclose(getattr(together, name), added, atol=1e-5, err_msg=name)
    for column, name in enumerate(names):
        if strengths[region_of(name)] == 0:
            np.testing.assert_array_equal(together.expression[:, column], target.expression[:, column])


@laws
@given(seeds, seeds, shapes, st.sampled_from(REGIONS), part)
def test_a_strength_is_a_place_on_the_line_from_none_to_all(make_take, one, two, names, region, value):
    source, target = make_take(seed=one, names=names), make_take(seed=two, names=names)
    none, some, all_ = (
        transfer(source, target, strength=dict.fromkeys(REGIONS, 0.0) | {region: strength})
        for strength in (0.0, value, 1.0)
    )
    for name in CURVES:
        line = (1 - value) * getattr(none, name) + value * getattr(all_, name)
        np.testing.assert_allclose(getattr(some, name), line, atol=1e-5, err_msg=name)


def resting(take, first: int = 10, count: int = 12):
    """The take with a calm stretch in it, as people who are filmed have one: little noise around one pose."""
    random = np.random.default_rng(take.frame_count)
    calm = slice(first, first + count)
    arrays = {name: getattr(take, name).copy() for name in (*CURVES, "head_rotation_wxyz")}
    for name in CURVES:
        level = 0.1 * arrays[name][first] if name == "expression" else arrays[name][first]
        arrays[name][calm] = level + random.normal(0, 0.003, arrays[name][calm].shape)
    arrays["expression"] = np.clip(arrays["expression"], 0, 1)
    arrays["head_rotation_wxyz"][calm] = arrays["head_rotation_wxyz"][first]
    return replace(take, **{name: values.astype(np.float32) for name, values in arrays.items()})


@laws
@given(seeds, seeds, shapes)
def test_the_sources_neutral_gives_the_targets_neutral(make_take, one, two, names):
    """Both neutrals are found, none is told; where the source rests the target rests, within 0.02 in every channel."""
    source, target = (resting(make_take(seed=seed, names=names, frame_count=60)) for seed in (one, two))
    rest = find_neutral(target)
    result = transfer(source, target)
    middle = slice(12, 20)
    assert np.abs(result.expression[middle] - rest.expression).max() < 0.02
    assert np.abs(result.head_translation_m[middle] - rest.head_translation_m).max() < 0.02
    assert np.abs(result.gaze_rad[middle] - rest.gaze_rad).max() < 0.02
    gap = angle_between_deg(
        matrix_from_quaternion_wxyz(result.head_rotation_wxyz[middle]),
        matrix_from_quaternion_wxyz(rest.head_rotation_wxyz),
    )
    assert np.radians(gap).max() < 0.02


def mirrored_take(take):
    """The take as a mirror shows it; its expressions keep their columns and get the other side's names."""
    names = mirrored_names(take.expression_names)
    return replace(
        take,
        expression_names=names,
        face=replace(take.face, expression_names=names),
        head_rotation_wxyz=mirrored_rotation(take.head_rotation_wxyz).astype(np.float32),
        head_translation_m=mirrored_translation(take.head_translation_m).astype(np.float32),
        gaze_rad=mirrored_gaze(take.gaze_rad).astype(np.float32),
    )


@laws
@given(seeds, seeds, shapes)
def test_a_mirrored_performer_mirrored_again_is_the_performer(make_take, one, two, names):
    names = tuple(dict.fromkeys(side for name in names for side in (name, *mirrored_names([name]))))
    source, target = make_take(seed=one, names=names), make_take(seed=two, names=names)
    assert_alike(mirrored_take(mirrored_take(source)), source, 0.0)
    arguments = {"frame_count": 40, "target_neutral": find_neutral(target)}
    straight = performer_for(source, target, **arguments)
    twice = performer_for(mirrored_take(source), target, is_mirrored=True, **arguments)
    for a, b in zip(performed_head(straight), performed_head(twice), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(performed_gaze(straight), performed_gaze(twice), atol=1e-6)
    mapping = weights_by_name(names, names)
    mirror = weights_by_name(mirrored_names(mirrored_names(names)), names)
    np.testing.assert_allclose(performed_expression(straight, mapping), performed_expression(twice, mirror), atol=1e-6)


@laws
@given(seeds, seeds, shapes, st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))
def test_channels_left_out_are_the_targets(make_take, one, two, names, channels):
    source, target = make_take(seed=one, names=names), make_take(seed=two, names=names)
    result = transfer(source, target, channels=channels)
    kept = {"head": "head_translation_m", "expression": "expression", "gaze": "gaze_rad"}
    for channel, name in kept.items():
        if channel not in channels:
            np.testing.assert_array_equal(getattr(result, name), getattr(target, name))


@laws
@given(seeds, shapes, st.tuples(part, part).map(sorted))
def test_an_actor_dubbed_with_herself_is_herself(make_take, seed, names, stretch):
    take = make_take(seed=seed, names=names)
    dubbing = dub(take, take, 1.6 * np.array([stretch]))
    assert_alike(dubbing.take, take, 1e-5)
