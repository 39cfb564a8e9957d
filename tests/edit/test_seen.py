"""Holding a performance in what a generator has seen."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.coverage import Coverage, excesses, parameter_names, parameter_values
from dvp_core.edit import clamped_to_seen


def values_of(take):
    return parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)


def coverage_of(take, *, share=1.0):
    """A coverage whose ranges are a share of those of a take."""
    names, values = parameter_names(take.expression_names), values_of(take)
    middle, half = 0.5 * (values.max(0) + values.min(0)), 0.5 * share * (values.max(0) - values.min(0))
    return Coverage(names, len(values), middle - half, middle + half, values.std(0), poses=values)


def test_what_was_seen_stays_bit_for_bit(make_take):
    take = make_take()
    assert clamped_to_seen(take, coverage_of(take, share=1.001)) is take


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_nothing_leaves_the_ranges_and_all_within_them_stays(make_take, share):
    take = make_take(frame_count=80)
    before = values_of(take)
    coverage = coverage_of(take, share=share)
    after = values_of(clamped_to_seen(take, coverage))
    assert (after >= coverage.lowest - 1e-5).all()
    assert (after <= coverage.highest + 1e-5).all()
    np.testing.assert_allclose(after, before.clip(coverage.lowest, coverage.highest), atol=1e-5)
    assert excesses(coverage, range(len(after)), parameter_names(take.expression_names), after) == ()


def test_a_region_that_stays_within_keeps_its_very_numbers(make_take):
    take = make_take()
    coverage = coverage_of(take, share=1.001)
    wide = replace(take, expression=take.expression * np.float32(1.0))
    wide.expression[3, 0] = 5.0
    held = clamped_to_seen(wide, coverage)
    assert held.expression[3, 0] == np.float32(coverage.highest[coverage.names.index("expression.jawOpen")])
    np.testing.assert_array_equal(np.delete(held.expression, 3, axis=0), np.delete(take.expression, 3, axis=0))
    np.testing.assert_array_equal(held.head_rotation_wxyz, take.head_rotation_wxyz)
    np.testing.assert_array_equal(held.gaze_rad, take.gaze_rad)
    assert held.measured is None


def test_clamping_twice_is_clamping_once(make_take):
    take = make_take()
    coverage = coverage_of(take, share=0.5)
    once = clamped_to_seen(take, coverage)
    np.testing.assert_allclose(values_of(clamped_to_seen(once, coverage)), values_of(once), atol=1e-6)


def test_parameters_that_the_generator_does_not_know_stay(make_take):
    take = make_take()
    coverage = Coverage(("head.yaw_rad",), 1, np.zeros(1), np.zeros(1), np.full(1, 0.1), poses=np.zeros((2, 1)))
    held = clamped_to_seen(take, coverage)
    np.testing.assert_array_equal(held.expression, take.expression)
    assert np.abs(values_of(held)[:, 0]).max() < 1e-6
