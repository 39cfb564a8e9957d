"""Reads the numbers out of a pickle without letting it run anything, in a process of its own.

FLAME is handed out as a pickle. A pickle is a program: it may name any function of any module. The child process
(`python -m dvp_core.pipeline.pickled_arrays`) answers a short list of names, refuses every other, limits its memory
and time, and leaves a plain archive of numbers. Nothing but that archive is read by anyone else.
"""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading, write_arrays

TIME_LIMIT_S = 120
MEMORY_LIMIT_BYTES = 4 << 30
FILE_LIMIT_BYTES = 2 << 30
_DENSE_LIMIT = 50_000_000
_NPY_MAGIC = b"\x93NUMPY"
_REMEDY = "Use the file as its makers hand it out, or give an .npz of plain arrays"


class Bag:
    """Stands in for an object of a library that is not needed: it keeps the state and can do nothing."""


class ChumpyArray(Bag):
    """In place of `chumpy.Ch`: its numbers are the attribute `x`."""


class SparseColumns(Bag):
    """In place of `scipy.sparse.csc_matrix`: `data`, `indices`, `indptr` and `_shape`."""


def plain_archive(path: Path | str, folder: Path) -> Path:
    """Return an archive of plain arrays: the file itself where it is one, else what its pickle holds, in `folder`.

    Args:
        path: An `.npz`, a pickle, or a `.npy` of Python objects.
        folder: Where a new archive is written.

    Raises:
        DataError: The file is missing, names something outside the list, or takes too much time or memory.
    """
    source = Path(path)
    open_for_reading(source).close()
    if zipfile.is_zipfile(source):
        return source
    target = folder / f"{source.stem}.plain.npz"
    words = [sys.executable, "-m", "dvp_core.pipeline.pickled_arrays", str(source), str(target)]
    try:
        child = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"takes longer than {TIME_LIMIT_S} s to read", where=source, remedy=_REMEDY) from error
    if child.returncode != 0:
        raise DataError(_reason(child), where=source, remedy=_REMEDY)
    return target


def _reason(child: subprocess.CompletedProcess[str]) -> str:
    """Return what the child said was wrong; one that was stopped says nothing."""
    try:
        return str(json.loads(child.stdout)["error"])
    except (ValueError, KeyError, TypeError):
        return f"ended its reader with code {child.returncode}"


def read_pickled_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """Return the arrays of a pickled dictionary of arrays, under their names; values of other kinds are left out.

    Raises:
        DataError: The pickle names something outside the list, is damaged, or holds no such dictionary.
    """
    with open_for_reading(path) as stream:
        _skip_array_header(stream, path)
        content = _loaded(stream, path)
    if isinstance(content, np.ndarray) and content.dtype == object and content.size == 1:
        content = content.reshape(-1)[0]
    if not isinstance(content, dict):
        raise DataError("holds no dictionary of arrays", where=path, remedy=_REMEDY)
    arrays = {str(name): _as_numbers(value, str(name), path) for name, value in content.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def _loaded(stream: BinaryIO, path: Path | str) -> Any:
    try:
        return _ListedUnpickler(stream, encoding="latin1").load()
    except DataError as error:
        raise DataError(error.what, where=path, remedy=_REMEDY) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise DataError(f"is no pickle that can be read ({error})", where=path, remedy=_REMEDY) from error


def _skip_array_header(stream: BinaryIO, path: Path | str) -> None:
    """Move past the header of a `.npy` of objects, behind which a pickle lies."""
    start = stream.read(len(_NPY_MAGIC))
    stream.seek(0)
    if start != _NPY_MAGIC:
        return
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = reader(stream)
    except ValueError as error:
        raise DataError(f"is no numpy array ({error})", where=path) from error
    if not dtype.hasobject:
        raise DataError(f"is one array of {dtype} without names", where=path, remedy=_REMEDY)


def _encoded(text: str, encoding: str = "utf-8") -> bytes:
    """Return bytes that an old protocol wrote as text: the one use of `_codecs.encode` there is."""
    if encoding not in ("latin1", "latin-1"):
        raise DataError(f"encodes text as {encoding!r}")
    return text.encode("latin1")


def _new_object(kind: type, base: type, state: object) -> object:
    """Return an empty stand-in, where old protocols call `copyreg._reconstructor`."""
    if not (isinstance(kind, type) and issubclass(kind, Bag)) or base is not object or state is not None:
        raise DataError(f"makes an object of {kind!r} in an unusual way")
    return kind()


def _listed() -> dict[tuple[str, str], Any]:
    """Return all that a pickle may name, by module and name, in old and new spellings."""
    listed: dict[tuple[str, str], Any] = {
        ("copyreg", "_reconstructor"): _new_object,
        ("builtins", "object"): object,
        ("builtins", "set"): set,
        ("_codecs", "encode"): _encoded,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }
    reconstruct, _, _ = np.empty(0).__reduce__()
    scalar, _ = np.float64(0).__reduce__()
    for core in ("numpy.core", "numpy._core"):
        listed |= {
            (f"{core}.multiarray", "_reconstruct"): reconstruct,
            (f"{core}.multiarray", "scalar"): scalar,
        }
    for module in ("scipy.sparse.csc", "scipy.sparse._csc", "scipy.sparse"):
        listed[module, "csc_matrix"] = SparseColumns
    for module in ("chumpy", "chumpy.ch"):
        listed[module, "Ch"] = ChumpyArray
    return listed


class _ListedUnpickler(pickle.Unpickler):
    """An unpickler to which nothing exists but what `_listed` holds."""

    _known = _listed()
    _renamed: ClassVar[dict[str, str]] = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # since Python 2

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the stand-in or function of that name.

        Raises:
            DataError: It is not on the list.
        """
        key = (self._renamed.get(module, module), name)
        if key not in self._known:
            raise DataError(f"asks for {module}.{name}, which is not allowed: it could run anything")
        return self._known[key]


def _as_numbers(value: Any, name: str, path: Path | str) -> np.ndarray | None:
    """Return a value as an array of numbers; None where it is of another kind."""
    if isinstance(value, ChumpyArray):
        value = vars(value).get("x")
        if not isinstance(value, np.ndarray):
            raise DataError(f"'{name}' is a chumpy array without numbers", where=path, remedy=_REMEDY)
    if isinstance(value, SparseColumns):
        return _dense(vars(value), name, path)
    if isinstance(value, list | tuple):
        try:
            value = np.asarray(value)
        except ValueError:
            return None
    if isinstance(value, np.ndarray | np.number) and np.asarray(value).dtype.kind in "biuf":
        return np.asarray(value)
    return None


def _dense(state: dict[str, Any], name: str, path: Path | str) -> np.ndarray:
    """Return a sparse matrix as an ordinary one, its indices checked."""
    try:
        row_count, column_count = (int(length) for length in state["_shape"])
        starts, rows, values = (np.asarray(state[key]) for key in ("indptr", "indices", "data"))
        is_sound = (
            min(row_count, column_count) >= 0
            and row_count * column_count <= _DENSE_LIMIT
            and starts.shape == (column_count + 1,)
            and math.prod(rows.shape) == math.prod(values.shape) == int(starts[-1])
            and (np.diff(starts) >= 0).all()
            and int(starts[0]) == 0
            and (not rows.size or (rows.min() >= 0 and rows.max() < row_count))
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"'{name}' is no sparse matrix that can be read", where=path, remedy=_REMEDY) from error
    if not is_sound:
        raise DataError(f"'{name}' is a sparse matrix that points outside itself", where=path, remedy=_REMEDY)
    matrix = np.zeros((row_count, column_count))
    np.add.at(matrix, (rows.astype(np.int64), np.repeat(np.arange(column_count), np.diff(starts))), values)
    return matrix


def _limit_this_process() -> None:
    """Limit memory, processor time and the size of files of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's clock remains.
        return
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CPU, TIME_LIMIT_S),
        (resource.RLIMIT_FSIZE, FILE_LIMIT_BYTES),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def main(words: list[str]) -> int:
    """Convert the pickle `words[0]` to the archive `words[1]`; what is wrong is printed as JSON."""
    source, target = words
    _limit_this_process()
    try:
        write_arrays(target, read_pickled_arrays(source))
        return 0
    except DataError as error:
        reason = error.what
    except MemoryError:
        reason = f"cannot be read within {MEMORY_LIMIT_BYTES >> 30} GiB of memory"
    sys.stdout.write(json.dumps({"error": reason}) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
