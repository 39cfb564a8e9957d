import copy
import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from dvp_core.data import files
from dvp_core.data.errors import DataError


def test_arrays_and_header_come_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False]), "face/c": np.float16([1.5])}
    files.write_arrays(tmp_path / "x.npz", arrays, header={"name": "é"})
    back = files.read_arrays(tmp_path / "x.npz")
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    assert files.read_header(tmp_path / "x.npz") == {"name": "é"}
    assert set(np.load(tmp_path / "x.npz")) >= {"a", "b"}  # plain numpy reads it too


def test_equal_content_gives_equal_bytes(tmp_path):
    files.write_arrays(tmp_path / "x.npz", {"a": np.ones(3), "b": np.zeros(2)})
    files.write_arrays(tmp_path / "y.npz", {"b": np.zeros(2), "a": np.ones(3)})
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_a_large_array_is_written_without_a_second_copy(tmp_path):
    def peak_bytes(megabytes: int) -> int:
        array = np.zeros((megabytes, 2**20), np.uint8)
        tracemalloc.start()
        try:
            files.write_arrays(tmp_path / "a.npz", {"a": array})
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(128) - peak_bytes(64) < 2**20


def test_fortran_order_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.asfortranarray(np.arange(6).reshape(2, 3)))
    np.testing.assert_array_equal(files.read_arrays(tmp_path / "x.npz")["a"], np.arange(6).reshape(2, 3))


def archive_with(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def array_header(descr, shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        array_header("<f8", (1 << 40,)),  # claims 8 TiB
        array_header("|O", (1,)) + b"x" * 8,  # Python objects
        array_header("<f8", (-1,)),
        array_header("<f8", (4,)) + b"\0" * 16,  # cut short
        b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((",
        b"not an array",
    ],
)
def test_hostile_members_are_refused(tmp_path, content):
    with pytest.raises(DataError):
        files.read_arrays(archive_with(tmp_path / "x.npz", "a.npy", content))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = archive_with(tmp_path / "x.npz", "a.npy", array_header("<f8", (4_000_000,)) + b"\0" * 32_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="limit"):
        files.read_arrays(path, limit_bytes=1_000_000)


def test_truncation_anywhere_is_refused(tmp_path):
    files.write_arrays(tmp_path / "x.npz", {"a": np.random.default_rng(0).normal(size=200)})
    whole = (tmp_path / "x.npz").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(DataError):
            files.read_arrays(tmp_path / "cut.npz")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "x.json"
    files.write_bytes_atomically(target, b"old")

    def half(path):
        path.write_bytes(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left"):
        files.write_atomically(target, half)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_writing_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        files.write_bytes_atomically(tmp_path / "file" / "x.json", b"{}")


@pytest.mark.parametrize("text", ["{", '{"a": NaN}', '{"a": Infinity}', '{"a":1,"a":2}', "[" * 100_000, "9" * 5000])
def test_loose_json_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        files.read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("array", "shape", "dtype"),
    [
        (np.zeros((2, 3)), (2, 2), np.float32),
        (np.array([np.nan]), (1,), np.float32),
        (np.zeros(2), (2,), np.int32),
        (np.array(["a"]), (1,), np.float32),
    ],
)
def test_wrong_fields_are_named(array, shape, dtype):
    with pytest.raises(DataError, match="'a'"):
        files.take_array({"a": array}, "a", shape, dtype, where="x")


def test_errors_survive_the_trip_between_processes():

    error = copy.copy(DataError("is bad", where="here", remedy="mend it"))  # goes the way of pickling
    assert str(error) == "here: is bad. mend it."


def test_leftovers_of_killed_writers_go_and_nothing_else(tmp_path):
    stay = ["frame.0007.png", ".frame.0008.abcd_12.part.png", ".frame.0007.part.png", ".frame.0007.abcd.png"]
    go = [".frame.0007.abcd_12.part.png", ".frame.0007.zz9.part.png", ".manifest.q.part.json"]
    for name in (*stay, *go):
        (tmp_path / name).write_bytes(b"half")
    files.remove_leftovers(tmp_path, ["frame.0007.png", "manifest.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)
    files.remove_leftovers(tmp_path / "nowhere", ["frame.0007.png"])


def test_what_is_under_way_is_a_leftover_once_its_writer_is_gone(tmp_path):
    """The names that writing gives are those that are looked for."""
    seen = []

    def write(temporary):
        files.remove_leftovers(tmp_path, ["frame.0001.png"])
        seen.append(temporary.exists())
        temporary.write_bytes(b"whole")

    files.write_atomically(tmp_path / "frame.0001.png", write)
    assert seen == [False]
    assert [path.name for path in tmp_path.iterdir()] == ["frame.0001.png"]
