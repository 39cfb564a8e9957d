# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine 'Deep Video Portraits Passes': the project's own rasteriser behind Blender's F12.

It draws nothing itself; `scene_passes` computes, this file hands over. Blender swallows exceptions of an engine and
saves a blank picture, so every failure is reported, which stops the render and reaches the user.

`seen_in_render` lends the engine's eyes: only an engine is given a scene evaluated as renders have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.passes.exr import PASS_CHANNELS

from .. import compat
from .scene_passes import PASS_KINDS, combined, render_scene_passes
from .viewport import Preview, check_view, preview_of_scene, rectangle_in_region

ENGINE = "DVP_PASSES"
_Seen = TypeVar("_Seen")
_SMALL_PX = 16
_lookers: list[Callable[[bpy.types.Depsgraph], None]] = []


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
        if _lookers:
            _lookers[-1](depsgraph)
            return
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


def seen_in_render(scene: bpy.types.Scene, look: Callable[[bpy.types.Depsgraph], _Seen]) -> _Seen:
    """Return what a function finds in a scene that is evaluated for a render, at its frame; nothing is drawn or saved.

    Args:
        scene: Its settings for renders are changed for that moment.
        look: Called once.

    Raises:
        DataError: What `look` raises, or Blender cannot render the scene.
    """
    found: list[_Seen | DataError] = []

    def looked(depsgraph: bpy.types.Depsgraph) -> None:
        try:
            found.append(look(depsgraph))
        except DataError as error:
            found.append(error)

    _lookers.append(looked)
    try:
        with _small_render(scene):
            bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        what = str(error).removeprefix("Error: ").strip().rstrip(".")
        raise DataError(what, where=f"scene '{scene.name}'", remedy="Mend what is named") from error
    finally:
        _lookers.pop()
    if not found:
        raise DataError("was not rendered", where=f"scene '{scene.name}'", remedy="Stop what renders, then try again")
    if isinstance(found[0], DataError):
        raise found[0]
    return found[0]


@contextmanager
def _small_render(scene: bpy.types.Scene) -> Iterator[None]:
    """Let a render ask this engine once and do nothing else; everything is put back afterwards."""
    render = scene.render
    changes: list[tuple[Any, str, Any]] = [
        (render, "engine", ENGINE),
        (render, "resolution_x", _SMALL_PX),
        (render, "resolution_y", _SMALL_PX),
        (render, "resolution_percentage", 100),
        (render, "use_border", False),
        (render, "use_compositing", False),
        (render, "use_sequencer", False),
        (render, "use_multiview", False),
        (render, "use_lock_interface", True),
    ]
    changes += [(layer, "use", number == 0) for number, layer in enumerate(scene.view_layers)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


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
