"""A parametric face as arrays, and its file form `*.face.npz`.

The arrays are a noun that crosses walls (a take carries its face), so they live here; what a face *does* (evaluation,
posing, importers, the built-in head) lives in `dvp_core/face`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, read_header, sha256_of_arrays, take_array, write_arrays

FORMAT_VERSION = 1
LEFT, RIGHT = 0, 1  # the subject's; the order of every per-eye array


@dataclass(frozen=True)
class FaceModel:
    """Vertices = `vertices` + identity . `identity_basis` + expression . `expression_basis`, in head space, metres.

    One identity or reflectance coefficient is one standard deviation; a named expression runs 0..1.

    Attributes:
        id: Short name of the model, such as "built-in" or "ict-facekit".
        vertices: (V, 3) float64, the mean face at rest.
        polygons: (P, 4) int32 vertex numbers, counter-clockwise from outside; a triangle ends in -1.
        uv: (U, 2) float32 texture coordinates, v up.
        polygon_uv: (P, 4) int32 numbers into `uv`; a triangle ends in -1.
        identity_basis: (I, V, 3) float32.
        expression_basis: (E, V, 3) float32.
        expression_names: E names, canonical ARKit camelCase where the model has them.
        reflectance_mean: (V, 3) float32, linear Rec.709.
        reflectance_basis: (R, V, 3) float32.
        correspondence: (V, 3) float32, each vertex's place in the mean face's bounding box, 0..1.
        region_ids: (V,) uint8, numbers into `region_names`.
        region_names: Names of the regions ("face", "neck", "teeth", ...).
        landmark_vertices: (68, 3) int32 vertex numbers of the iBUG points' triangles.
        landmark_barycentric: (68, 3) float32 weights of these.
        eye_centers: (2, 3) float64, centres of rotation of the left and right eyeball.
        eye_radii: (2,) float64.
        eye_ranges: (2, 2) int32, first and one past the last vertex of each eyeball.
        iris_radii: (2,) float64, radius of the visible iris.
    """

    id: str
    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    polygon_uv: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    reflectance_mean: np.ndarray
    reflectance_basis: np.ndarray
    correspondence: np.ndarray
    region_ids: np.ndarray
    region_names: tuple[str, ...]
    landmark_vertices: np.ndarray
    landmark_barycentric: np.ndarray
    eye_centers: np.ndarray
    eye_radii: np.ndarray
    eye_ranges: np.ndarray
    iris_radii: np.ndarray

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.vertices)

    @property
    def identity_count(self) -> int:
        """I; zero in a take's own face."""
        return len(self.identity_basis)

    @property
    def expression_count(self) -> int:
        """E."""
        return len(self.expression_basis)

    @cached_property
    def triangles(self) -> np.ndarray:
        """(T, 3) int32: quads a-b-c-d become a-b-c and a-c-d, in the polygons' order."""
        corners = self.polygons
        pairs = np.stack([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
        return np.ascontiguousarray(pairs[pairs[:, 2] >= 0])

    @cached_property
    def sha256(self) -> str:
        """Hash over all arrays and names; two models with equal hash give equal pictures."""
        names = "\n".join((self.id, *self.expression_names, "", *self.region_names))
        arrays = _arrays_of(self) | {"names": np.frombuffer(names.encode(), dtype=np.uint8)}
        return sha256_of_arrays(arrays)

    def region(self, *names: str) -> np.ndarray:
        """Return (V,) bool, true for vertices of the named regions."""
        ids = [number for number, name in enumerate(self.region_names) if name in names]
        return np.isin(self.region_ids, ids)

    def baked(self, identity: np.ndarray) -> FaceModel:
        """Return the face of one person: identity applied, no identity modes left, eyes moved along.

        Args:
            identity: (I,) coefficients in standard deviations.
        """
        offsets = np.tensordot(np.asarray(identity, np.float64), self.identity_basis.astype(np.float64), axes=1)
        eye_shift = np.stack([offsets[start:stop].mean(axis=0) for start, stop in self.eye_ranges])
        return replace(
            self,
            vertices=self.vertices + offsets,
            identity_basis=np.zeros((0, self.vertex_count, 3), np.float32),
            eye_centers=self.eye_centers + eye_shift,
        )


_SHAPES: dict[str, tuple[tuple[str | int, ...], type[np.generic]]] = {
    "vertices": (("V", 3), np.float64),
    "polygons": (("P", 4), np.int32),
    "uv": (("U", 2), np.float32),
    "polygon_uv": (("P", 4), np.int32),
    "identity_basis": (("I", "V", 3), np.float32),
    "expression_basis": (("E", "V", 3), np.float32),
    "reflectance_mean": (("V", 3), np.float32),
    "reflectance_basis": (("R", "V", 3), np.float32),
    "correspondence": (("V", 3), np.float32),
    "region_ids": (("V",), np.uint8),
    "landmark_vertices": ((68, 3), np.int32),
    "landmark_barycentric": ((68, 3), np.float32),
    "eye_centers": ((2, 3), np.float64),
    "eye_radii": ((2,), np.float64),
    "eye_ranges": ((2, 2), np.int32),
    "iris_radii": ((2,), np.float64),
}


def _arrays_of(model: FaceModel) -> dict[str, np.ndarray]:
    return {item.name: getattr(model, item.name) for item in fields(model) if item.name in _SHAPES}


def face_arrays(model: FaceModel, *, is_compact: bool = False) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return a model's arrays and header; `is_compact` stores the expression basis as float16, as takes do."""
    arrays = _arrays_of(model)
    if is_compact:
        arrays["expression_basis"] = arrays["expression_basis"].astype(np.float16)
    header = {
        "version": FORMAT_VERSION,
        "id": model.id,
        "expression_names": list(model.expression_names),
        "region_names": list(model.region_names),
    }
    return arrays, header


def face_from_arrays(arrays: Mapping[str, np.ndarray], header: object, *, where: str | Path) -> FaceModel:
    """Return the model stored as `face_arrays` gives it, every array checked.

    Raises:
        DataError: A field is missing, of another shape, not finite or out of range.
    """
    if not isinstance(header, dict) or header.get("version") != FORMAT_VERSION:
        raise DataError(f"is no face model of version {FORMAT_VERSION}", where=where)
    lengths: dict[str, int] = {}
    checked = {name: _checked(arrays, name, lengths, where) for name in _SHAPES}
    model = FaceModel(
        id=str(header.get("id")),
        expression_names=_names(header, "expression_names", where),
        region_names=_names(header, "region_names", where),
        **checked,
    )
    _check_numbers(model, where)
    return model


def _checked(arrays: Mapping[str, np.ndarray], name: str, lengths: dict[str, int], where: str | Path) -> np.ndarray:
    symbols, dtype = _SHAPES[name]
    expected = tuple(length if isinstance(length, int) else lengths.get(length) for length in symbols)
    array = take_array(arrays, name, expected, dtype, where=where)
    for symbol, length in zip(symbols, array.shape, strict=True):
        if isinstance(symbol, str):
            lengths[symbol] = length
    return array


def _names(header: dict[str, object], key: str, where: str | Path) -> tuple[str, ...]:
    names = header.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"header field '{key}' is no list of names", where=where)
    if len(set(names)) != len(names):
        raise DataError(f"header field '{key}' names one thing twice", where=where)
    return tuple(names)


def _check_numbers(model: FaceModel, where: str | Path) -> None:
    """Refuse numbers that point outside their arrays."""
    limits = {
        "polygons": (-1, model.vertex_count),
        "polygon_uv": (-1, len(model.uv)),
        "landmark_vertices": (0, model.vertex_count),
        "eye_ranges": (0, model.vertex_count + 1),
        "region_ids": (0, len(model.region_names)),
    }
    for name, (low, high) in limits.items():
        values = getattr(model, name)
        if values.size and (int(values.min()) < low or int(values.max()) >= high):
            raise DataError(f"field '{name}' points outside {low}..{high - 1}", where=where)
    if model.polygons.size and int(model.polygons[:, :3].min()) < 0:
        raise DataError("field 'polygons' has a polygon of fewer than three corners", where=where)
    if len(model.expression_names) != model.expression_count:
        raise DataError(
            f"names {len(model.expression_names)} expressions but holds {model.expression_count}", where=where
        )
    if (model.eye_ranges[:, 1] <= model.eye_ranges[:, 0]).any():
        raise DataError("field 'eye_ranges' holds an empty eyeball", where=where)


def write_face_model(path: Path | str, model: FaceModel) -> None:
    """Write a `*.face.npz`."""
    arrays, header = face_arrays(model)
    write_arrays(path, arrays, header=header)


def read_face_model(path: Path | str) -> FaceModel:
    """Read a `*.face.npz`.

    Raises:
        DataError: No such file, or not a face model.
    """
    return face_from_arrays(read_arrays(path), read_header(path), where=path)
