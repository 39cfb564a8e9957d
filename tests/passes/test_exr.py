import struct
from dataclasses import fields

import numpy as np
import OpenEXR
import pytest

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.passes import PassFolder, header_attributes, pass_path, read_pass_frame, write_pass_frame
from dvp_core.passes.exr import PASS_CHANNELS

SIDE_PX = 32


def random_pass_frame(*, frame=7, seed=0):
    """Passes that use the whole range of their types, beyond what a half can hold exactly."""
    random = np.random.default_rng(seed)

    def picture(*shape):
        return random.uniform(0, 3, (SIDE_PX, SIDE_PX, *shape)).astype(np.float32)

    return PassFrame(
        frame=frame,
        color=picture(3) * 1000,
        corr=picture(3),
        gaze=picture(3),
        mask=picture(),
        depth=picture(),
        crop=Crop(-3, 12, 240, SIDE_PX),
        take_sha256="ab" * 32,
        face_model_sha256="cd" * 32,
    )


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "passes.0007.exr"
    write_pass_frame(path, random_pass_frame())
    return path


def channels_of(pass_frame):
    return {
        f"{name}.{letter}": np.atleast_3d(getattr(pass_frame, name))[:, :, number].copy()
        for name, letters in PASS_CHANNELS.items()
        for number, letter in enumerate(letters)
    }


def write_parts(path, parts, attributes):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    made = [OpenEXR.Part({**header, "name": name}, dict(channels)) for name, channels in parts.items()]
    with OpenEXR.File(made) as file:
        file.write(str(path))


def test_round_trip_is_exact_with_halves_rounded_to_even(stored):
    written, read = random_pass_frame(), read_pass_frame(stored)
    for item in fields(PassFrame):
        expected, actual = getattr(written, item.name), getattr(read, item.name)
        if not isinstance(expected, np.ndarray):
            assert actual == expected
            continue
        if item.name in ("color", "gaze", "mask"):
            expected = expected.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(actual, expected, err_msg=item.name)
        assert actual.dtype == np.float32
    assert read.content_sha256 == written.content_sha256


def test_equal_passes_give_equal_bytes(stored, tmp_path):
    write_pass_frame(tmp_path / "again.exr", read_pass_frame(stored))
    assert (tmp_path / "again.exr").read_bytes() == stored.read_bytes()


def test_values_beyond_a_half_are_clamped_not_infinite(tmp_path):
    pass_frame = random_pass_frame()
    pass_frame.color[0, 0] = 1e6
    write_pass_frame(tmp_path / "x.exr", pass_frame)
    assert read_pass_frame(tmp_path / "x.exr").color[0, 0, 0] == 65504.0


def test_blenders_names_types_and_parts_are_read(tmp_path, stored):
    pass_frame = read_pass_frame(stored)
    channels = {f"View.Layer.{name}": plane for name, plane in channels_of(pass_frame).items()}
    combined = {f"View.Layer.Combined.{letter}": np.zeros((SIDE_PX, SIDE_PX), np.float32) for letter in "RGBA"}
    write_parts(tmp_path / "one.exr", {"a": combined | channels}, header_attributes(pass_frame))
    by_pass = {name: {key: plane for key, plane in channels.items() if f".{name}." in key} for name in PASS_CHANNELS}
    write_parts(tmp_path / "many.exr", {"first": combined} | by_pass, header_attributes(pass_frame))
    for path in (tmp_path / "one.exr", tmp_path / "many.exr"):
        assert read_pass_frame(path).content_sha256 == pass_frame.content_sha256


def test_two_view_layers_are_refused(tmp_path):
    pass_frame = random_pass_frame()
    channels = {f"{layer}.{name}": plane for layer in "AB" for name, plane in channels_of(pass_frame).items()}
    write_parts(tmp_path / "x.exr", {"a": channels}, header_attributes(pass_frame))
    with pytest.raises(DataError, match="2 times"):
        read_pass_frame(tmp_path / "x.exr")


def test_every_cut_is_found(stored, tmp_path):
    content = stored.read_bytes()
    path = tmp_path / "cut.exr"
    for length in [0, 3, 8, 60, *range(200, len(content) - 1, len(content) // 12), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(DataError) as caught:
            read_pass_frame(path)
        assert caught.value.where == str(path)


def test_flipped_bits_are_found_or_change_no_pixel(stored, tmp_path):
    """A flip may hit the text of an attribute or a field that decides nothing; a pixel it never changes unseen."""
    content = stored.read_bytes()
    truth = read_pass_frame(stored)
    random = np.random.default_rng(5)
    path = tmp_path / "flipped.exr"
    found = 0
    for position in random.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            actual = read_pass_frame(path)
        except DataError:
            found += 1
            continue
        assert actual.content_sha256 == truth.content_sha256, f"byte {position}"
    assert found >= 140


@pytest.mark.parametrize("channel", ["color.G", "corr.Z", "gaze.B", "mask.A", "depth.Z"])
def test_missing_channel_is_named(tmp_path, channel):
    pass_frame = random_pass_frame()
    channels = channels_of(pass_frame)
    del channels[channel]
    write_parts(tmp_path / "x.exr", {"a": channels}, header_attributes(pass_frame))
    with pytest.raises(DataError, match=f"no channel '{channel}'"):
        read_pass_frame(tmp_path / "x.exr")


@pytest.mark.parametrize(("channel", "dtype"), [("corr.X", np.float16), ("depth.Z", np.uint32), ("mask.A", np.uint32)])
def test_wrong_type_is_named(tmp_path, channel, dtype):
    pass_frame = random_pass_frame()
    channels = channels_of(pass_frame)
    channels[channel] = channels[channel].astype(dtype)
    write_parts(tmp_path / "x.exr", {"a": channels}, header_attributes(pass_frame))
    with pytest.raises(DataError, match=f"'{channel}' is not stored as"):
        read_pass_frame(tmp_path / "x.exr")


def test_not_a_number_is_named(tmp_path):
    pass_frame = random_pass_frame()
    pass_frame.depth[3, 4] = np.nan
    write_pass_frame(tmp_path / "x.exr", pass_frame)
    with pytest.raises(DataError, match=r"'depth.Z' holds NaN"):
        read_pass_frame(tmp_path / "x.exr")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ((0, 0, 2**31 - 1, 2**31 - 1), "claims a picture"),
        ((0, 0, 8191, 8191), "claims"),
        ((5, 5, 4, 4), "claims a picture"),
        ((-(2**31), 0, 2**31 - 1, 31), "claims a picture"),
        ((1, 1, SIDE_PX, SIDE_PX), "window"),
    ],
)
def test_windows_are_checked_before_pixels(stored, window, message):
    content = stored.read_bytes()
    true_window = struct.pack("<4i", 0, 0, SIDE_PX - 1, SIDE_PX - 1)
    assert content.count(true_window) == 2
    stored.write_bytes(content.replace(true_window, struct.pack("<4i", *window)))
    with pytest.raises(DataError, match=message):
        read_pass_frame(stored)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dvp.frame", "seven", "whole number"),
        ("dvp.crop", "1 2 3", "four numbers"),
        ("dvp.crop", "0 0 0 32", "empty square"),
        ("dvp.crop", "0 0 240 64", "whole crop"),
        ("dvp.version", "2", "version '2'"),
        ("dvp.take_sha256", None, "no attribute"),
    ],
)
def test_attributes_are_checked(tmp_path, name, value, message):
    pass_frame = random_pass_frame()
    attributes = header_attributes(pass_frame) | {name: value}
    kept = {key: text for key, text in attributes.items() if text is not None}
    write_parts(tmp_path / "x.exr", {"a": channels_of(pass_frame)}, kept)
    with pytest.raises(DataError, match=message):
        read_pass_frame(tmp_path / "x.exr")


def test_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot be written"):
        write_pass_frame(tmp_path / "file" / "x.exr", random_pass_frame())
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_folder_lists_and_reads_its_frames(tmp_path):
    for frame in (9998, 10000, -5):
        write_pass_frame(pass_path(tmp_path, frame), random_pass_frame(frame=frame))
    (tmp_path / "passes.0001.exr.part").write_bytes(b"")
    folder = PassFolder(tmp_path)
    assert folder.frames == FrameRange.of([-5, 9998, 10000])
    assert folder.read(10000).frame == 10000
    assert folder.read(-5).frame == -5


def test_missing_frame_is_named_with_its_remedy(tmp_path):
    write_pass_frame(pass_path(tmp_path, 3), random_pass_frame(frame=3))
    with pytest.raises(DataError, match=r"frame 4 .*Export frame 4 again"):
        PassFolder(tmp_path).read(4)


def test_renamed_frame_is_found(tmp_path):
    write_pass_frame(pass_path(tmp_path, 4), random_pass_frame(frame=3))
    with pytest.raises(DataError, match="holds frame 3"):
        PassFolder(tmp_path).read(4)


def test_folder_without_passes_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no passes"):
        PassFolder(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        PassFolder(tmp_path / "missing")
