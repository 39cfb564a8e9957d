"""Where the 68 landmarks lie on a model whose own file does not say so.

Three forms are read. A text file of 68 vertex numbers, counted from 0; `#` begins a comment. An archive with
`landmarks68`, the same numbers. An archive with the embedding that FLAME's makers hand out: triangles and barycentric
weights of all 68 points, or of the 51 inner points together with the sliding contour's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading, read_arrays, take_array

_LIMIT_BYTES = 64 << 20
_REMEDY = (
    "Give 68 vertex numbers from 0 in iBUG's order, as a text or as 'landmarks68' of an .npz, or FLAME's embedding"
)
# Names under which embeddings store triangles and weights, first of all 68 points, then of the inner 51.
_WHOLE_NAMES = (("full_lmk_faces_idx", "full_lmk_bary_coords"), ("lmk_face_idx", "lmk_b_coords"))
_INNER_NAMES = (("static_lmk_faces_idx", "static_lmk_bary_coords"),)
_CONTOUR_NAMES = ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords")


@dataclass(frozen=True)
class LandmarkPlaces:
    """The 68 points as weighted corners of triangles.

    Attributes:
        vertices: (68, 3) int32 vertex numbers.
        barycentric: (68, 3) float32 weights.
    """

    vertices: np.ndarray
    barycentric: np.ndarray

    def on(self, vertices: np.ndarray) -> np.ndarray:
        """Return the points (68, 3) on vertices (V, 3)."""
        return np.einsum("lc,lcx->lx", self.barycentric.astype(np.float64), vertices[self.vertices])


def read_landmark_places(path: Path | str, triangles: np.ndarray, vertex_count: int) -> LandmarkPlaces:
    """Return the landmarks' places on a mesh.

    Args:
        path: A text or an archive, see the module.
        triangles: (T, 3) of the mesh, which embeddings count.
        vertex_count: V of the mesh.

    Raises:
        DataError: None of the known forms, or it points outside the mesh.
    """
    with open_for_reading(path) as stream:
        is_archive = stream.read(2) == b"PK"
    if not is_archive:
        return _from_numbers(_numbers_of_text(path), vertex_count, path)
    arrays = read_arrays(path, limit_bytes=_LIMIT_BYTES)
    if "landmarks68" in arrays:
        return _from_numbers(take_array(arrays, "landmarks68", (68,), np.int64, where=path), vertex_count, path)
    return _from_embedding(arrays, triangles, path)


def _numbers_of_text(path: Path | str) -> np.ndarray:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return np.array([int(word) for line in lines for word in line.partition("#")[0].split()], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"is no text of vertex numbers ({error})", where=path, remedy=_REMEDY) from error


def _from_numbers(numbers: np.ndarray, vertex_count: int, path: Path | str) -> LandmarkPlaces:
    if numbers.shape != (68,):
        raise DataError(f"holds {numbers.size} vertex numbers, expected 68", where=path, remedy=_REMEDY)
    if numbers.min() < 0 or numbers.max() >= vertex_count:
        outside = int(numbers.max() if numbers.max() >= vertex_count else numbers.min())
        raise DataError(f"names vertex {outside} of a mesh with {vertex_count}", where=path, remedy=_REMEDY)
    weights = np.tile(np.array([1, 0, 0], dtype=np.float32), (68, 1))
    return LandmarkPlaces(np.tile(numbers[:, None], (1, 3)).astype(np.int32), weights)


def _from_embedding(arrays: Mapping[str, np.ndarray], triangles: np.ndarray, path: Path | str) -> LandmarkPlaces:
    inner: tuple[np.ndarray, np.ndarray] | None = None
    for faces_name, weights_name in (*_WHOLE_NAMES, *_INNER_NAMES):
        if faces_name not in arrays or weights_name not in arrays:
            continue
        faces, weights = arrays[faces_name].reshape(-1), arrays[weights_name].reshape(-1, 3)
        if len(faces) == 68:
            return _from_triangles(faces, weights, triangles, path)
        inner = (faces, weights)
    if inner is None:
        raise DataError("holds no landmarks under a known name", where=path, remedy=_REMEDY)
    contour = _frontal_contour(arrays, path)
    faces, weights = (np.concatenate([first, second]) for first, second in zip(contour, inner, strict=True))
    return _from_triangles(faces, weights, triangles, path)


def _frontal_contour(arrays: Mapping[str, np.ndarray], path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Return the 17 contour points of a head seen from the front, the first of the sliding contour's rows."""
    faces, weights = (arrays.get(name) for name in _CONTOUR_NAMES)
    if faces is None or weights is None:
        raise DataError("holds the 51 inner landmarks alone, 68 are needed", where=path, remedy=_REMEDY)
    if faces.ndim != 2 or faces.shape[1] != 17 or weights.shape != (*faces.shape, 3):
        raise DataError(f"holds a contour of shape {faces.shape}, expected 17 points a row", where=path, remedy=_REMEDY)
    return faces[0], weights[0]


def _from_triangles(faces: np.ndarray, weights: np.ndarray, triangles: np.ndarray, path: Path | str) -> LandmarkPlaces:
    if faces.shape != (68,) or weights.shape != (68, 3) or faces.dtype.kind not in "iu" or weights.dtype.kind != "f":
        raise DataError(f"places {len(faces)} landmarks, expected 68", where=path, remedy=_REMEDY)
    if faces.min() < 0 or faces.max() >= len(triangles):
        raise DataError(f"names triangle {faces.max()} of a mesh with {len(triangles)}", where=path, remedy=_REMEDY)
    if not np.isfinite(weights).all() or np.abs(weights.sum(axis=1) - 1).max() > 1e-3:
        raise DataError("holds barycentric weights that do not add up to one", where=path, remedy=_REMEDY)
    return LandmarkPlaces(triangles[faces.astype(np.int64)].astype(np.int32), weights.astype(np.float32))
