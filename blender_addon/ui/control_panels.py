# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of the face in the sidebar: which are shown, the eyes' aim, every shape's own slider."""

from __future__ import annotations

from typing import Any

import bpy

from dvp_core.data.errors import DataError

from ..actors import rig_of_context
from ..rig import names
from ..rig.control_table import shape_home
from ..rig.controls import add_controls, has_controls, rest_controls
from ..rig.memory import remembered_face
from .reporting import reported
from .rig_panel import RigPanel


class DVP_OT_add_controls(bpy.types.Operator):
    """Give the rig bones by which the face is posed; what it shows does not change."""

    bl_idname = "dvp.add_controls"
    bl_label = "Add Controls"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig without controls, in object mode."""
        return _is_ready(cls, context, is_with_controls=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add them to the scene's rig."""
        return reported(self, lambda: self._add(context))

    def _add(self, context: bpy.types.Context) -> str:
        rig = rig_of_context(context)
        add_controls(rig, remembered_face(rig), view_layer=context.view_layer)
        return f"{rig.name} can be posed"


class DVP_OT_rest_controls(bpy.types.Operator):
    """Put every control of the face back to rest and every shape's slider to 0; keys stay."""

    bl_idname = "dvp.rest_controls"
    bl_label = "Rest Controls"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig with controls."""
        return _is_ready(cls, context, is_with_controls=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Rest the scene's rig."""
        return reported(self, lambda: self._rest(context))

    def _rest(self, context: bpy.types.Context) -> str:
        rig = rig_of_context(context)
        rest_controls(rig)
        return f"{rig.name} shows the performance alone"


def _is_ready(operator: Any, context: bpy.types.Context, *, is_with_controls: bool) -> bool:
    try:
        rig = rig_of_context(context)
    except DataError as error:
        operator.poll_message_set(str(error))
        return False
    if has_controls(rig) != is_with_controls:
        operator.poll_message_set("The rig has no controls yet" if is_with_controls else "The rig has its controls")
        return False
    if not is_with_controls and context.mode != "OBJECT":
        operator.poll_message_set("Leave the current mode first (object mode is needed)")
        return False
    return True


class DVP_PT_controls(RigPanel, bpy.types.Panel):
    """What of the rig is shown, and what the eyes look at."""

    bl_idname = "DVP_PT_controls"
    bl_label = "Controls"

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the switches, or the button that makes controls."""
        draw_controls(self.layout, rig)


class DVP_PT_shapes(RigPanel, bpy.types.Panel):
    """Every shape's own slider, under ARKit's names."""

    bl_idname = "DVP_PT_shapes"
    bl_parent_id = "DVP_PT_controls"
    bl_label = "Shapes"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads the class's own set

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the sliders of the shapes that the face has."""
        draw_shapes(self.layout, rig)


def draw_controls(layout: Any, rig: bpy.types.Object) -> None:
    """Draw which bones are shown and how far the eyes follow the aim."""
    if not has_controls(rig):
        layout.operator(DVP_OT_add_controls.bl_idname, icon="POSE_HLT")
        return
    if collections := getattr(rig.data, "collections", ()):
        row = layout.row(align=True)
        for collection in collections:
            row.prop(collection, "is_visible", text=collection.name, toggle=True)
    aim = rig.pose.bones[names.AIM_BONE]
    column = layout.column(align=True)
    column.prop(aim, f'["{names.INFLUENCE}"]', text="Eyes Follow Aim", slider=True)
    column.prop(aim, f'["{names.FOLLOW_HEAD}"]', text="Aim Follows Head", slider=True)
    column.prop(aim, f'["{names.LIDS_FOLLOW}"]', text="Lids Follow Aim", slider=True)
    layout.operator(DVP_OT_rest_controls.bl_idname, icon="LOOP_BACK")


def draw_shapes(layout: Any, rig: bpy.types.Object) -> None:
    """Draw one slider for each shape that a control can move."""
    face = rig.dvp_rig.face
    if not has_controls(rig) or face is None or face.data.shape_keys is None:
        return
    column = layout.column(align=True)
    keys = face.data.shape_keys.key_blocks
    for key in keys:
        if names.added_key(key.name) in keys:
            bone, name = shape_home(key.name)
            column.prop(rig.pose.bones[bone], f'["{name}"]', text=key.name, slider=True)


CLASSES = (DVP_OT_add_controls, DVP_OT_rest_controls, DVP_PT_controls, DVP_PT_shapes)
