# SPDX-License-Identifier: GPL-3.0-or-later
"""The onion head in the sidebar tab 'Portrait'. Drawing computes nothing; it only asks for the view to follow."""

from __future__ import annotations

import bpy

from ..ghost_drawing import follow_settings
from .rig_panel import RigPanel


class DVP_PT_ghosts(RigPanel, bpy.types.Panel):
    """Heads of the frames before and after."""

    bl_idname = "DVP_PT_ghosts"
    bl_label = "Onion Head"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads the class's own set

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the switch and how many heads there are."""
        settings = rig.dvp_ghosts
        column = self.layout.column(align=True)
        column.prop(settings, "is_shown", text="Show Before and After")
        for name in ("count", "step", "opacity"):
            column.prop(settings, name)
        follow_settings(rig)


CLASSES = (DVP_PT_ghosts,)
