"""The writer against the OpenEXR library, which reads what it wrote."""

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvp_core.passes.exr_header import read_exr_header
from dvp_core.passes.exr_writing import encode_exr

LONG_NAME = "a.layer.whose.name.is.longer.than.old.readers.expect.Z"


@st.composite
def pictures(draw):
    """Planes of any size and type: smooth ones, empty ones, and noise that no packing makes smaller."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 33)))
    names = draw(st.sets(st.sampled_from(["R", "color.R", "corr.X", "depth.Z", "mask.A", LONG_NAME]), min_size=1))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = {
        "smooth": lambda: np.add.outer(np.arange(shape[0]), np.arange(shape[1])) / 7,
        "empty": lambda: np.zeros(shape),
        "noise": lambda: random.normal(0, 1000, shape),
    }
    made = {name: kinds[draw(st.sampled_from(sorted(kinds)))]() for name in sorted(names)}
    return {name: plane.astype(draw(st.sampled_from([np.float16, np.float32]))) for name, plane in made.items()}


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(pictures())
def test_the_library_reads_every_bit_back(tmp_path_factory, channels):
    path = tmp_path_factory.mktemp("exr") / "x.exr"
    path.write_bytes(encode_exr(channels, {"dvp.frame": "7", "note": "größer"}))
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header = file.header()
        assert (header["dvp.frame"], header["note"]) == ("7", "größer")
        assert header["compression"] == OpenEXR.ZIP_COMPRESSION
        assert set(file.channels()) == set(channels)
        for name, plane in channels.items():
            assert file.channels()[name].pixels.dtype == plane.dtype
            np.testing.assert_array_equal(file.channels()[name].pixels, plane, err_msg=name)
    (part,) = read_exr_header(path)
    assert part.channels == {name: plane.dtype.itemsize for name, plane in channels.items()}
    height_px, width_px = next(iter(channels.values())).shape
    assert part.window == part.display_window == (0, 0, width_px - 1, height_px - 1)


def test_order_and_strides_of_what_is_given_change_no_byte():
    random = np.random.default_rng(0)
    planes = {name: random.normal(size=(20, 30)).astype(np.float32) for name in ("a.Z", "b.Z")}
    turned = {name: np.asfortranarray(plane).astype(">f4") for name, plane in reversed(planes.items())}
    texts = {"one": "1", "two": "2"}
    assert encode_exr(turned, dict(reversed(texts.items()))) == encode_exr(planes, texts)


def test_a_smooth_picture_is_packed_and_noise_is_kept_as_it_is():
    noise = np.random.default_rng(0).integers(0, 2**32, (64, 64), dtype=np.uint32).view(np.float32)
    assert 64 * 64 * 4 < len(encode_exr({"Z": noise}, {})) < 64 * 64 * 4 + 500
    assert len(encode_exr({"Z": np.ones((64, 64), np.float32)}, {})) < 1000


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ({}, "one shape"),
        ({"A": np.zeros((2, 2), np.float32), "B": np.zeros((2, 3), np.float32)}, "one shape"),
        ({"A": np.zeros((2, 2, 1), np.float32)}, "one shape"),
        ({"A": np.zeros((2, 2))}, "float64, expected float16 or float32"),
    ],
)
def test_what_is_no_picture_is_refused(channels, reason):
    with pytest.raises(ValueError, match=reason):
        encode_exr(channels, {})
