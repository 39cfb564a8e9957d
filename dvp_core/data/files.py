"""Reading and writing files so that nothing is half-written and no file can ask for more memory than it may.

Every writer of the project goes through `write_atomically`; every `.npz`-like archive through `read_arrays`.
No pickle anywhere: arrays are plain numpy `.npy` members of a zip.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dvp_core.data.errors import DataError

_COPY_BYTES = 1 << 20
_ARCHIVE_LIMIT_BYTES = 8 << 30
_JSON_LIMIT_BYTES = 64 << 20
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[^.]+\.part(?P<suffix>(\.[^.]*)?)")
"""Names that `write_atomically` gives to files under way."""


def sha256_of_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_bytes(*parts: bytes | memoryview) -> str:
    """Return the SHA-256 of the concatenated parts as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_of_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a hash over names, dtypes, shapes and values, independent of the order of the mapping."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_atomically(path: Path | str, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then publish it under its name in one step.

    The file's bytes and the folder's entry are on disk when this returns. Where anything fails, the temporary file is
    removed and whatever stood at `path` before is untouched.

    Raises:
        DataError: The disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=f".part{path.suffix}", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        write(temporary)
        _give_usual_mode(temporary)
        sync_to_disk(temporary)
        os.replace(temporary, path)
        sync_to_disk(path.parent)
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}",
            where=path,
            remedy="Check that the folder exists, may be written and has room, then run the command again",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path | str, names: Iterable[str]) -> None:
    """Remove the temporary files that killed writers of a folder's files have left; no such writer may live any more.

    Args:
        folder: Where the files are; it need not exist.
        names: Final names of the files.
    """
    wanted = set(names)
    if not wanted or not Path(folder).is_dir():
        return
    for path in Path(folder).iterdir():
        parts = _TEMPORARY.fullmatch(path.name)
        if parts is not None and parts["stem"] + parts["suffix"] in wanted:
            path.unlink(missing_ok=True)


def _give_usual_mode(path: Path) -> None:
    """Undo the private mode of `mkstemp`, honouring the user's umask."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def sync_to_disk(path: Path) -> None:
    """Force a file, or a folder's list of names, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder; its rename is durable by itself.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes_atomically(path: Path | str, content: bytes) -> None:
    """Publish `content` under `path` as `write_atomically` does."""
    write_atomically(path, lambda temporary: _write_all(temporary, content))


def _write_all(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_arrays(path: Path | str, arrays: Mapping[str, np.ndarray], *, header: Any = None) -> None:
    """Write a zip of `.npy` members (readable by `numpy.load`), with an optional `header.json`.

    Equal content gives equal bytes: members are sorted and carry no date.
    """
    write_atomically(path, lambda temporary: _write_archive(temporary, arrays, header))


def arrays_to_bytes(arrays: Mapping[str, np.ndarray], *, header: Any = None) -> bytes:
    """Return what `write_arrays` writes, for the wire."""
    buffer = io.BytesIO()
    _write_archive(buffer, arrays, header)
    return buffer.getvalue()


def _write_archive(target: Path | BinaryIO, arrays: Mapping[str, np.ndarray], header: Any) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if header is not None:
            _add_member(archive, "header.json", canonical_json(header))
        for name in sorted(arrays):
            _add_array(archive, f"{name}.npy", np.asarray(arrays[name], order="C"))


def _add_member(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_member(name), content)


def _add_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Write an array piece by piece: no second copy of it is made in memory."""
    info = _member(name)
    info.file_size = array.nbytes  # so that the archive knows beforehand whether it needs 64 bits
    with archive.open(info, "w") as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def read_arrays(path: Path | str, *, limit_bytes: int = _ARCHIVE_LIMIT_BYTES) -> dict[str, np.ndarray]:
    """Read all `.npy` members of a zip, refusing what claims more than `limit_bytes` before allocating it.

    Raises:
        DataError: Not such an archive, damaged, too large, or holding Python objects.
    """
    with opened_archive(path, limit_bytes=limit_bytes) as archive:
        return _arrays_of(archive, path)


def arrays_from_bytes(content: bytes, *, where: str, limit_bytes: int) -> tuple[dict[str, np.ndarray], Any]:
    """Return arrays and header of what `arrays_to_bytes` gave.

    Args:
        content: From elsewhere, trusted in nothing.
        where: What errors call it.
        limit_bytes: The most it may hold once it is unpacked.

    Raises:
        DataError: As `read_arrays` and `read_header`.
    """
    with opened_archive(where, limit_bytes=limit_bytes, content=content) as archive:
        return _arrays_of(archive, where), header_of(archive, where)


def _arrays_of(archive: zipfile.ZipFile, where: Path | str) -> dict[str, np.ndarray]:
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    return {name.removesuffix(".npy"): _read_member(archive, name, where) for name in names}


def read_header(path: Path | str) -> Any:
    """Read `header.json` of an archive written by `write_arrays`."""
    with opened_archive(path) as archive:
        return header_of(archive, path)


def header_of(archive: zipfile.ZipFile, where: Path | str) -> Any:
    """Return the `header.json` of an opened archive.

    Raises:
        DataError: It has none, or no strict JSON of a sensible size.
    """
    if "header.json" not in archive.namelist():
        raise DataError("has no header.json, so it is not a file of this kind", where=where)
    if archive.getinfo("header.json").file_size > _JSON_LIMIT_BYTES:
        raise DataError("its header.json is larger than 64 MiB", where=where)
    return parse_json(archive.read("header.json"), where=f"{where}/header.json")


@contextmanager
def opened_archive(
    path: Path | str, *, limit_bytes: int = _ARCHIVE_LIMIT_BYTES, content: bytes | None = None
) -> Iterator[zipfile.ZipFile]:
    """Give a zip whose index was checked, for the length of the block.

    Args:
        path: The file, or what errors call it.
        limit_bytes: The most it may hold once it is unpacked.
        content: The zip itself, where it is no file.

    Raises:
        DataError: Missing, damaged, too large, or with two members of one name.
    """
    damaged = "cannot be read as an archive of arrays ({})"
    remedy = "The file is damaged or of another kind; make it again or copy it anew"
    try:
        with zipfile.ZipFile(path if content is None else io.BytesIO(content)) as archive:
            _check_index(archive, path, limit_bytes)
            yield archive
    except FileNotFoundError as error:
        raise DataError("does not exist", where=path, remedy="Check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(damaged.format(error), where=path, remedy=remedy) from error


def _check_index(archive: zipfile.ZipFile, path: Path | str, limit_bytes: int) -> None:
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise DataError("holds two members of one name", where=path)
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in archive.infolist()):
        raise DataError("uses a compression other than deflate", where=path)
    claimed = sum(info.file_size for info in archive.infolist())
    if claimed > limit_bytes:
        raise DataError(f"claims {claimed:,} bytes of content, more than the limit of {limit_bytes:,}", where=path)


def _read_member(archive: zipfile.ZipFile, name: str, path: Path | str) -> np.ndarray:
    where = f"{path}/{name}"
    with archive.open(name) as stream:
        shape, order, dtype = _read_array_header(stream, where)
        expected_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        available_bytes = archive.getinfo(name).file_size
        if dtype.hasobject or expected_bytes > available_bytes:
            raise DataError(f"claims shape {shape} of {dtype}, which the file does not hold", where=where)
        content = stream.read(expected_bytes)
    if len(content) != expected_bytes:
        raise DataError("is cut short", where=where)
    array = np.frombuffer(bytearray(content), dtype=dtype)
    return array.reshape(shape, order="F" if order else "C")


def _read_array_header(stream: Any, where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = reader(stream)
    except (ValueError, SyntaxError, TypeError, KeyError, tokenize.TokenError, RecursionError) as error:
        raise DataError(f"is no numpy array ({error})", where=where) from error
    if any(length < 0 for length in shape):
        raise DataError(f"claims shape {shape}", where=where)
    return shape, is_fortran, dtype


def take_array(
    arrays: Mapping[str, np.ndarray],
    name: str,
    shape: tuple[int | None, ...],
    dtype: type[np.generic],
    *,
    where: str | Path,
) -> np.ndarray:
    """Return the named array as `dtype` after checking that it exists, has the shape and is finite.

    Args:
        arrays: Arrays of a file by name.
        name: The wanted one.
        shape: Expected lengths; None stands for any length.
        dtype: The dtype returned; floats are never read as integers.
        where: The file, for the error.

    Raises:
        DataError: Missing, of another shape or kind, or holding NaN or infinity.
    """
    if name not in arrays:
        raise DataError(f"field '{name}' is missing (it has: {', '.join(sorted(arrays)) or 'nothing'})", where=where)
    array = arrays[name]
    is_matching = array.ndim == len(shape) and all(
        wanted is None or wanted == length for wanted, length in zip(shape, array.shape, strict=False)
    )
    if not is_matching:
        wanted_text = "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"
        raise DataError(f"field '{name}' has shape {array.shape}, expected {wanted_text}", where=where)
    if array.dtype.kind not in "fiub" or (np.issubdtype(dtype, np.integer) and array.dtype.kind == "f"):
        raise DataError(f"field '{name}' has dtype {array.dtype}, expected {np.dtype(dtype)}", where=where)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"field '{name}' holds NaN or infinity", where=where)
    return array.astype(dtype)


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spare space: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_json(path: Path | str) -> Any:
    """Read a JSON file of at most 64 MiB without NaN, infinity or repeated keys.

    Raises:
        DataError: Missing, too large or not such JSON.
    """
    try:
        if Path(path).stat().st_size > _JSON_LIMIT_BYTES:
            raise DataError("is larger than 64 MiB", where=path)
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path, remedy="Check the path") from error
    return parse_json(content, where=path)


def parse_json(content: bytes | str, *, where: str | Path) -> Any:
    """Parse strict JSON; see `read_json`."""
    try:
        return json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_unique_pairs)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not valid JSON ({error})", where=where) from error


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number JSON allows")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def open_for_reading(path: Path | str) -> BinaryIO:
    """Open a file for reading, with a `DataError` where that fails."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path, remedy="Check the path") from error
