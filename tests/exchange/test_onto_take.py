from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.exchange import Performance, in_order, onto_take
from dvp_core.maths.rotations import quaternion_wxyz_from_rotation_vector


def ramp(times, names=("jawOpen",), **channels):
    """A performance whose every expression equals the time in seconds."""
    times = np.asarray(times, np.float64)
    return Performance(times, tuple(names), np.repeat(times[:, None], len(names), axis=1), **channels)


def test_frames_show_the_moment_at_which_they_were_exposed(make_take):
    take = make_take(fps=Fraction(24), frame_count=48)
    times = np.arange(200) * 1001 / 60000
    result, mapping = onto_take(ramp(times), take)
    jaw = result.expression[:, take.expression_names.index("jawOpen")]
    np.testing.assert_allclose(jaw, np.arange(48) / 24, atol=1e-6)
    assert mapping.covered_count == 48
    assert mapping.left_over_s == pytest.approx(times[-1] - 47 / 24)
    assert mapping.driven_names == ("jawOpen",)
    assert result.measured is None


def test_what_nothing_drives_is_kept_or_put_to_rest(make_take):
    take = make_take()
    kept, mapping = onto_take(ramp(np.arange(100) / 24), take)
    at_rest, _ = onto_take(ramp(np.arange(100) / 24), take, undriven="rest")
    others = [index for index, name in enumerate(take.expression_names) if name != "jawOpen"]
    np.testing.assert_array_equal(kept.expression[:, others], take.expression[:, others])
    assert not at_rest.expression[:, others].any()
    assert len(mapping.undriven_names) == 51
    np.testing.assert_array_equal(kept.head_rotation_wxyz, take.head_rotation_wxyz)
    np.testing.assert_array_equal(kept.gaze_rad, take.gaze_rad)


def test_a_whole_shape_drives_both_halves_and_strange_names_are_told(make_take, split_names):
    take = make_take(split_names)
    result, mapping = onto_take(ramp(np.arange(100) / 24, ("browInnerUp", "tongueOut", "earWiggle")), take)
    assert mapping.driven_names == ("browInnerUpLeft", "browInnerUpRight")
    assert mapping.unused_names == ("tongueOut", "earWiggle")
    halves = [take.expression_names.index(name) for name in mapping.driven_names]
    np.testing.assert_allclose(result.expression[:, halves[0]], result.expression[:, halves[1]])
    np.testing.assert_allclose(result.expression[:, halves[0]], np.arange(48) / 24, atol=1e-6)


def test_a_face_with_no_name_in_common_is_an_error(make_take):
    with pytest.raises(DataError, match="counterpart"):
        onto_take(ramp(np.arange(100) / 24, ("earWiggle",)), make_take())


def test_repeated_and_backward_times_are_put_right_and_counted(make_take):
    times = np.arange(60) / 30
    shuffled = np.concatenate([times[:20], times[30:40], times[20:30], times[40:], times[-1:]])
    performance = ramp(shuffled)
    ordered, tidying = in_order(performance)
    np.testing.assert_allclose(ordered.times_s, times)
    assert (tidying.duplicate_count, tidying.backward_count, tidying.empty_count) == (1, 10, 0)
    result, mapping = onto_take(performance, make_take())
    assert mapping.tidying == tidying
    np.testing.assert_allclose(result.expression[:40, 24], np.arange(40) / 24, atol=1e-6)


def test_gaps_are_told_bridged_and_not_counted_as_tracked(make_take):
    take = make_take()
    times = np.concatenate([np.arange(0, 0.5, 1 / 60), np.arange(1.0, 2.0, 1 / 60)])
    result, mapping = onto_take(ramp(times), take)
    assert len(mapping.gaps_s) == 1
    np.testing.assert_allclose(mapping.gaps_s[0], (29 / 60, 1.0))
    inside = (np.arange(48) / 24 > 29 / 60) & (np.arange(48) / 24 < 1.0)
    np.testing.assert_array_equal(result.is_tracked[:47], ~inside[:47])
    assert mapping.interpolated_count == inside.sum()
    np.testing.assert_allclose(result.expression[inside, 24], np.arange(48)[inside] / 24, atol=1e-6)


def test_a_value_that_one_sample_lacks_is_bridged_in_its_column_alone(make_take):
    performance = ramp(np.arange(100) / 24, ("jawOpen", "cheekPuff"))
    performance.expression[10:13, 0] = np.nan
    performance.expression[20] = np.nan
    result, mapping = onto_take(performance, make_take())
    np.testing.assert_allclose(result.expression[:, 24], np.arange(48) / 24, atol=1e-6)
    assert mapping.tidying.empty_count == 1
    assert not mapping.gaps_s


def test_before_and_after_the_recording_the_own_performance_fades(make_take):
    take = make_take(frame_count=72)
    result, mapping = onto_take(ramp(np.full(1, 7.0) + np.arange(25) / 24), take, start_frame=101 + 24)
    column = take.expression_names.index("jawOpen")
    own, seen = take.expression[:, column], result.expression[:, column]
    np.testing.assert_allclose(seen[24:49], 7 + np.arange(25) / 24, atol=1e-5)
    np.testing.assert_array_equal(seen[:14], own[:14])
    np.testing.assert_array_equal(seen[59:], own[59:])
    assert seen[23] == pytest.approx(7, abs=0.3)
    assert mapping.covered_count == 25
    assert not result.is_tracked[:24].any()


def test_a_recording_outside_the_frames_is_an_error(make_take):
    with pytest.raises(DataError, match="touches none"):
        onto_take(ramp(np.arange(10) / 24), make_take(), start_frame=500)


def test_a_head_that_faces_the_camera_faces_it_in_the_take(make_take):
    take = make_take()
    times = np.arange(100) / 24
    yaw = quaternion_wxyz_from_rotation_vector(np.outer(0.3 * times, [0.0, 1.0, 0.0]))
    shift = np.stack([0.01 * times, 0.02 * times, 0.03 * times], axis=1)
    result, mapping = onto_take(ramp(times, head_rotation_wxyz=yaw, head_translation_m=shift), take)
    assert mapping.channels == ("head", "expression")
    np.testing.assert_allclose(np.abs(result.head_rotation_wxyz[0]), [0, 1, 0, 0], atol=1e-7)
    steps = np.diff(result.head_translation_m, axis=0) * 24
    np.testing.assert_allclose(steps, np.tile([0.01, -0.02, -0.03], (47, 1)), atol=1e-5)


@pytest.mark.parametrize("field", ["expression", "head_rotation_wxyz", "gaze_rad"])
def test_arrays_that_do_not_fit_are_refused(field):
    arrays = {"expression": np.zeros((3, 1)), field: np.zeros((2, 1))}
    with pytest.raises(DataError, match=field):
        Performance(np.arange(3.0), ("jawOpen",), **arrays)


def test_a_name_given_twice_is_refused():
    with pytest.raises(DataError, match="jawOpen twice"):
        ramp(np.arange(3), ("jawOpen", "JawOpen"))


def test_an_empty_performance_is_refused():
    with pytest.raises(DataError, match="no values"):
        in_order(Performance(np.arange(3.0), ("jawOpen",), np.full((3, 1), np.nan)))
