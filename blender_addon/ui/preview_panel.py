# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of the neural preview and its button. Drawing reads properties and computes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from dvp_core.data.errors import DataError

from ..preview.asking import ask_preview, is_asking, preview_now, redraw, stop_asking
from ..preview.live import set_live
from ..preview.picture import ShownPreview, forget_preview, shown_preview
from .reporting import reported
from .rig_panel import RigPanel, as_fields
from .submit_operators import may_submit
from .submit_panel import draw_wrapped, letters_across


class DVP_OT_preview(bpy.types.Operator):
    """Ask the farm for the generator's frame of the pose that is shown; nothing is saved."""

    bl_idname = "dvp.preview"
    bl_label = "Preview"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig and the network."""
        return may_submit(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask, wait and show; for scripts."""
        return reported(self, lambda: _times_of(preview_now(context)))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask from a thread; the window stays alive, and what goes wrong stands in the panel."""
        del event
        return reported(self, lambda: _asked(context))


class DVP_OT_forget_preview(bpy.types.Operator):
    """Take the preview away."""

    bl_idname = "dvp.forget_preview"
    bl_label = "Remove Preview"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a preview."""
        del context
        if shown_preview() is not None:
            return True
        cls.poll_message_set("No preview is shown")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        del context
        stop_asking()
        forget_preview()
        redraw()
        return {"FINISHED"}


class DVP_OT_live_preview(bpy.types.Operator):
    """Ask for a preview by itself whenever the pose has been still for a moment, or stop that."""

    bl_idname = "dvp.live_preview"
    bl_label = "Live"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig and the network."""
        return may_submit(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch."""
        set_live(context, not context.window_manager.dvp_preview.is_live)
        return {"FINISHED"}


def _asked(context: bpy.types.Context) -> str:
    try:
        ask_preview(context)
    except DataError as error:
        context.window_manager.dvp_preview.message = str(error)
        raise
    return "Asking for a preview"


def _times_of(shown: ShownPreview) -> str:
    """Return whose picture it is and how long it took."""
    return f"Frame {shown.frame} in {1000 * shown.seconds['whole']:.0f} ms"


def _parts_of(shown: ShownPreview) -> str:
    """Return where most of the time went: passes drawn here, then waiting and painting on the farm."""
    parts = [(name, shown.seconds[name]) for name in ("draw", "wait", "paint") if name in shown.seconds]
    return ", ".join(f"{name} {1000 * seconds:.0f}" for name, seconds in parts)


class DVP_PT_preview(RigPanel, bpy.types.Panel):
    """The generator's frame for the pose that is shown."""

    bl_idname = "DVP_PT_preview"
    bl_label = "Preview"
    bl_order = 15  # after the passes, before whole jobs

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Draw the generator, the button, how the picture is shown, and what it is."""
        del rig
        column, scene = as_fields(self.layout).column(), bpy.context.scene
        for name in ("generator", "consent"):
            column.prop(scene.dvp, name)
        row = column.row(align=True)
        row.operator(DVP_OT_preview.bl_idname, icon="SHADING_RENDERED")
        row.operator(DVP_OT_forget_preview.bl_idname, text="", icon="X")
        draw_showing(column)
        draw_state(column)


def draw_showing(column: Any) -> None:
    """Draw how a preview is asked for and shown."""
    settings = bpy.context.window_manager.dvp_preview
    live_icon = "PAUSE" if settings.is_live else "PLAY"
    column.operator(DVP_OT_live_preview.bl_idname, icon=live_icon, depress=settings.is_live)
    column.use_property_split = False  # ticks and sliders carry their own names
    for name in ("is_shown", "wipe"):
        column.prop(settings, name)


def draw_state(column: Any) -> None:
    """Draw whose picture is shown, whether it still holds, and what went wrong."""
    shown, message = shown_preview(), bpy.context.window_manager.dvp_preview.message
    if is_asking():
        column.label(text="Asking the farm", icon="SORTTIME")
    if shown is not None:
        column.label(text="Stale" if shown.is_stale else "Up to date", icon="ERROR" if shown.is_stale else "CHECKMARK")
        column.label(text=_times_of(shown))
        column.label(text=_parts_of(shown))
    if message:
        draw_wrapped(column, message, letters_across(bpy.context), icon="ERROR")


CLASSES = (DVP_OT_preview, DVP_OT_live_preview, DVP_OT_forget_preview, DVP_PT_preview)
