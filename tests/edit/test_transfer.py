"""Laws of transfer: itself onto itself, neutral onto neutral, strengths as lines."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap, MappedModel, write_expression_map
from dvp_core.data.take import read_take, write_take
from dvp_core.edit import find_neutral, region_of, transfer
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_quaternion_wxyz,
    multiply_quaternions,
    quaternion_wxyz_from_rotation_vector,
)


def rotation_gap_deg(a, b) -> float:
    matrices = (matrix_from_quaternion_wxyz(take.head_rotation_wxyz) for take in (a, b))
    return float(angle_between_deg(*matrices).max())


def assert_same_motion(a, b, tolerance: float = 1e-5) -> None:
    assert rotation_gap_deg(a, b) < 1e-3
    for name in ("head_translation_m", "expression", "gaze_rad"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance, err_msg=name)


def still(take, neutral):
    """The take standing in one pose."""
    count = take.frame_count
    return replace(
        take,
        head_rotation_wxyz=np.repeat(neutral.head_rotation_wxyz[None], count, 0).astype(np.float32),
        head_translation_m=np.repeat(neutral.head_translation_m[None], count, 0).astype(np.float32),
        expression=np.repeat(neutral.expression[None], count, 0).astype(np.float32),
        gaze_rad=np.repeat(neutral.gaze_rad[None], count, 0).astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_source_at_rest_gives_the_target_at_rest(make_take, seed):
    source, target = make_take(seed=seed), make_take(seed=seed + 10, depth_m=1.4)
    rest = find_neutral(source)
    expected = still(target, find_neutral(target))
    result = transfer(still(source, rest), target, source_neutral=rest)
    assert_same_motion(result, expected, 1e-5)


def test_strengths_act_linearly_and_on_their_region_alone(make_take):
    source, target = make_take(seed=1), make_take(seed=2)
    full = transfer(source, target)
    half = transfer(source, target, strength={"mouth": 0.5, "head": 0.25, "gaze": 0.75})
    for column, name in enumerate(target.expression_names):
        part = 0.5 if region_of(name) == "mouth" else 1.0
        expected = target.expression[:, column] + part * (full.expression - target.expression)[:, column]
        np.testing.assert_allclose(half.expression[:, column], expected, atol=1e-6)
    moved = full.head_translation_m - target.head_translation_m
    np.testing.assert_allclose(half.head_translation_m, target.head_translation_m + 0.25 * moved, atol=1e-6)
    own, quarter, whole = (matrix_from_quaternion_wxyz(take.head_rotation_wxyz) for take in (target, half, full))
    np.testing.assert_allclose(angle_between_deg(own, quarter), 0.25 * angle_between_deg(own, whole), atol=2e-3)
    np.testing.assert_allclose(half.gaze_rad - target.gaze_rad, 0.75 * (full.gaze_rad - target.gaze_rad), atol=1e-6)


def test_only_the_chosen_channels_move_and_the_rest_of_the_target_stays(make_take):
    source, target = make_take(seed=1), make_take(seed=2)
    result = transfer(source, target, channels=("gaze",))
    assert not np.allclose(result.gaze_rad, target.gaze_rad)
    for name in ("head_rotation_wxyz", "head_translation_m", "expression", "illumination_sh", "reflectance"):
        np.testing.assert_array_equal(getattr(result, name), getattr(target, name))
    assert result.clip == target.clip
    assert result.crop == target.crop
    assert result.camera == target.camera


def test_the_turn_is_about_the_heads_own_axes(make_take):
    """A nod of the source is the same nod of the target, although their cameras stand differently."""
    source, target = make_take(seed=1), make_take(seed=2)
    at_rest, rest = find_neutral(source), find_neutral(target)
    nod = quaternion_wxyz_from_rotation_vector(np.array([0.2, 0.05, -0.1]))
    nodding = still(source, replace(at_rest, head_rotation_wxyz=multiply_quaternions(at_rest.head_rotation_wxyz, nod)))
    result = transfer(nodding, target, source_neutral=at_rest)
    expected = still(target, replace(rest, head_rotation_wxyz=multiply_quaternions(rest.head_rotation_wxyz, nod)))
    assert rotation_gap_deg(result, expected) < 1e-3


def test_translation_scales_with_head_size_and_distance_and_keeps_the_targets_range(make_take):
    source = make_take(seed=1, eye_distance_m=0.064, depth_m=0.8)
    target = make_take(seed=2, eye_distance_m=0.032, depth_m=1.6)
    middle = target.head_translation_m.mean(axis=0)
    # A wide range, so that no limit acts.
    target = replace(target, head_translation_m=middle + 50 * (target.head_translation_m - middle))
    rest = find_neutral(target)
    rest = replace(rest, head_translation_m=target.head_translation_m.mean(axis=0).astype(np.float64))
    at_rest = find_neutral(source)
    moved = still(
        source, replace(at_rest, head_translation_m=at_rest.head_translation_m + np.array([0.01, 0.02, 0.03]))
    )
    result = transfer(moved, target, source_neutral=at_rest, target_neutral=rest)
    depth_ratio = rest.head_translation_m[2] / at_rest.head_translation_m[2]
    shift = result.head_translation_m[0] - rest.head_translation_m
    np.testing.assert_allclose(shift, (0.005, 0.01, 0.03 * depth_ratio), rtol=1e-3)
    far = replace(source, head_translation_m=source.head_translation_m + np.float32([3, 0, 0]))
    limited = transfer(far, target, source_neutral=at_rest)
    shown = target.head_translation_m
    upper = np.maximum(shown.mean(0) + 2 * shown.std(0), shown.max(0))
    assert (limited.head_translation_m <= upper + 1e-5).all()
    assert limited.head_translation_m[:, 0].max() == pytest.approx(upper[0], rel=1e-5)


def test_weights_stay_in_their_range(make_take):
    source, target = make_take(seed=3), make_take(seed=4)
    shifted = replace(find_neutral(target), expression=np.full(len(target.expression_names), 0.9))
    result = transfer(source, target, target_neutral=shifted)
    assert result.expression.min() >= 0
    assert result.expression.max() <= 1
    assert (result.expression == 1).any()


def test_a_slower_source_is_resampled_by_time(make_take):
    source = make_take(seed=1, frame_count=21, fps=Fraction(25, 2))
    target = make_take(seed=2, frame_count=41)
    result = transfer(source, target, mode="absolute")
    np.testing.assert_allclose(result.expression[::2], source.expression, atol=1e-6)
    middle = 0.5 * (source.expression[:-1] + source.expression[1:])
    np.testing.assert_allclose(result.expression[1::2], middle, atol=1e-6)


def test_after_a_short_source_the_targets_own_performance_returns(make_take):
    source, target = make_take(seed=1, frame_count=10), make_take(seed=2, frame_count=60)
    result = transfer(source, target)
    np.testing.assert_allclose(result.expression[21:], target.expression[21:], atol=1e-6)
    assert not np.allclose(result.expression[:10], target.expression[:10])
    assert result.frame_count == target.frame_count


def test_split_shapes_are_driven_and_driving(make_take):
    source = make_take(seed=1, names=("jawOpen", "browInnerUp"))
    split = make_take(seed=2, names=("browInnerUpLeft", "browInnerUpRight", "mouthFunnel"), model_id="ict")
    spread = transfer(source, split, mode="absolute")
    for column in (0, 1):
        np.testing.assert_allclose(spread.expression[:, column], source.expression[:, 1], atol=1e-6)
    np.testing.assert_array_equal(spread.expression[:, 2], split.expression[:, 2])
    gathered = transfer(split, source, mode="absolute")
    np.testing.assert_allclose(gathered.expression[:, 1], split.expression[:, :2].mean(axis=1), atol=1e-6)


def test_nothing_in_common_is_an_error(make_take):
    source = make_take(names=("expression_000", "expression_001"), model_id="flame")
    target = make_take(names=("expression_000", "expression_001"), model_id="bfm")
    with pytest.raises(DataError, match=r"different face models.*dvp model map"):
        transfer(source, target)
    with pytest.raises(DataError, match=r"'expression_000'.*--map"):  # one shape in common is no performance
        transfer(
            make_take(names=("jawOpen", "mouthPucker"), model_id="ict"), make_take(names=("jawOpen", "expression_000"))
        )
    with pytest.raises(DataError, match="no expression of the source"):
        transfer(make_take(names=("jawOpen",)), make_take(names=("mouthPucker",)))
    transfer(source, make_take(names=("expression_000",), model_id="flame"))
    transfer(source, target, channels=("head", "gaze"))


def mapped(source, target, matrix) -> ExpressionMap:
    ends = [MappedModel(take.face_model_id, take.face_model_sha256, take.expression_names) for take in (source, target)]
    zeros = np.zeros(len(source.expression_names))
    return ExpressionMap(ends[0], ends[1], np.asarray(matrix, float), zeros, zeros)


def test_a_map_carries_a_performance_between_models(make_take):
    source = make_take(seed=1, names=("jawOpen", "browInnerUp"), model_id="ict")
    target = make_take(seed=2, names=("expression_000", "expression_001", "expression_002"), model_id="flame")
    matrix = [[2.0, 0.0], [-1.0, 3.0], [0.0, 0.0]]
    result = transfer(source, target, mode="absolute", expression_map=mapped(source, target, matrix))
    np.testing.assert_allclose(result.expression[:, :2], source.expression @ np.array(matrix).T[:, :2], atol=1e-5)
    np.testing.assert_array_equal(result.expression[:, 2], target.expression[:, 2])  # nothing drives it
    rest = find_neutral(target).expression
    relative = transfer(source, target, expression_map=mapped(source, target, matrix))
    moved = (source.expression - find_neutral(source).expression) @ np.array(matrix).T
    np.testing.assert_allclose(relative.expression[:, :2], (rest + moved)[:, :2], atol=1e-5)


def test_strengths_reach_numbered_modes_through_what_drives_them(make_take):
    source = make_take(seed=1, names=("jawOpen", "browInnerUp"), model_id="ict")
    target = make_take(seed=2, names=("expression_000", "expression_001"), model_id="flame")
    carried = mapped(source, target, [[2.0, 0.0], [-1.0, 3.0]])
    whole = transfer(source, target, expression_map=carried)
    still = transfer(source, target, expression_map=carried, strength={"brows": 0.0, "jaw": 0.0})
    part = transfer(source, target, expression_map=carried, strength={"brows": 0.0})
    np.testing.assert_array_equal(still.expression, target.expression)
    np.testing.assert_array_equal(part.expression[:, 0], whole.expression[:, 0])  # the jaw alone drives it
    expected = target.expression[:, 1] + 0.25 * (whole.expression[:, 1] - target.expression[:, 1])
    np.testing.assert_allclose(part.expression[:, 1], expected, atol=1e-6)


def test_a_map_of_other_models_is_refused(make_take):
    source, target = make_take(seed=1, names=("jawOpen",)), make_take(seed=2, names=("expression_000",), model_id="bfm")
    carried = mapped(source, target, [[1.0]])
    stranger = replace(target, face_model_sha256="9" * 64)
    with pytest.raises(DataError, match=r"--map: the map leads to the face model 'bfm' \(111111111111\)"):
        transfer(source, stranger, expression_map=carried)
    with pytest.raises(DataError, match="leads from"):
        transfer(target, source, expression_map=carried)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "both"}, "no mode"),
        ({"channels": ("nose",)}, "no channel"),
        ({"strength": {"chin": 1.0}}, "no region"),
        ({"strength": {"mouth": 1.5}}, "expected 0 to 1"),
    ],
)
def test_wrong_options_say_what_is_right(make_take, options, message):
    with pytest.raises(DataError, match=message):
        transfer(make_take(), make_take(), **options)


def test_neutral_is_the_calm_part_of_the_take(make_take):
    take = make_take(seed=5, frame_count=60)
    expression = take.expression.copy()
    expression[20:40] = 0.05
    translation = take.head_translation_m.copy()
    translation[20:40] = (0.1, 0.2, 1.0)
    gaze = take.gaze_rad.copy()
    gaze[20:40] = 0.03
    calm = replace(take, expression=expression, head_translation_m=translation, gaze_rad=gaze)
    # A wild frame among the calm ones does not count.
    calm.expression[30] = 1.0
    calm.head_translation_m[30] = 9.0
    neutral = find_neutral(calm)
    np.testing.assert_allclose(neutral.expression, 0.05, atol=1e-6)
    np.testing.assert_allclose(neutral.head_translation_m, (0.1, 0.2, 1.0), atol=1e-6)
    np.testing.assert_allclose(neutral.gaze_rad, 0.03, atol=1e-6)


def test_no_tracked_frame_is_an_error(make_take):
    take = make_take()
    lost = replace(take, is_tracked=np.zeros(take.frame_count, np.bool_))
    with pytest.raises(DataError, match="no tracked frame"):
        transfer(lost, take)


def test_the_command_reads_the_map(make_take, tmp_path):
    source = make_take(seed=1, names=("jawOpen", "browInnerUp"), model_id="ict")
    target = make_take(seed=2, names=("expression_000", "expression_001"), model_id="other")
    for name, take in (("a", source), ("b", target)):
        write_take(tmp_path / f"{name}.take", take)
    carried = mapped(source, target, [[2.0, 0.0], [-1.0, 3.0]])
    write_expression_map(tmp_path / "ab.map.npz", carried)
    paths = [str(tmp_path / name) for name in ("a.take", "b.take", "c.take", "ab.map.npz")]
    words = ["transfer", "--source", paths[0], "--target", paths[1], "-o", paths[2]]
    assert run(words) == 1
    assert run([*words, "--map", paths[3]]) == 0
    expected = transfer(source, target, expression_map=carried)
    np.testing.assert_allclose(read_take(paths[2]).expression, expected.expression, atol=1e-6)
