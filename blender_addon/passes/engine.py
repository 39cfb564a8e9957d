# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine 'Deep Video Portraits Passes': the project's own rasteriser behind Blender's F12.

It draws nothing itself; `scene_passes` computes, this file hands over. Blender swallows exceptions of an engine and
saves a blank picture, so every failure is reported, which stops the render and reaches the user.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.passes.exr import PASS_CHANNELS

from .. import compat
from .scene_passes import PASS_KINDS, combined, render_scene_passes
from .viewport import Preview, check_view, preview_of_scene, rectangle_in_region

ENGINE = "DVP_PASSES"


class PassesEngine(bpy.types.RenderEngine):
    """Renders the conditioning passes of the scene's portrait rig."""

    bl_idname = ENGINE
    bl_label = "Deep Video Portraits Passes"
    bl_use_preview = False
    bl_use_shading_nodes_custom = False

    _preview: Preview | None = None
    _texture: Any = None
    _is_stale = True
    _said = ""

    def update_render_passes(self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer) -> None:
        """Tell Blender which passes there are."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        for name, letters in PASS_CHANNELS.items():
            self.register_pass(scene, renderlayer, name, len(letters), letters, PASS_KINDS[name])

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render the frame the scene stands at."""
        try:
            self._render(depsgraph)
        except DataError as error:
            self.report({"ERROR"}, str(error))
        except BaseException as error:
            self.report({"ERROR"}, f"Passes could not be rendered: {error!r}")
            raise

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Drop the picture, since something changed or the view began to show this engine."""
        del context, depsgraph
        self._preview, self._texture, self._is_stale = None, None, True

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Show the colour pass where the plate lies in the view, made anew after a change; or say why not."""
        try:
            check_view(depsgraph.scene, context.space_data, context.region_data)
            if self._is_stale:
                self._is_stale = False  # what failed is not tried again before the next change
                self._preview = preview_of_scene(depsgraph)
        except DataError as error:
            self._say(str(error))
            return
        if self._preview is not None:
            self._say("; ".join(self._preview.notes))
            self._show(context, depsgraph.scene, self._preview)

    def _show(self, context: bpy.types.Context, scene: bpy.types.Scene, preview: Preview) -> None:
        region = context.region
        matrix = np.array(context.region_data.perspective_matrix)
        place = rectangle_in_region(preview.corners_world, matrix, (region.width, region.height))
        if self._texture is None:
            self._texture = compat.texture_of(preview.picture)
        self.bind_display_space_shader(scene)
        compat.draw_texture(self._texture, place.x_px, place.y_px, place.width_px, place.height_px)
        self.unbind_display_space_shader()

    def _say(self, sentence: str) -> None:
        """Write a sentence over the view; one that stands there is not written again."""
        if sentence != self._said:
            self._said = sentence
            self.update_stats("", sentence)

    def _render(self, depsgraph: bpy.types.Depsgraph) -> None:
        rendered = render_scene_passes(depsgraph)
        for note in rendered.notes:
            self.report({"INFO"}, note)
        for name, letters in PASS_CHANNELS.items():
            self.add_pass(name, len(letters), letters)
        height, width = rendered.pictures["mask"].shape[:2]
        result = self.begin_result(0, 0, width, height)
        layer = result.layers[0]
        pictures = rendered.pictures
        compat.fill_pass(layer.passes["Combined"], combined(pictures["color"], pictures["mask"]))
        for name in PASS_CHANNELS:
            compat.fill_pass(layer.passes[name], rendered.pictures[name])
        self.end_result(result)
        for key, value in rendered.attributes.items():
            self.get_result().stamp_data_add_field(key, value)


CLASSES = (PassesEngine,)
_SHARED_PANELS = (
    "RENDER_PT_format",
    "RENDER_PT_frame_range",
    "RENDER_PT_output",
    "RENDER_PT_post_processing",
    "RENDER_PT_time_stretching",
    "DATA_PT_lens",
    "DATA_PT_camera_background_image",
    "DATA_PT_context_camera",
    "DATA_PT_vertex_groups",
    "DATA_PT_shape_keys",
)


def add_to_panels() -> None:
    """Let Blender's own panels on size, frames and output show with this engine too."""
    for panel in _panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def remove_from_panels() -> None:
    """Undo `add_to_panels`."""
    for panel in _panels():
        panel.COMPAT_ENGINES.discard(ENGINE)


def _panels() -> list[type]:
    panels = [getattr(bpy.types, name, None) for name in _SHARED_PANELS]
    return [panel for panel in panels if panel is not None and hasattr(panel, "COMPAT_ENGINES")]
