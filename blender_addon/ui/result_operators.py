# SPDX-License-Identifier: GPL-3.0-or-later

"""Buttons that bring a job's frames into the scene and take them out again."""

from typing import Any

import bpy

from dvp_core.data.errors import DataError

from ..actors import rig_of_context
from ..landing import land_submitted_result, result_of, take_result_away
from .export_operators import has_rig
from .reporting import reported


def shown_result(context: bpy.types.Context) -> Any:
    """Return the camera background that shows the result of the rig meant, or None."""
    try:
        return result_of(context.scene, rig_of_context(context))
    except DataError:
        return None


class DVP_OT_show_result(bpy.types.Operator):
    """Put the frames that are done behind the rig and into the sequencer."""

    bl_idname = "dvp.show_result"
    bl_label = "Show Result"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig and a job that was submitted."""
        if not context.scene.dvp_submit.submitted_output:
            cls.poll_message_set("No job was submitted from this scene")
            return False
        return has_rig(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show what is there."""
        return reported(self, lambda: self._show(context))

    def _show(self, context: bpy.types.Context) -> str:
        landed = land_submitted_result(context, context.scene)
        return "; ".join([f"Frames {landed.frames} stand behind the rig and in the sequencer", *landed.notes])


class DVP_OT_remove_result(bpy.types.Operator):
    """Take the frames that came back out of the scene; the files stay."""

    bl_idname = "dvp.remove_result"
    bl_label = "Remove Result"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a result."""
        if shown_result(context) is not None:
            return True
        cls.poll_message_set("No result is shown")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        take_result_away(context.scene, rig_of_context(context))
        return {"FINISHED"}


CLASSES = (DVP_OT_show_result, DVP_OT_remove_result)
