# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the sidebar tab 'Portrait' share."""

from __future__ import annotations

import bpy

from dvp_core.data.errors import DataError

from ..actors import rig_of_context


class SidebarPanel:
    """A panel under the take's."""

    bl_parent_id = "DVP_PT_take"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Portrait"


class RigPanel(SidebarPanel):
    """One that shows something of the rig meant, and nothing where there is none: the take's panel says so."""

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the active object's rig, else the scene's."""
        try:
            rig = rig_of_context(context)
        except DataError:
            return
        self.draw_rig(rig)

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Draw a rig."""
        raise NotImplementedError
