"""The binary side of glTF 2.0: accessors in one buffer, and the `.glb` that holds them.

Everything is little-endian and starts on a multiple of four bytes (glTF 2.0, sections 3.6 and 4.4).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOAT, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5123, 5125
_ELEMENT_ARRAY, _ARRAY = 34963, 34962
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_MAGIC, _VERSION, _JSON, _BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942


@dataclass(frozen=True)
class Buffer:
    """Collects arrays and hands out the numbers of their accessors.

    Attributes:
        views: glTF's bufferViews.
        accessors: glTF's accessors.
        parts: The bytes of each view.
    """

    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)

    def vertices(self, values: np.ndarray, *, has_bounds: bool = False) -> int:
        """Add an attribute of vertices (N, 2..4), as float32."""
        values = np.ascontiguousarray(values, np.float32)
        return self._accessor(values, FLOAT, view=self._view(values, _ARRAY), has_bounds=has_bounds)

    def indices(self, triangles: np.ndarray, vertex_count: int) -> int:
        """Add triangles (T, 3) as a list of vertex numbers."""
        values, component = _unsigned(triangles.ravel(), vertex_count)
        return self._accessor(values, component, view=self._view(values, _ELEMENT_ARRAY))

    def curve(self, values: np.ndarray, *, has_bounds: bool = False) -> int:
        """Add what an animation reads, (F,) or (F, 3..4), as float32."""
        values = np.ascontiguousarray(values, np.float32)
        return self._accessor(values, FLOAT, view=self._view(values, None), has_bounds=has_bounds)

    def offsets(self, values: np.ndarray) -> int:
        """Add a morph target's offsets (N, 3): whole, or only those that are not 0, whichever is smaller."""
        values = np.ascontiguousarray(values, np.float32)
        rows = np.flatnonzero(values.any(axis=1))
        numbers, component = _unsigned(rows, len(values))
        if len(rows) * 12 + numbers.nbytes >= values.nbytes:
            return self.vertices(values, has_bounds=True)
        number = self._accessor(values, FLOAT, view=None, has_bounds=True)
        if len(rows):
            self.accessors[number]["sparse"] = {
                "count": len(rows),
                "indices": {"bufferView": self._view(numbers, None), "componentType": component},
                "values": {"bufferView": self._view(np.ascontiguousarray(values[rows]), None)},
            }
        return number

    def _view(self, values: np.ndarray, target: int | None) -> int:
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        start = sum(len(part) for part in self.parts)
        view = {"buffer": 0, "byteOffset": start, "byteLength": len(content)}
        self.views.append(view if target is None else view | {"target": target})
        self.parts.append(content + bytes(-len(content) % 4))
        return len(self.views) - 1

    def _accessor(self, values: np.ndarray, component: int, *, view: int | None, has_bounds: bool = False) -> int:
        columns = values.reshape(len(values), -1)
        accessor: dict[str, Any] = {
            "componentType": component,
            "count": len(values),
            "type": _KINDS[columns.shape[1]],
        }
        if view is not None:
            accessor["bufferView"] = view
        if has_bounds:
            accessor["min"] = [float(value) for value in columns.min(axis=0)]
            accessor["max"] = [float(value) for value in columns.max(axis=0)]
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _unsigned(numbers: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """Return whole numbers below `limit` in the smaller type that holds them; the largest value is reserved."""
    if limit < 1 << 16:
        return numbers.astype(np.uint16), UNSIGNED_SHORT
    return numbers.astype(np.uint32), UNSIGNED_INT


def glb_bytes(document: dict[str, Any], buffer: Buffer) -> bytes:
    """Return a `.glb` of a glTF document whose arrays are in `buffer`."""
    binary = b"".join(buffer.parts)
    whole = document | {
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(binary), _BINARY) + binary
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks
