import json
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel, read_face_model, write_face_model
from dvp_core.data.files import read_arrays, read_header, write_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.measurement import Measurement
from dvp_core.data.take import read_take, write_take


def assert_equal(a, b):
    for item in fields(a):
        left, right = getattr(a, item.name), getattr(b, item.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=item.name)
            assert left.dtype == right.dtype, item.name
        elif isinstance(left, (FaceModel, Measurement)):
            assert_equal(left, right)
        else:
            assert left == right, item.name


def test_face_model_round_trip(tmp_path, tiny_face):
    write_face_model(tmp_path / "tiny.face.npz", tiny_face)
    back = read_face_model(tmp_path / "tiny.face.npz")
    assert_equal(tiny_face, back)
    assert back.sha256 == tiny_face.sha256


def test_quads_become_two_triangles_in_order(tiny_face):
    np.testing.assert_array_equal(
        tiny_face.triangles[:2], [tiny_face.polygons[0, [0, 1, 2]], tiny_face.polygons[0, [0, 2, 3]]]
    )
    assert len(tiny_face.triangles) == 64 * 2 + 8


def test_baking_applies_identity_and_moves_the_eyes(tiny_face):
    basis = np.zeros_like(tiny_face.identity_basis)
    basis[0, :, 1] = 0.01
    baked = replace(tiny_face, identity_basis=basis).baked(np.array([2.0, 0, 0]))
    np.testing.assert_allclose(baked.vertices, tiny_face.vertices + np.array([0, 0.02, 0]), atol=1e-9)
    np.testing.assert_allclose(baked.eye_centers, tiny_face.eye_centers + np.array([0, 0.02, 0]), atol=1e-9)
    assert baked.identity_count == 0


def test_take_round_trip(tmp_path, tiny_take):
    write_take(tmp_path / "x.take", tiny_take)
    back = read_take(tmp_path / "x.take")
    assert_equal(tiny_take, back)
    assert back.sha256 == tiny_take.sha256
    assert back.frames == FrameRange.span(101, 106)
    assert back.index_of(103) == 2
    with pytest.raises(DataError, match="outside"):
        back.index_of(107)


def measurement_of(take):
    one, wide = np.float32(0.01), (take.frame_count, 3)
    return Measurement(
        take.head_rotation_wxyz,
        take.head_translation_m,
        take.expression,
        take.gaze_rad,
        *(np.full(shape, one) for shape in (wide, wide, take.expression.shape, take.gaze_rad.shape)),
    )


def test_a_measurement_comes_back_with_its_dial_and_cuts(tmp_path, tiny_take):
    take = replace(tiny_take, measured=measurement_of(tiny_take), smoothing=0.25, shot_starts=(103,))
    write_take(tmp_path / "x.take", take)
    back = read_take(tmp_path / "x.take")
    assert_equal(take, back)
    assert back.sha256 == take.sha256 != tiny_take.sha256


def test_a_deviation_of_zero_is_refused(tmp_path, tiny_take):
    bad = replace(measurement_of(tiny_take), gaze_sigma_rad=np.zeros_like(tiny_take.gaze_rad))
    write_take(tmp_path / "x.take", replace(tiny_take, measured=bad))
    with pytest.raises(DataError, match="gaze_sigma_rad"):
        read_take(tmp_path / "x.take")


def test_the_hash_of_a_take_sees_every_field(tiny_take):
    changed = tiny_take.expression.copy()
    changed[3, 1] += 1e-3
    assert replace(tiny_take, expression=changed).sha256 != tiny_take.sha256
    assert replace(tiny_take, subject="other").sha256 != tiny_take.sha256


def rewritten(tmp_path, take, *, header=None, arrays=None, drop=()):
    """Write a take whose file form is changed before it reaches the disk."""
    write_take(tmp_path / "good.take", take)
    content = {name: a for name, a in read_arrays(tmp_path / "good.take").items() if name not in drop}
    write_arrays(
        tmp_path / "bad.take", content | (arrays or {}), header=read_header(tmp_path / "good.take") | (header or {})
    )
    return tmp_path / "bad.take"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"header": {"version": 9}}, "version"),
        ({"header": {"clip": {}}}, "header"),
        ({"header": {"expression_names": ["a"]}}, "expression"),
        ({"header": {"crop": {"x_px": 0, "y_px": 0, "size_px": 0, "resolution_px": 256}}}, "crop"),
        ({"arrays": {"expression": np.full((6, 2), np.nan, np.float32)}}, "NaN"),
        ({"arrays": {"head_rotation_wxyz": np.zeros((6, 4), np.float32)}}, "unit"),
        ({"arrays": {"gaze_rad": np.zeros((5, 2, 2), np.float32)}}, "gaze_rad"),
        ({"arrays": {"camera_focal_px": np.array(-1.0)}}, "focal"),
        ({"arrays": {"face/polygons": np.full((3, 4), 900, np.int32)}}, "polygon"),
        ({"drop": ("is_tracked",)}, "is_tracked"),
    ],
)
def test_damaged_takes_name_the_fault(tmp_path, tiny_take, change, named):
    with pytest.raises(DataError, match=named):
        read_take(rewritten(tmp_path, tiny_take, **change))


def test_another_file_is_no_take(tmp_path):
    (tmp_path / "x.take").write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"x\.take"):
        read_take(tmp_path / "x.take")
    with zipfile.ZipFile(tmp_path / "y.take", "w") as archive:
        archive.writestr("header.json", json.dumps({"version": 1}))
    with pytest.raises(DataError, match="damaged header"):
        read_take(tmp_path / "y.take")
