# SPDX-License-Identifier: GPL-3.0-or-later
"""The colour pass live in the 3D view: what is drawn, how large and where; the engine only hands it to the screen.

The picture is the whole plate's, drawn by the function that F12 and the export use, at a reduced size; it lies where
the plate lies when one looks through the rig's camera. Other views have no plate to lie on, and are told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError

from ..rig.camera import pinhole_of
from ..rig.memory import remembered_take
from ..rig.reading import rig_of_scene
from .scene_passes import render_plate_color


@dataclass(frozen=True)
class Rectangle:
    """A part of a region, in its pixels from the lower left corner."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True)
class Preview:
    """What a 3D view shows.

    Attributes:
        picture: (H, W, 4) float32, scene-linear with premultiplied alpha, first row on top.
        corners_world: (4, 3) of the plate in the world, at 1 m from the camera.
        notes: Sentences for the user.
    """

    picture: np.ndarray
    corners_world: np.ndarray
    notes: tuple[str, ...]


def preview_of_scene(depsgraph: bpy.types.Depsgraph) -> Preview:
    """Return the colour pass of an evaluated scene for its 3D views.

    Raises:
        DataError: No rig, take or camera, or a rig that cannot be read.
    """
    scene = depsgraph.scene
    rig = rig_of_scene(scene)
    take = remembered_take(rig)
    size_wh = preview_size((take.clip.width_px, take.clip.height_px), scene.dvp.preview_px)
    picture, notes = render_plate_color(rig, depsgraph, size_wh)
    evaluated = rig.dvp_rig.camera.evaluated_get(depsgraph)
    matrix = np.array(evaluated.matrix_world)
    corners = plate_corners(pinhole_of(evaluated, take.camera)) @ matrix[:3, :3].T + matrix[:3, 3]
    return Preview(picture, corners, notes)


def check_view(scene: bpy.types.Scene, space: Any, region_3d: Any) -> None:
    """Check that a 3D view looks through the rig's camera.

    Raises:
        DataError: It does not, or the scene has no rig.
    """
    camera = rig_of_scene(scene).dvp_rig.camera
    seen = space.camera if space.use_local_camera else scene.camera
    if region_3d.view_perspective != "CAMERA" or camera is None or seen != camera:
        name = "the rig's camera" if camera is None else f"'{camera.name}'"
        raise DataError(
            "shows passes through the plate's camera only",
            where="Rendered shading",
            remedy=f"Look through {name} (numpad 0)",
        )


def preview_size(plate_wh: tuple[int, int], longest_px: int) -> tuple[int, int]:
    """Return width and height of the plate's shape whose longer side is as long as asked, and never the plate's own."""
    scale = min(1.0, longest_px / max(plate_wh))
    width, height = (max(1, round(side * scale)) for side in plate_wh)
    return width, height


def plate_corners(camera: Camera) -> np.ndarray:
    """Return (4, 3) the plate's corners in the axes of Blender's camera, 1 m before it."""
    (center_x, center_y), focal = camera.principal_px, camera.focal_px
    left, right = -center_x / focal, (camera.width_px - center_x) / focal
    top, bottom = center_y / focal, (center_y - camera.height_px) / focal
    return np.array([[left, top, -1.0], [right, top, -1.0], [right, bottom, -1.0], [left, bottom, -1.0]])


def rectangle_in_region(corners_world: np.ndarray, perspective: np.ndarray, region_wh: tuple[int, int]) -> Rectangle:
    """Return where the plate lies in a region that looks through its camera.

    Args:
        corners_world: (4, 3).
        perspective: (4, 4) from the world to clip space, the view's `perspective_matrix`.
        region_wh: The region's width and height in pixels.
    """
    clip = np.concatenate([corners_world, np.ones((4, 1))], axis=1) @ perspective.T
    places_px = (clip[:, :2] / clip[:, 3:] * 0.5 + 0.5) * np.array(region_wh)
    low, high = places_px.min(axis=0), places_px.max(axis=0)
    return Rectangle(*low.tolist(), *(high - low).tolist())
