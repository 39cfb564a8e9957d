# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the sidebar tab 'Portrait' share."""

from __future__ import annotations

from typing import Any

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
    """One that shows something of the rig meant, and is not there without one: the take's panel says so."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig."""
        try:
            rig_of_context(context)
        except DataError:
            return False
        return True

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the active object's rig, else the scene's."""
        self.draw_rig(rig_of_context(context))

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Draw a rig."""
        raise NotImplementedError


def as_fields(layout: Any) -> Any:
    """Return a layout whose labels stand before their fields, wide enough to be read."""
    layout.use_property_split = True
    layout.use_property_decorate = False  # none of these can be animated
    return layout
