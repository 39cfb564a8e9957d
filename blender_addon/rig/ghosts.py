# SPDX-License-Identifier: GPL-3.0-or-later
"""Ghosts of the edited head at frames before and after the one that is shown (an onion skin).

What the head looks like at another frame is asked of Blender itself, in a scene made aside for that moment and removed
again: keys, layers, controls, constraints and drivers count, exactly as they will when that frame is reached, and the
scene that is shown keeps its frame and its pose. Nothing of this lies in the file, in a pass or in a render.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np

from .. import compat
from .reading import face_object_of
from .scene_aside import scene_aside

ASIDE = "Portrait Ghosts"
_MOST_FRAMES = 256  # kept of a rig; 75 MB for ICT-FaceKit's 24,591 vertices
_known: dict[str, dict[int, np.ndarray]] = {}  # vertices by rig's name and scene frame, until something changes


@dataclass(frozen=True)
class Ghost:
    """One ghost of a frame that is shown.

    Attributes:
        frame: The scene's frame at which the head looks like this.
        is_before: Whether that frame comes before the one shown.
        strength: 1 for the nearest, less for those further away.
    """

    frame: int
    is_before: bool
    strength: float


def ghosts_of(current: int, *, count: int, step: int, first: int, last: int) -> tuple[Ghost, ...]:
    """Return the ghosts of a frame, those furthest away first, so that the nearest are drawn over them.

    Args:
        current: The frame that is shown.
        count: How many on each side.
        step: Frames from one to the next.
        first: The scene's first frame; none lies before it.
        last: The scene's last frame.
    """
    found = []
    for number in range(count, 0, -1):
        strength = 1.0 - (number - 1) / count
        found += [Ghost(current + sign * number * step, sign < 0, strength) for sign in (-1, 1)]
    return tuple(ghost for ghost in found if first <= ghost.frame <= last)


def known_vertices(rig: bpy.types.Object, frame: int) -> np.ndarray | None:
    """Return the head at a scene frame (V, 3) in the world, or None where it is not known."""
    return _known.get(rig.name, {}).get(frame)


def look_at(rig: bpy.types.Object, frames: Iterable[int]) -> int:
    """Look at the scene frames that are not known, and return how many these were.

    Raises:
        DataError: The rig has lost its face.
    """
    kept = _known.setdefault(rig.name, {})
    missing = [frame for frame in dict.fromkeys(frames) if frame not in kept]
    for frame, vertices in vertices_at(rig, missing).items():
        while len(kept) >= _MOST_FRAMES:
            del kept[next(iter(kept))]
        kept[frame] = vertices
    return len(missing)


def forget_ghosts() -> None:
    """Drop what heads look like, since something changed."""
    _known.clear()


def vertices_at(rig: bpy.types.Object, frames: Iterable[int]) -> dict[int, np.ndarray]:
    """Return the evaluated face (V, 3) float32 in the world at each frame; the shown scene is not touched.

    Raises:
        DataError: The rig has lost its face.
    """
    face, wanted = face_object_of(rig), list(frames)
    if not wanted:
        return {}
    with scene_aside(ASIDE, rig.users_scene[0], rig, face) as scene:
        return {frame: _evaluated(face, scene, frame) for frame in wanted}


def edges_of(rig: bpy.types.Object) -> np.ndarray:
    """Return the face's edges (E, 2) int32.

    Raises:
        DataError: The rig has lost its face.
    """
    mesh = face_object_of(rig).data
    edges = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", edges)
    return edges.reshape(-1, 2)


def _evaluated(face: bpy.types.Object, scene: bpy.types.Scene, frame: int) -> np.ndarray:
    scene.frame_set(frame)
    evaluated = face.evaluated_get(scene.view_layers[0].depsgraph)
    matrix = np.array(evaluated.matrix_world, np.float32)
    return compat.vertex_positions(evaluated.data) @ matrix[:3, :3].T + matrix[:3, 3]
