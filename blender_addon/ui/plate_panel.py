# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""The plate in the sidebar tab 'Portrait': how it is shown, another one, its sound. Drawing computes nothing."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..actors import rig_of_context
from ..rig.plate import plate_file, plate_of, show_plate, view_note, whole_sequence
from ..rig.sound import add_plate_sound
from .export_operators import has_rig
from .reporting import reported
from .rig_panel import RigPanel


class DVP_OT_show_plate(bpy.types.Operator, ImportHelper):
    """Show a movie, or the sequence that a numbered picture is of, behind the rig at the take's frames."""

    bl_idname = "dvp.show_plate"
    bl_label = "Choose Plate"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    filename_ext = ""
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filepath: StringProperty(name="Plate", description="Movie, folder or ####-pattern", subtype="FILE_PATH")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig."""
        return has_rig(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show the plate chosen."""
        return reported(self, lambda: self._show(context))

    def _show(self, context: bpy.types.Context) -> str:
        rig = rig_of_context(context)
        image = show_plate(rig, whole_sequence(Path(bpy.path.abspath(self.filepath))))
        return f"{image.name} stands behind {rig.name}"


class DVP_OT_add_plate_sound(bpy.types.Operator):
    """Put the plate's sound into the sequencer, and let playback keep to it."""

    bl_idname = "dvp.add_plate_sound"
    bl_label = "Add Sound"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig before a movie."""
        if not has_rig(cls, context):
            return False
        if plate_file(rig_of_context(context)) is None:
            cls.poll_message_set("The plate is no movie")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        return reported(self, lambda: self._add(context))

    def _add(self, context: bpy.types.Context) -> str:
        strip = add_plate_sound(context.scene, rig_of_context(context))
        return "The plate has no sound" if strip is None else f"{strip.name} plays from frame {strip.frame_final_start}"


class DVP_PT_plate(RigPanel, bpy.types.Panel):
    """How the plate is shown behind the rig."""

    bl_idname = "DVP_PT_plate"
    bl_label = "Plate"

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the plate's opacity, place, frames and colours, or the button that chooses one."""
        draw_plate(self.layout, rig, bpy.context.scene)


def draw_plate(layout: Any, rig: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Draw Blender's own properties of the plate; it is seen in its camera's view only."""
    background = plate_of(rig)
    if background is None:
        layout.label(text="No plate was found beside the take", icon="INFO")
        layout.operator(DVP_OT_show_plate.bl_idname, icon="FILE_MOVIE")
        return
    row = layout.row(align=True)
    row.prop(background, "show_background_image", text="")
    row.prop(background, "alpha", text="Opacity", slider=True)
    layout.row().prop(background, "display_depth", expand=True)
    column = layout.column()
    column.prop(background.image.colorspace_settings, "name", text="Color Space")
    column.prop(scene.view_settings, "view_transform")
    if (note := view_note(scene)) is not None:
        column.label(text=note, icon="INFO")
    if rig.dvp_rig.frame_shift:
        column.label(text=f"Scene frame = plate frame {rig.dvp_rig.frame_shift:+d}", icon="TIME")
    column = layout.column(align=True)
    column.operator(DVP_OT_show_plate.bl_idname, icon="FILE_MOVIE")
    column.operator(DVP_OT_add_plate_sound.bl_idname, icon="SOUND")


CLASSES = (DVP_OT_show_plate, DVP_OT_add_plate_sound, DVP_PT_plate)
