# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the preview over the plate in the camera's view, with the word 'synthetic' on it and a mark where it is stale.

Blender calls `draw_overlay` whenever a 3D view is drawn, in a window only: without one there is no graphics card to
draw with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from dvp_core.maths.colour import srgb_decode

from .. import compat
from .picture import ShownPreview, shown_preview
from .placing import Rectangle, Wiped, crop_rectangle, plate_rectangle, wiped

_FRESH = (1.0, 1.0, 1.0, 0.6)
_STALE = (1.0, 0.5, 0.1, 1.0)
_LETTERS_PX = 14
_MARGIN_PX = 6


def draw_overlay() -> None:
    """Draw the preview into the 3D view that is being drawn, where it belongs there."""
    context, shown = bpy.context, shown_preview()
    if shown is None or not _is_wanted(context, shown):
        return
    square = preview_rectangle(context, shown)
    part = None if square is None else wiped(square, context.window_manager.dvp_preview.wipe)
    if square is None or part is None:
        return
    gpu.state.blend_set("ALPHA")
    _draw_picture(shown, part)
    color = _STALE if shown.is_stale else _FRESH
    if part.line_x is not None:
        _draw_line([(part.line_x, square.bottom), (part.line_x, square.top)], _FRESH)
    if shown.is_stale:
        corners = part.rectangle.corners
        _draw_line([*corners, corners[0]], color)
    _draw_words("synthetic - stale" if shown.is_stale else "synthetic", part.rectangle, color)
    gpu.state.blend_set("NONE")


def _is_wanted(context: bpy.types.Context, shown: ShownPreview) -> bool:
    view = context.space_data
    is_playing = context.screen is not None and context.screen.is_animation_playing
    is_on = context.window_manager.dvp_preview.is_shown and view.overlay.show_overlays
    return is_on and not is_playing and shown.scene_name == context.scene.name


def preview_rectangle(context: bpy.types.Context, shown: ShownPreview) -> Rectangle | None:
    """Return where the preview's square lies in the view; None where the view looks not through the plate's camera."""
    camera = _camera_looked_through(context, shown)
    if camera is None:
        return None
    matrix = camera.matrix_world
    points = [
        location_3d_to_region_2d(context.region, context.region_data, matrix @ corner)
        for corner in camera.data.view_frame(scene=context.scene)
    ]
    if any(point is None for point in points):
        return None
    across, upward = [point[0] for point in points], [point[1] for point in points]
    width_px, height_px = shown.plate_px
    plate = plate_rectangle(
        Rectangle(min(across), min(upward), max(across), max(upward)),
        width_px=width_px,
        height_px=height_px,
        pixel_aspect=shown.pixel_aspect,
    )
    return crop_rectangle(plate, shown.crop, width_px=width_px, height_px=height_px)


def _camera_looked_through(context: bpy.types.Context, shown: ShownPreview) -> bpy.types.Object | None:
    """Return the camera of the preview's rig where the view looks through it."""
    rig = context.scene.objects.get(shown.rig_name)
    if rig is None or context.region_data is None or context.region_data.view_perspective != "CAMERA":
        return None
    camera, view = rig.dvp_rig.camera, context.space_data
    seen = view.camera if view.use_local_camera else context.scene.camera
    return camera if camera is not None and camera == seen else None


_textures: list[tuple[ShownPreview, Any]] = []


def _texture_of(shown: ShownPreview) -> Any:
    """Return the picture on the graphics card; linear, since a view encodes what is drawn."""
    if not _textures or _textures[0][0] is not shown:
        height, width = shown.pixels.shape[:2]
        linear = np.ascontiguousarray(srgb_decode(shown.pixels), dtype=np.float32)  # alpha is 1, which stays
        content = gpu.types.Buffer("FLOAT", linear.size, linear.ravel())
        _textures[:] = [(shown, gpu.types.GPUTexture((width, height), format="RGBA16F", data=content))]
    return _textures[0][1]


def _draw_picture(shown: ShownPreview, part: Wiped) -> None:
    shader = compat.builtin_shader("IMAGE")
    corners = np.array(part.rectangle.corners, np.float32)
    batch = batch_for_shader(shader, "TRI_FAN", {"pos": corners, "texCoord": np.array(part.uv, np.float32)})
    shader.bind()
    shader.uniform_sampler("image", _texture_of(shown))
    batch.draw(shader)


def _draw_line(points: Iterable[tuple[float, float]], color: tuple[float, ...]) -> None:
    shader = compat.builtin_shader("UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINE_STRIP", {"pos": np.array(list(points), np.float32)})
    shader.bind()
    shader.uniform_float("color", color)
    batch.draw(shader)


def _draw_words(text: str, square: Rectangle, color: tuple[float, ...]) -> None:
    font = 0
    compat.set_font_size(font, _LETTERS_PX * bpy.context.preferences.system.ui_scale)
    blf.enable(font, blf.SHADOW)
    blf.shadow(font, 3, 0.0, 0.0, 0.0, 1.0)
    blf.color(font, color[0], color[1], color[2], 1.0)
    blf.position(font, square.left + _MARGIN_PX, square.bottom + _MARGIN_PX, 0)
    blf.draw(font, text)
    blf.disable(font, blf.SHADOW)


_handles: list[Any] = []


def add_overlay() -> None:
    """Draw in every 3D view from now on."""
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(draw_overlay, (), "WINDOW", "POST_PIXEL"))


def remove_overlay() -> None:
    """Undo `add_overlay`, and give the graphics card's memory back."""
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    _textures.clear()
