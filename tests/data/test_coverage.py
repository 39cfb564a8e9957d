"""Coverage of a generator: what leaves it is found, what stays inside is not; and its header without its library."""

import json
import struct

import numpy as np
import pytest

from dvp_core.data.coverage import coverage_from_dict, excesses, parameter_names, parameter_values, unseen
from dvp_core.data.errors import DataError
from dvp_core.data.generator_header import GENERATOR_VERSION, read_generator_header
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector

EXPRESSIONS = ("jawOpen", "browInnerUp")
NAMES = parameter_names(EXPRESSIONS)
COUNT = 40


def performance(seed=3):
    """Return values (40, 12) of a head that moves in every parameter."""
    random = np.random.default_rng(seed)
    turns = quaternion_wxyz_from_rotation_vector(0.2 * random.normal(size=(COUNT, 3)))
    return parameter_values(
        multiply_quaternions(facing_camera_rotation_wxyz()[None], turns),
        np.array([0, 0, 0.7]) + 0.05 * random.normal(size=(COUNT, 3)),
        0.2 * random.normal(size=(COUNT, 2, 2)),
        random.uniform(0, 0.6, (COUNT, 2)),
    )


def told(values, names=NAMES):
    measures = {"min": values.min(0), "max": values.max(0), "std": values.std(0), "mean": values.mean(0)}
    return {
        "parameters": list(names),
        "frame_count": len(values),
        "value": {name: measure.tolist() for name, measure in measures.items()},
        "poses": values.tolist(),
    }


def header_of(values, **changes):
    return {
        "kind": "dvp-generator",
        "version": GENERATOR_VERSION,
        "preset": "fast",
        "crop": {"x_px": 1, "y_px": 2, "size_px": 30, "resolution_px": 64},
        "face_model_sha256": "f" * 64,
        "take_sha256": "a" * 64,
        "further_sources": [{"take_sha256": "b" * 64, "clip_sha256": "c" * 64}],
        "coverage": told(values),
    } | changes


def written(path, content, *, tail=b"\0" * 16):
    head = json.dumps({"__metadata__": {"dvp": json.dumps(content)}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + tail)
    return path


def test_frames_that_were_seen_leave_nothing():
    values = performance()
    coverage = coverage_from_dict(told(values), where="g")
    assert excesses(coverage, range(COUNT), NAMES, values) == ()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", [-1, 1])
def test_each_parameter_beyond_its_range_is_named_with_its_frame(name, direction):
    values = performance()
    coverage = coverage_from_dict(told(values), where="g")
    asked, column = values[:3].copy(), NAMES.index(name)
    edge = values[:, column].max() if direction > 0 else values[:, column].min()
    asked[1, column] = edge + direction * 1.01 * max(0.05, 0.5 * values[:, column].std())
    (excess,) = excesses(coverage, [1001, 1002, 1003], NAMES, asked)
    assert (excess.name, str(excess.frames), excess.worst_frame) == (name, "1002", 1002)
    assert excess.value == pytest.approx(asked[1, column])
    asked[1, column] = edge + direction * 0.4 * values[:, column].std()
    assert excesses(coverage, [1001, 1002, 1003], NAMES, asked) == ()


def test_the_worst_comes_first_and_unknown_parameters_are_passed_over():
    values = performance()
    coverage = coverage_from_dict(told(values), where="g")
    asked = np.concatenate([values, np.full((COUNT, 1), 9.0)], axis=1)
    asked[5, NAMES.index("expression.jawOpen")] = 1.0
    asked[6, NAMES.index("head.yaw_rad")] = 3.0
    found = excesses(coverage, range(COUNT), (*NAMES, "expression.unheard"), asked)
    assert [excess.name for excess in found] == ["head.yaw_rad", "expression.jawOpen"]


def test_a_control_that_never_moved_may_move_a_little():
    values = np.zeros((COUNT, len(NAMES)))
    coverage = coverage_from_dict(told(values), where="g")
    assert excesses(coverage, range(COUNT), NAMES, values + 0.019) == ()
    beyond = excesses(coverage, range(COUNT), NAMES, values + 0.021)
    assert {excess.name for excess in beyond} == {"head.x_m", "head.y_m", "head.z_m"}


REGIONS = {"head": NAMES[:6], "mouth": ("expression.jawOpen",), "elsewhere": ("expression.unheard",)}


def seen_poses(values):
    return coverage_from_dict(told(values), where="g")


def test_a_pose_that_was_seen_is_at_no_distance():
    values = performance()
    distances = unseen(seen_poses(values), NAMES, values, REGIONS)
    assert set(distances) == {"head", "mouth"}
    for row in distances.values():
        np.testing.assert_allclose(row, 0, atol=1e-9)


def test_distance_grows_with_the_way_and_only_in_its_region():
    values = performance()
    asked = np.repeat(values[:1], 5, axis=0)
    asked[:, NAMES.index("expression.jawOpen")] = (
        values[:, NAMES.index("expression.jawOpen")].max() + np.arange(5) * 0.2
    )
    distances = unseen(seen_poses(values), NAMES, asked, REGIONS)
    assert (np.diff(distances["mouth"]) > 0).all()
    assert distances["mouth"][0] == 0
    assert distances["mouth"][4] > 2
    np.testing.assert_allclose(distances["head"], 0, atol=1e-9)


def test_a_combination_that_was_not_seen_is_far_though_each_number_was():
    """Two heads: turned left and high, turned right and low; asked is left and low."""
    values = np.repeat(performance()[:1], COUNT, axis=0)
    side = np.where(np.arange(COUNT) % 2, 1.0, -1.0)
    values[:, 0], values[:, 4] = 0.4 * side, 0.1 * side
    values += 0.01 * np.random.default_rng(1).normal(size=values.shape)
    asked = values[:1].copy()
    asked[0, 0] *= -1
    coverage = seen_poses(values)
    assert excesses(coverage, [1], NAMES, asked) == ()
    assert unseen(coverage, NAMES, asked, REGIONS)["head"][0] > 2


def test_one_is_how_far_seen_poses_lie_from_each_other():
    values = performance()
    apart = np.linalg.norm((values[:, None, :6] - values[None, :, :6]) / seen_poses(values).scale[:6], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = int(apart.argmin()) // COUNT
    without = np.delete(values, nearest, axis=0)
    assert unseen(seen_poses(without), NAMES, values[[nearest]], REGIONS)["head"][0] < 1


def test_header_is_read_without_the_library(tmp_path):
    values = performance()
    header = read_generator_header(written(tmp_path / "g.safetensors", header_of(values)))
    assert (header.preset, header.crop.size_px, header.face_model_sha256) == ("fast", 30, "f" * 64)
    assert header.takes_sha256 == ("a" * 64, "b" * 64)
    assert header.coverage.names == NAMES
    assert np.allclose(header.coverage.highest, values.max(0))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"version": 1},
        {"crop": {"x_px": 1}},
        {"coverage": {}},
        {"coverage": None},
        {"coverage": {"parameters": ["a"], "frame_count": 1, "value": {"min": [1, 2], "max": [1], "std": [0]}}},
        {"coverage": {"parameters": ["a"], "frame_count": 1, "value": {"min": [1], "max": ["x"], "std": [0]}}},
        {"coverage": told(performance()) | {"poses": [[1.0, 2.0]]}},
        {"coverage": told(performance()) | {"poses": performance()[:1].tolist()}},
        {"coverage": told(performance()) | {"poses": [[float("inf")] * len(NAMES)]}},
        {"further_sources": [5]},
    ],
)
def test_damaged_descriptions_are_refused(tmp_path, change):
    with pytest.raises(DataError, match=r"generator|damaged|coverage"):
        read_generator_header(written(tmp_path / "g.safetensors", header_of(performance(), **change)))


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]"],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "g.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"safetensors|description"):
        read_generator_header(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_generator_header(tmp_path / "none.safetensors")
