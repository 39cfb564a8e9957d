"""Pictures and numbered sequences of them; the project's own PNG."""

import struct
import zlib
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvp_core.data.errors import DataError
from dvp_core.video import encode_png, open_clip, read_image, read_png_text, write_png
from tests.video.media import number_in, numbered_frame


def write_sequence(folder, numbers, *, name="shot.{:04d}.png"):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        write_png(folder / name.format(number), numbered_frame(number))
    return folder


def test_folder_and_pattern(tmp_path):
    folder = write_sequence(tmp_path / "s", range(98, 105))
    for location in (folder, folder / "shot.####.png", folder / "shot.#.png"):
        source = open_clip(location)
        assert (source.clip.start_frame, source.clip.frame_count, source.clip.fps) == (98, 7, 25)
        assert [number_in(image) for image in source.iterate()] == list(range(98, 105))
    assert open_clip(folder, fps=Fraction(30000, 1001), start_frame=1).clip.fps == Fraction(30000, 1001)
    assert open_clip(folder, start_frame=1).clip.start_frame == 1


def test_hash_of_a_sequence_depends_on_pixels_and_order(tmp_path):
    first = open_clip(write_sequence(tmp_path / "a", [1, 2, 3])).clip.sha256
    assert open_clip(write_sequence(tmp_path / "b", [1, 2, 3])).clip.sha256 == first
    swapped = write_sequence(tmp_path / "c", [1, 2, 3])
    write_png(swapped / "shot.0001.png", numbered_frame(2))
    assert open_clip(swapped).clip.sha256 != first


def test_missing_picture_is_named(tmp_path):
    with pytest.raises(DataError, match="lacks frame 3 and 1 more"):
        open_clip(write_sequence(tmp_path / "s", [1, 2, 5]))


def test_two_sequences_need_a_pattern(tmp_path):
    folder = write_sequence(tmp_path / "s", [1, 2])
    write_sequence(folder, [1, 2, 3], name="other_{}.png")
    with pytest.raises(DataError, match=r"holds 2 image sequences \(other_####.png, shot.####.png\)"):
        open_clip(folder)
    assert open_clip(folder / "other_#.png").clip.frame_count == 3


def test_empty_folder_and_other_size(tmp_path):
    (tmp_path / "e").mkdir()
    with pytest.raises(DataError, match="no numbered pictures"):
        open_clip(tmp_path / "e")
    folder = write_sequence(tmp_path / "s", [1, 2])
    write_png(folder / "shot.0002.png", numbered_frame(2)[:32])
    with pytest.raises(DataError, match="is 96x32"):
        open_clip(folder).read(1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_pictures_of_other_programs(tmp_path, suffix):
    image = numbered_frame(77)
    cv2.imwrite(str(tmp_path / f"p{suffix}"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    read = read_image(tmp_path / f"p{suffix}")
    assert number_in(read) == 77
    assert np.abs(read.astype(int) - image)[16:].max() <= (10 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_rounded(tmp_path, suffix):
    deep = np.random.default_rng(5).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"p{suffix}"), deep[..., ::-1])
    assert np.array_equal(read_image(tmp_path / f"p{suffix}"), np.rint(deep / 257).astype(np.uint8))


def test_grey_and_transparent_pictures(tmp_path):
    grey = numbered_frame(3)[..., 0]
    cv2.imwrite(str(tmp_path / "g.png"), grey)
    assert np.array_equal(read_image(tmp_path / "g.png"), np.repeat(grey[..., None], 3, axis=2))
    clear = np.dstack([numbered_frame(3), np.full((64, 96), 9, np.uint8)])
    cv2.imwrite(str(tmp_path / "a.png"), clear[..., [2, 1, 0, 3]])
    assert np.array_equal(read_image(tmp_path / "a.png"), clear[..., :3])


@settings(max_examples=30, deadline=None)
@given(
    image=st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda size: arrays(np.uint8, (*size, 3))),
    text=st.dictionaries(
        st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True), st.text("abc 123", max_size=30), max_size=3
    ),
)
def test_own_png_round_trip(tmp_path_factory, image, text):
    path = tmp_path_factory.mktemp("png") / "p.png"
    write_png(path, image, text)
    assert np.array_equal(read_image(path), image)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], image)
    assert read_png_text(path) == text
    assert encode_png(image, text) == path.read_bytes()


def test_every_cut_and_every_damaged_byte_of_a_png_is_found(tmp_path):
    content = encode_png(numbered_frame(5), {"key": "k"})
    path = tmp_path / "p.png"
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(DataError):
            read_png_text(path)
    for place in range(0, len(content), 61):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            read_png_text(path)


@pytest.mark.parametrize("content", [b"", b"GIF89a" * 9, b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff\xe0junk"])
def test_no_picture(tmp_path, content):
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(DataError):
        read_image(tmp_path / "p.png")


def test_a_png_that_claims_to_be_huge_is_refused(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    body = b"IDAT" + zlib.compress(bytes(1000))
    content += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(DataError):
        read_image(tmp_path / "p.png")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_no_such_pixels(array):
    with pytest.raises(DataError, match="a picture must be"):
        encode_png(array)


def test_text_that_no_png_can_hold():
    with pytest.raises(DataError, match="Latin"):
        encode_png(numbered_frame(0), {"key": "ключ"})
    with pytest.raises(DataError, match="keyword"):
        encode_png(numbered_frame(0), {"": "x"})
