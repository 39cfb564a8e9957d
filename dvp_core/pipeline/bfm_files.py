"""Reads the files in which the Basel Face Models are handed out: MATLAB's of 2009, HDF5 of 2017.

Each edition has its own units and names; what comes out is `BfmArrays`, in metres and linear colours. `scipy` and
`h5py` are the extra `bfm` and are imported only here, only when such a file is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading, take_array
from dvp_core.face.import_bfm import BfmArrays
from dvp_core.maths.colour import srgb_decode

METRES_2009 = 1e-6
METRES_2017 = 1e-3
_LIMIT_BYTES = 4 << 30
_HDF5_MAGIC = b"\x89HDF"
_NAMES_2009 = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")
_EXPRESSION_NAMES = ("expMU", "expPC", "expEV", "trimIndex")
_REMEDY_EXTRA = "Install the extra: pip install '.[bfm]'"


def read_bfm(path: Path | str, *, expressions: Path | str | None = None) -> BfmArrays:
    """Return the arrays of a Basel Face Model; which edition it is, its bytes tell.

    Args:
        path: `01_MorphableModel.mat` of 2009, or an `.h5` of 2017.
        expressions: For 2009 alone, which has none: `Exp_Pca.bin` or a `.mat` (see `read_expressions`).

    Raises:
        DataError: Another file, a damaged one, or a library is missing.
    """
    with open_for_reading(path) as stream:
        is_hdf5 = stream.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC
    if not is_hdf5:
        return _read_2009(path, expressions)
    if expressions is not None:
        raise DataError("brings its own expressions", where=path, remedy="Leave --expressions out")
    return _read_2017(path)


def _read_2009(path: Path | str, expressions: Path | str | None) -> BfmArrays:
    arrays = _read_mat(path, _NAMES_2009)
    numbers = {name: _finite(arrays, name, path) for name in _NAMES_2009[:-1]}
    vertices = _points(numbers["shapeMU"], path, "shapeMU")
    count = len(vertices)
    identity = _modes(numbers["shapePC"], numbers["shapeEV"], count, path, "shapePC")
    colour_modes = _modes(numbers["texPC"], numbers["texEV"], count, path, "texPC")
    colour = _points(numbers["texMU"], path, "texMU")
    offset, expression = np.zeros((count, 3)), np.zeros((0, count, 3), np.float32)
    if expressions is not None:
        offset, expression = read_expressions(expressions, count)
    return BfmArrays(
        id="bfm-2009",
        vertices=(vertices + offset) * METRES_2009,
        triangles=_triangles(_finite(arrays, "tl", path).astype(np.int64) - 1, count, path),
        identity=identity * np.float32(METRES_2009),
        expression=expression * np.float32(METRES_2009),
        **_linear_colours(colour / 255.0, colour_modes / 255.0),
    )


def _read_2017(path: Path | str) -> BfmArrays:
    h5py = _library("h5py", path)
    try:
        with h5py.File(path, "r") as file:
            shape, expression, colour = (_statistics(file, group, path) for group in ("shape", "expression", "color"))
            cells = _dataset(file, "shape/representer/cells", path)
    except OSError as error:
        raise DataError(f"cannot be read as HDF5 ({error})", where=path, remedy="Copy the file anew") from error
    count = len(shape[0])
    if len(expression[0]) != count or len(colour[0]) != count:
        raise DataError("its shape, expression and color differ in their vertices", where=path)
    triangles = cells.T if cells.ndim == 2 and cells.shape[0] == 3 else cells
    return BfmArrays(
        id="bfm-2017",
        vertices=(shape[0] + expression[0]) * METRES_2017,
        triangles=_triangles(triangles.astype(np.int64), count, path),
        identity=shape[1] * np.float32(METRES_2017),
        expression=expression[1] * np.float32(METRES_2017),
        **_linear_colours(colour[0], colour[1]),
    )


def _statistics(file: Any, group: str, path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (V, 3) and modes (K, V, 3) of one group, each mode one standard deviation."""
    names = ("mean", "pcaBasis", "pcaVariance")
    mean, basis, variance = (_dataset(file, f"{group}/model/{name}", path) for name in names)
    points = _points(mean, path, f"{group}/model/mean")
    if basis.ndim != 2 or variance.size != basis.shape[1] or (variance < 0).any():
        raise DataError(f"{group}/model holds {variance.size} variances for a basis {basis.shape}", where=path)
    deviation = np.sqrt(variance.ravel().astype(np.float64))
    scale = np.ones_like(deviation) if _is_scaled(basis, deviation, f"{group}/model/pcaBasis", path) else deviation
    return points, _modes(basis, scale, len(points), path, f"{group}/model/pcaBasis")


def _is_scaled(basis: np.ndarray, deviation: np.ndarray, name: str, path: Path | str) -> bool:
    """Whether a basis (3 V, K) holds its deviations (K,) already, as files of old versions of its format do.

    Columns without them have length one, or somewhat less where the mesh was cut from a larger one; columns with them
    are as long as the deviations, which differ by far more.
    """
    lengths = np.sqrt(np.einsum("ij,ij->j", basis, basis, dtype=np.float64))
    is_used = deviation > 1e-6 * deviation.max(initial=0.0)
    for is_scaled, relative in ((False, lengths), (True, lengths / np.maximum(deviation, 1e-12))):
        if ((relative[is_used] <= 1.01) & (relative[is_used] > 0.05)).all():
            return is_scaled
    raise DataError(
        f"{name} has columns of lengths {lengths.min():.3g} to {lengths.max():.3g}, neither one nor the deviations",
        where=path,
    )


def _dataset(file: Any, name: str, path: Path | str) -> np.ndarray:
    """Return a dataset after checking that it lies in this very file, holds numbers and is not too large."""
    try:
        dataset = file[name]
        is_own = dataset.file.id == file.id and not dataset.external and not dataset.is_virtual
        size, kind = dataset.size * dataset.dtype.itemsize, dataset.dtype.kind
    except (KeyError, AttributeError) as error:
        raise DataError(f"has no dataset '{name}'", where=path, remedy="Give an .h5 of BFM 2017") from error
    if not is_own or size > _LIMIT_BYTES or kind not in "fiu":
        raise DataError(f"dataset '{name}' is no array of numbers of this file, or too large", where=path)
    values = np.asarray(dataset[()])
    if not np.isfinite(values).all():
        raise DataError(f"dataset '{name}' holds NaN or infinity", where=path)
    return values


def read_expressions(path: Path | str, vertex_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (V, 3) and modes (E, V, 3) of expressions for BFM 2009, micrometres.

    `Exp_Pca.bin` is a count of modes, a mean and the modes; beside it lie `std_exp.txt` with its deviations and
    `BFM_exp_idx.mat` with the vertices of BFM 2009 that it covers (`trimIndex`, counted from 1). A `.mat` holds all of
    that as `expPC`, `expEV` and, where there are any, `expMU` and `trimIndex`.

    Raises:
        DataError: No such file, or it does not fit the model.
    """
    arrays = _read_expression_bin(Path(path)) if Path(path).suffix == ".bin" else _read_mat(path, _EXPRESSION_NAMES)
    basis, deviation = (_finite(arrays, name, path) for name in ("expPC", "expEV"))
    mean = _finite(arrays, "expMU", path) if "expMU" in arrays else np.zeros(len(basis))
    points = _points(mean, path, "expMU")
    modes = _modes(basis, deviation, len(points), path, "expPC")
    covered = np.arange(vertex_count)
    if "trimIndex" in arrays:
        covered = _finite(arrays, "trimIndex", path).astype(np.int64).ravel() - 1
    if len(covered) != len(points) or covered.min() < 0 or covered.max() >= vertex_count:
        raise DataError(
            f"moves {len(points)} vertices, which are not those of a model with {vertex_count}",
            where=path,
            remedy="Put BFM_exp_idx.mat beside it, or store its trimIndex in the .mat",
        )
    whole_mean, whole_modes = np.zeros((vertex_count, 3)), np.zeros((len(modes), vertex_count, 3), np.float32)
    whole_mean[covered], whole_modes[:, covered] = points, modes
    return whole_mean, whole_modes


def _read_expression_bin(path: Path) -> dict[str, np.ndarray]:
    deviations, indices = path.parent / "std_exp.txt", path.parent / "BFM_exp_idx.mat"
    for needed in (deviations, indices):
        if not needed.is_file():
            raise DataError("is missing", where=needed, remedy=f"It belongs beside {path.name}")
    with open_for_reading(path) as stream:
        count = int.from_bytes(stream.read(4), "little")
        values = np.frombuffer(stream.read(), dtype="<f4")
    if count < 1 or values.size % (3 * (count + 1)):
        raise DataError(f"does not hold a mean and {count} modes of vertices", where=path)
    mean, modes = np.split(values, [values.size // (count + 1)])
    try:
        deviation = np.loadtxt(deviations).ravel()
    except ValueError as error:
        raise DataError(f"is no text of numbers ({error})", where=deviations) from error
    arrays = {"expMU": mean, "expPC": modes.reshape(count, -1).T, "expEV": deviation[:count]}
    return arrays | _read_mat(indices, ("trimIndex",))


def _read_mat(path: Path | str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the named numeric arrays of a MATLAB file of version 5 or less; their sizes are checked before."""
    io = _library("scipy.io", path)
    open_for_reading(path).close()
    try:
        present = {name: shape for name, shape, _ in io.whosmat(str(path)) if name in tuple(names)}
        if sum(int(np.prod(shape, dtype=object)) * 8 for shape in present.values()) > _LIMIT_BYTES:
            raise DataError("claims more numbers than a face model holds", where=path)
        content = io.loadmat(str(path), variable_names=list(present))
    except (ValueError, TypeError, KeyError, OSError, EOFError, NotImplementedError, io.matlab.MatReadError) as error:
        raise DataError(
            f"cannot be read as a MATLAB file ({error})", where=path, remedy="Give the file as it was handed out"
        ) from error
    return {name: np.asarray(content[name]) for name in present if name in content}


def _library(name: str, path: Path | str) -> ModuleType:
    """Return a library of the extra `bfm`.

    Raises:
        DataError: It is not installed.
    """
    try:
        if name == "h5py":
            import h5py

            return h5py
        import scipy.io

        return scipy.io
    except ImportError as error:
        raise DataError(f"needs {name} to be read, which is not installed", where=path, remedy=_REMEDY_EXTRA) from error


def _finite(arrays: Mapping[str, np.ndarray], name: str, path: Path | str) -> np.ndarray:
    """Return the named array of any shape, float32 or as it is stored, after checking that it is finite numbers."""
    shape = arrays[name].shape if name in arrays else ()
    return take_array(arrays, name, shape, np.float32, where=path)


def _points(values: np.ndarray, path: Path | str, name: str) -> np.ndarray:
    """Return interleaved x, y, z as (V, 3) float64."""
    if not values.size or values.size % 3:
        raise DataError(f"'{name}' holds {values.size} numbers, not three for every vertex", where=path)
    return values.reshape(-1, 3).astype(np.float64)


def _modes(basis: np.ndarray, deviation: np.ndarray, vertex_count: int, path: Path | str, name: str) -> np.ndarray:
    """Return a basis (3 V, K) times its deviations (K,) as (K, V, 3) float32."""
    if basis.ndim != 2 or basis.shape[0] != 3 * vertex_count or deviation.size != basis.shape[1]:
        raise DataError(
            f"'{name}' has shape {basis.shape} for {vertex_count} vertices and {deviation.size} deviations", where=path
        )
    scaled = basis.astype(np.float32) * deviation.ravel().astype(np.float32)
    return np.ascontiguousarray(scaled.T).reshape(-1, vertex_count, 3)


def _triangles(numbers: np.ndarray, vertex_count: int, path: Path | str) -> np.ndarray:
    if numbers.ndim != 2 or numbers.shape[1] != 3 or not len(numbers):
        raise DataError(f"its triangles have shape {numbers.shape}", where=path)
    if numbers.min() < 0 or numbers.max() >= vertex_count:
        raise DataError(f"a triangle points outside the {vertex_count} vertices", where=path)
    return numbers.astype(np.int32)


def _linear_colours(encoded: np.ndarray, modes: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean (V, 3) and modes (R, V, 3) linear, from sRGB-encoded 0..1: the curve's slope at the mean."""
    mean = np.clip(encoded, 0.0, 1.0)
    step = 1e-4
    slope = (srgb_decode(mean + step) - srgb_decode(mean - step)) / (2 * step)
    return {"colour": srgb_decode(mean), "colour_modes": (modes * slope.astype(np.float32)).astype(np.float32)}
