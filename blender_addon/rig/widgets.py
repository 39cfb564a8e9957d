# SPDX-License-Identifier: GPL-3.0-or-later
"""The outlines by which control bones are drawn and picked: small meshes of edges, made in code, shared by all rigs.

They lie in the X-Y plane of their bone (z out of the face) and are one unit wide; a bone scales them to metres.
"""

from __future__ import annotations

import bpy
import numpy as np

from .control_table import Widget

_PREFIX = "Portrait widget "
_ROUND = 24
# Middles of the board's slots and their length, in widths of the board; by rows from above, as seen from the front.
BOARD_SLOTS = tuple((0.25 * column - 0.375, 0.25 - 0.5 * row) for row in range(2) for column in range(4))
BOARD_SLOT_LENGTH = 1 / 3


def widget_object(widget: Widget) -> bpy.types.Object:
    """Return the object that draws a widget, made once per file; it is in no scene."""
    name = _PREFIX + widget
    known = bpy.data.objects.get(name)
    if known is not None and known.type == "MESH":
        return known
    points, edges = _OUTLINES[widget]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.pad(points, ((0, 0), (0, 3 - points.shape[1]))).tolist(), edges, [])
    return bpy.data.objects.new(name, mesh)


def _closed(points: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    count = len(points)
    return points, [(number, (number + 1) % count) for number in range(count)]


def _open(points: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    return points, [(number, number + 1) for number in range(len(points) - 1)]


def _arc(start_deg: float, stop_deg: float, count: int = _ROUND) -> np.ndarray:
    angles = np.radians(np.linspace(start_deg, stop_deg, count))
    return 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _circle() -> np.ndarray:
    return _arc(0, 360, _ROUND + 1)[:-1]


def _rectangle(width: float, height: float) -> np.ndarray:
    return 0.5 * np.array([[-width, -height], [width, -height], [width, height], [-width, height]])


def _four_arrows() -> np.ndarray:
    """A plus sign whose outline is walked once."""
    arm, half = 0.5, 0.15
    quarter = np.array([[arm, -half], [arm, half], [half, half]])
    turns = [np.array([[c, -s], [s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate([quarter @ turn.T for turn in turns])


def _slots() -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The board: its edge, and a line along which each slider moves."""
    corners, edges = _closed(_rectangle(1.0, 1.0))
    half = BOARD_SLOT_LENGTH / 2
    lines = [(x, y + end) for x, y in BOARD_SLOTS for end in (-half, half)]
    edges += [(4 + 2 * number, 5 + 2 * number) for number in range(len(BOARD_SLOTS))]
    return np.concatenate([corners, np.array(lines)]), edges


_OUTLINES: dict[Widget, tuple[np.ndarray, list[tuple[int, int]]]] = {
    "dot": _closed(_circle()),
    "head": _closed(_circle() * [0.8, 1.0]),
    "mouth": _closed(_circle() * [1.0, 0.6]),
    "aim": _closed(_circle() * [1.0, 0.4]),
    "neck": _closed(_circle() @ np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])),
    "cross": _closed(_four_arrows()),
    "bar": _closed(_rectangle(1.0, 0.3)),
    "arc": _open(_arc(20, 160)),
    "cup": _open(_arc(200, 340)),
    "square": _closed(_rectangle(1.0, 1.0)),
    "slider": _closed(_rectangle(1.0, 0.35)),
    "board": _slots(),
}
