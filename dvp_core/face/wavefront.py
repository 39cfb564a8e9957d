"""Reads the small part of Wavefront OBJ that face models use: vertices, texture coordinates, polygons of 3 or 4.

Materials, normals and groups are skipped. It is a reader of trusted-size text, not a general OBJ library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError

_REMEDY = "the file is cut or no OBJ of triangles and quads: fetch it again"


@dataclass(frozen=True)
class ObjMesh:
    """vertices (V, 3) float64, polygons (P, 4) int32 with -1 last for a triangle, uv (U, 2), polygon_uv (P, 4)."""

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    polygon_uv: np.ndarray


def read_obj(path: Path) -> ObjMesh:
    """The mesh of an OBJ file in its own units and vertex order."""
    lines = _read_lines(path)
    corners = [_corners(line, path) for line in lines if line.startswith("f ")]
    polygons = np.array([[corner[0] for corner in polygon] for polygon in corners], dtype=np.int32)
    polygon_uv = np.array([[corner[1] for corner in polygon] for polygon in corners], dtype=np.int32)
    vertices = _numbers(lines, "v ", 3, path)
    if not len(polygons) or polygons.max() >= len(vertices):
        raise DataError("a polygon names a vertex that does not exist", where=str(path), remedy=_REMEDY)
    return ObjMesh(vertices, polygons, _numbers(lines, "vt ", 2, path), polygon_uv)


def read_obj_vertices(path: Path) -> np.ndarray:
    """Only the vertices (V, 3) of an OBJ file."""
    return _numbers(_read_lines(path), "v ", 3, path)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="strict").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), remedy=_REMEDY) from error


def _numbers(lines: Iterable[str], prefix: str, width: int, path: Path) -> np.ndarray:
    rows = [line.split()[1 : width + 1] for line in lines if line.startswith(prefix)]
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"a line '{prefix}...' has no {width} numbers", where=str(path), remedy=_REMEDY) from error
    if values.shape != (len(rows), width) or not rows or not np.isfinite(values).all():
        raise DataError(f"a line '{prefix}...' has no {width} numbers", where=str(path), remedy=_REMEDY)
    return values


def _corners(line: str, path: Path) -> list[tuple[int, int]]:
    """Vertex and texture index of each corner, from 0, filled up with -1 to four corners."""
    fields = [corner.split("/") for corner in line.split()[1:]]
    try:
        corners = [(int(field[0]) - 1, int(field[1]) - 1) for field in fields]
    except (ValueError, IndexError) as error:
        raise DataError(f"cannot read the polygon '{line}'", where=str(path), remedy=_REMEDY) from error
    if len(corners) not in (3, 4) or min(min(corner) for corner in corners) < 0:
        raise DataError(f"polygon of {len(corners)} corners '{line}'", where=str(path), remedy=_REMEDY)
    return corners + [(-1, -1)] * (4 - len(corners))
