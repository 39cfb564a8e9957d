# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""The button that applies the dial of smoothing; a slider alone would smooth at every pixel of a drag."""

import bpy
from bpy.props import FloatProperty

from dvp_core.data.errors import DataError

from ..actors import rig_of_context
from ..rig.smoothing import turn_dial
from .reporting import reported

NO_MEASUREMENT = "This take was edited or made by hand: there is no measurement to smooth from"


class DVP_OT_smooth(bpy.types.Operator):
    """Smooth the tracked performance anew from what was measured; your own keys stay as they are."""

    bl_idname = "dvp.smooth"
    bl_label = "Apply Smoothing"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    strength: FloatProperty(
        name="Smoothing",
        description="0 is what was measured; left out, the rig's slider counts",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig whose take was measured."""
        try:
            rig = rig_of_context(context)
        except DataError as error:
            cls.poll_message_set(str(error))
            return False
        if not rig.dvp_rig.is_measured:
            cls.poll_message_set(NO_MEASUREMENT)
        return rig.dvp_rig.is_measured

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn the dial to the strength given, else to where the slider stands."""
        return reported(self, lambda: self._turn(context))

    def _turn(self, context: bpy.types.Context) -> str:
        rig = rig_of_context(context)
        if not self.properties.is_property_set("strength"):
            self.strength = rig.dvp_rig.smoothing
        take = turn_dial(rig, self.strength)
        return f"{rig.name}: smoothing {take.smoothing:g}"


CLASSES = (DVP_OT_smooth,)
