# SPDX-License-Identifier: GPL-3.0-or-later
"""The outlines by which control bones are drawn and picked: small meshes of edges, made in code, shared by all rigs.

They lie in the X-Y plane of their bone (z out of the face) and are one unit wide; a bone scales them to metres.
"""

from __future__ import annotations

from typing import TypeAlias

import bpy
import numpy as np

from .control_table import Widget

Outline: TypeAlias = tuple[np.ndarray, list[tuple[int, int]]]
_PREFIX = "Portrait widget "
_ROUND = 24
# Middles of the board's slots and their length, in widths of the board; by rows from above, as seen from the front.
BOARD_SLOTS = tuple((0.25 * column - 0.375, 0.25 - 0.5 * row) for row in range(2) for column in range(4))
BOARD_SLOT_LENGTH = 1 / 3
_LETTER_SIZE = 0.04


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


def board_object(
    labels: tuple[tuple[str, float, float], ...], slots: tuple[tuple[float, float], ...]
) -> bpy.types.Object:
    """Return a new object that draws a face board: its edge, a line for each slider, and words.

    Args:
        labels: Words and the middles of their base lines, in widths of the board.
        slots: Middles of the sliders' ways.
    """
    half = BOARD_SLOT_LENGTH / 2
    lines = [_open(np.array([[x, y - half], [x, y + half]])) for x, y in slots]
    words = [_moved(_lettering(text), x, y) for text, x, y in labels]
    points, edges = _together([_OUTLINES["square"], *lines, *words])
    mesh = bpy.data.meshes.new(_PREFIX + "board")
    mesh.from_pydata(np.pad(points, ((0, 0), (0, 1))).tolist(), edges, [])
    return bpy.data.objects.new(mesh.name, mesh)


def _lettering(text: str) -> Outline:
    """Return the outlines of a word in Blender's own font, centred on its base line."""
    curve = bpy.data.curves.new("Lettering", "FONT")
    curve.body, curve.size, curve.align_x = text, _LETTER_SIZE, "CENTER"
    curve.fill_mode, curve.resolution_u = "NONE", 2
    carrier = bpy.data.objects.new("Lettering", curve)
    mesh = carrier.to_mesh()
    points = np.array([vertex.co[:2] for vertex in mesh.vertices])
    edges = [(edge.vertices[0], edge.vertices[1]) for edge in mesh.edges]
    carrier.to_mesh_clear()
    bpy.data.objects.remove(carrier)
    bpy.data.curves.remove(curve)
    return points, edges


def _moved(outline: Outline, x: float, y: float) -> Outline:
    return outline[0] + np.array([x, y]), outline[1]


def _together(outlines: list[Outline]) -> Outline:
    starts = np.cumsum([0] + [len(points) for points, _ in outlines]).tolist()
    edges = [
        (start + first, start + second)
        for start, (_, own) in zip(starts, outlines, strict=False)
        for first, second in own
    ]
    return np.concatenate([points for points, _ in outlines]), edges


def _closed(points: np.ndarray) -> Outline:
    count = len(points)
    return points, [(number, (number + 1) % count) for number in range(count)]


def _open(points: np.ndarray) -> Outline:
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


_OUTLINES: dict[Widget, Outline] = {
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
}
