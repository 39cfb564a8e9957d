# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of performance layers in the sidebar tab 'Portrait'. Drawing reads properties and computes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from . import layer_operators
from .rig_panel import RigPanel


class DVP_UL_layers(bpy.types.UIList):
    """A layer a line: its name and its strength."""

    bl_idname = "DVP_UL_layers"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: Any,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
    ) -> None:
        """Draw one line."""
        del context, data, icon, active_data, active_property
        row = layout.split(factor=0.74, align=True)
        row.label(text=item.name, icon="ERROR" if item.problem else "NLA")
        row.prop(item, "strength", text="")


class DVP_PT_layers(RigPanel, bpy.types.Panel):
    """Layers between the tracked strip and the animator's keys."""

    bl_idname = "DVP_PT_layers"
    bl_label = "Layers"

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the list, the chosen layer's settings and the buttons."""
        draw_layers(self.layout, rig)


def draw_layers(layout: Any, rig: bpy.types.Object) -> None:
    """Draw a rig's layers, from the lowest at the top of the list to the highest, and what can be done with them."""
    stack = rig.dvp_layers
    layout.operator(layer_operators.DVP_OT_add_performer.bl_idname, icon="ADD")
    if stack.layers:
        layout.template_list(DVP_UL_layers.bl_idname, "", stack, "layers", stack, "active", rows=2)
        if stack.active < len(stack.layers):
            _draw_layer(layout, stack.layers[stack.active])
        row = layout.row(align=True)
        row.operator(layer_operators.DVP_OT_remove_layer.bl_idname, text="Remove", icon="REMOVE")
        row.operator(layer_operators.DVP_OT_bake_layers.bl_idname, text="Bake", icon="ACTION")
    is_shown = stack.tracked_head is not None
    text = "Hide Tracked Head" if is_shown else layer_operators.DVP_OT_compare_with_tracked.bl_label
    layout.operator(layer_operators.DVP_OT_compare_with_tracked.bl_idname, text=text, icon="MOD_MIRROR")


def _draw_layer(layout: Any, layer: Any) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(layer, "strength")
    row = column.row(align=True)
    row.operator(layer_operators.DVP_OT_key_layer_strength.bl_idname, text="Key", icon="KEY_HLT")
    row.operator(layer_operators.DVP_OT_clear_layer_keys.bl_idname, text="Clear", icon="KEY_DEHLT")
    column.prop(layer, "offset_frames")
    if layer.take_text is not None:  # what was baked has no performer to be read otherwise
        column.prop(layer, "neutral")
        if layer.neutral == "FRAME":
            column.prop(layer, "neutral_frame")
        column.use_property_split = False  # the tick's label needs the whole width
        column.prop(layer, "is_swapped")
    if layer.problem:
        column.label(text=layer.problem, icon="ERROR")


CLASSES = (DVP_UL_layers, DVP_PT_layers)
