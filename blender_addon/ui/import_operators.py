# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""File > Import > Deep Video Portraits Take (.take)."""

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from .. import compat
from ..rig.importing import import_take
from .reporting import reported


class DVP_OT_import_take(bpy.types.Operator, ImportHelper):
    """Build the rig of a tracked performance: face, bones, camera and plate."""

    bl_idname = "dvp.import_take"
    bl_label = "Import Portrait Take"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    filename_ext = ".take"
    filter_glob: StringProperty(default="*.take", options={"HIDDEN"})
    plate_path: StringProperty(
        name="Plate", description="The clip that was tracked; empty looks beside the take", default=""
    )
    face_model_path: StringProperty(
        name="Face Model", description="Only for takes that must not carry their face", default=""
    )
    start_frame: IntProperty(
        name="Start Frame",
        description="Scene frame of the take's first picture, such as 1001; 0 keeps the plate's own number",
        min=0,
        default=0,
    )
    has_sound: BoolProperty(
        name="Sound", description="Put the plate's sound, where it has any, into the sequencer", default=True
    )
    is_packed: BoolProperty(
        name="Pack Take", description="Store the take in the .blend, so that it renders anywhere", default=True
    )
    is_scene_set_up: BoolProperty(
        name="Set Up Scene", description="Give the scene the clip's frame rate, range, size and camera", default=True
    )
    has_controls: BoolProperty(
        name="Controls", description="Give the rig bones by which the face is posed", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where not."""
        if context.mode == "OBJECT":
            return True
        cls.poll_message_set("Leave the current mode first (object mode is needed)")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import the file chosen."""
        return reported(self, lambda: self._import(context))

    def _import(self, context: bpy.types.Context) -> str:
        imported = import_take(
            self.filepath,
            context=context,
            plate_path=self.plate_path or None,
            face_model_path=self.face_model_path or None,
            is_packed=self.is_packed,
            is_scene_set_up=self.is_scene_set_up,
            has_controls=self.has_controls,
            start_frame=self.start_frame or None,
            has_sound=self.has_sound,
        )
        sentences = [f"Imported {imported.rig.name}: {imported.take.frame_count} frames", *imported.notes]
        if imported.plate is None:
            sentences.append(f"plate '{imported.take.clip.file_name}' not found beside the take")
        return "; ".join(sentences)


class DVP_FH_take(compat.FileHandler):
    """Lets a take be dropped into the window."""

    bl_idname = "DVP_FH_take"
    bl_label = "Portrait Take"
    bl_import_operator = "dvp.import_take"
    bl_file_extensions = ".take"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Accept takes over the 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (DVP_OT_import_take, *((DVP_FH_take,) if compat.HAS_FILE_DROP else ()))


def add_menu() -> None:
    """Add the entry to File > Import."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_entry)


def remove_menu() -> None:
    """Remove the entry again."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_entry)


def _draw_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    del context
    menu.layout.operator(DVP_OT_import_take.bl_idname, text="Deep Video Portraits Take (.take)")
