# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab 'Portrait' and the section under Output properties. Drawing reads properties and computes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from dvp_core.data.errors import DataError

from ..actors import passes_folder_of, rig_of_context
from ..passes.engine import ENGINE
from ..rig.reading import rigs_of_scene
from . import export_operators, import_operators, smoothing_operators
from .places import draw_place
from .rig_panel import RigPanel, SidebarPanel, as_fields
from .submit_panel import draw_submission


class DVP_PT_take(bpy.types.Panel):
    """Which take the scene shows."""

    bl_idname = "DVP_PT_take"
    bl_label = "Deep Video Portraits"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Portrait"

    def draw(self, context: bpy.types.Context) -> None:
        """Show the take, or how to get one."""
        layout = self.layout
        try:
            rig = rig_of_context(context)
        except DataError as error:
            layout.label(text=error.what[:1].upper() + error.what[1:], icon="INFO")
            layout.operator(import_operators.DVP_OT_import_take.bl_idname, icon="IMPORT")
            return
        settings = rig.dvp_rig
        column = layout.column(align=True)
        column.label(text=f"Subject: {settings.subject or 'unnamed'}", icon="USER")
        column.label(text="Take: packed in this file" if settings.take_text else f"Take: {settings.take_path}")
        column.label(text=f"Content: {settings.take_sha256[:12]}")
        column.label(text=f"Rig: {rig.name}", icon="ARMATURE_DATA")
        if len(rigs_of_scene(context.scene)) > 1:
            layout.prop(context.scene.dvp, "rendered_rig")


class DVP_PT_smoothing(RigPanel, bpy.types.Panel):
    """The dial of smoothing."""

    bl_idname = "DVP_PT_smoothing"
    bl_label = "Smoothing"

    def draw_rig(self, rig: bpy.types.Object) -> None:
        """Show the slider and its button, or why there is none."""
        draw_smoothing(self.layout, rig.dvp_rig)


class DVP_PT_passes(SidebarPanel, bpy.types.Panel):
    """Export of passes."""

    bl_idname = "DVP_PT_passes"
    bl_label = "Passes"
    bl_order = 10  # below what poses the face

    def draw(self, context: bpy.types.Context) -> None:
        """Show where the passes go, and the button."""
        draw_passes(as_fields(self.layout), context)


class DVP_PT_farm(SidebarPanel, bpy.types.Panel):
    """Submission to the farm."""

    bl_idname = "DVP_PT_farm"
    bl_label = "Farm"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        """Show the job's fields, the button, and how far the job is."""
        draw_submission(as_fields(self.layout), context)


class DVP_PT_output(bpy.types.Panel):
    """The same under Output properties, where render settings are looked for."""

    bl_idname = "DVP_PT_output"
    bl_label = "Deep Video Portraits"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads the class's own set

    def draw(self, context: bpy.types.Context) -> None:
        """Show passes and farm."""
        layout = as_fields(self.layout)
        if context.scene.render.engine == ENGINE:
            layout.prop(context.scene.dvp, "area")
            layout.prop(context.scene.dvp, "preview_px")
        draw_passes(layout, context)
        layout.separator()
        draw_submission(layout, context, has_frames=False)


def draw_smoothing(layout: Any, settings: Any) -> None:
    """Draw the slider and its button, and where the curves stand when that is elsewhere, or that there is no dial."""
    column = layout.column()
    column.enabled = settings.is_measured
    column.prop(settings, "smoothing")
    column.operator(smoothing_operators.DVP_OT_smooth.bl_idname, icon="MOD_SMOOTH")
    if not settings.is_measured:
        layout.label(text="No measurement in this take", icon="INFO")
    elif settings.smoothing != settings.shown_smoothing:
        layout.label(text=f"Shown is {settings.shown_smoothing:.2f}", icon="INFO")


def draw_passes(layout: Any, context: bpy.types.Context) -> None:
    """Draw the export's fields and button."""
    settings = context.scene.dvp
    column = layout.column()
    column.prop(settings, "passes_folder")
    draw_place(column, context, settings.passes_folder, passes_folder_of)
    column.prop(settings, "frames")
    column.operator(export_operators.DVP_OT_export_passes.bl_idname, icon="RENDER_ANIMATION")


CLASSES = (DVP_PT_take, DVP_PT_smoothing, DVP_PT_passes, DVP_PT_farm, DVP_PT_output)
