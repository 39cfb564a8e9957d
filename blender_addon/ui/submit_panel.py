# SPDX-License-Identifier: GPL-3.0-or-later
"""How the farm looks in the panels, and its entries in the Render menu. Drawing reads properties, computes nothing."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import bpy

from .. import compat
from ..actors import output_of
from ..submission import submit_and_follow
from . import result_operators, submit_operators
from .places import draw_place
from .reporting import reported
from .result_operators import shown_result

_DIALOG_WIDTH_PX = 420
_LETTER_PX = 6.5  # about what a letter of Blender's default font takes
_BESIDE_PX = 66  # tabs, margins and the icon before a line


def draw_submission(layout: Any, context: bpy.types.Context, *, has_frames: bool = True) -> None:
    """Draw the job's fields, what the checks found, the buttons, and the state of the job last submitted.

    Args:
        layout: Where.
        context: Its scene is shown.
        has_frames: Whether the frames are asked for; not where the export's fields above have them.
    """
    scene = context.scene
    letters = letters_across(context)
    draw_fields(layout, context, letters, has_frames=has_frames)
    layout.column().operator(submit_operators.DVP_OT_submit.bl_idname, icon="EXPORT")
    if scene.dvp.job_id:
        draw_job(layout.column(), context, letters)


def letters_across(context: bpy.types.Context) -> int:
    """Return how many letters of a sentence fit into one line of the region that is drawn."""
    region = context.region  # None where Blender has no window
    width_px = _DIALOG_WIDTH_PX if region is None else region.width / context.preferences.system.ui_scale
    return max(16, int((width_px - _BESIDE_PX) / _LETTER_PX))


def draw_fields(layout: Any, context: bpy.types.Context, letters: int, *, has_frames: bool = True) -> None:
    """Draw the job's fields, the check's button and what it found, with so many letters in a line."""
    scene = context.scene
    column = layout.column()
    for name in ("job_name", "priority", *(("frames",) if has_frames else ())):
        column.prop(scene.dvp, name)
    column.prop(scene.dvp_submit, "chunk_size")
    for name in ("generator", "plate", "output", "consent"):
        column.prop(scene.dvp, name)
    draw_place(column, context, scene.dvp.output, output_of)
    for name in ("is_paused_at_start", "notes"):
        column.prop(scene.dvp_submit, name)
    column.operator(submit_operators.DVP_OT_check_submission.bl_idname, icon="CHECKMARK")
    if scene.dvp_submit.is_checked:
        draw_problems(layout.column(align=True), scene.dvp_submit, letters)


def draw_problems(column: Any, options: Any, letters: int) -> None:
    """Draw what the last check found, each with its remedy, and the tick that accepts warnings."""
    if not options.problems:
        column.label(text="Nothing found", icon="CHECKMARK")
    for problem in options.problems:
        draw_wrapped(column, problem.sentence, letters, icon="INFO" if problem.is_warning else "ERROR")
        draw_wrapped(column, problem.remedy, letters, icon="BLANK1")
    if any(problem.is_warning for problem in options.problems):
        column.use_property_split = False
        column.prop(options, "is_warning_accepted")


def draw_wrapped(column: Any, text: str, letters: int, *, icon: str) -> None:
    """Draw a sentence on as many lines as it needs, since Blender cuts a label off at the panel's edge."""
    for number, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


def draw_job(column: Any, context: bpy.types.Context, letters: int) -> None:
    """Draw how far the job is, and what may be done with it."""
    settings, options = context.scene.dvp, context.scene.dvp_submit
    draw_wrapped(column, f"{settings.job_id}: {settings.job_state or 'submitted'}", letters, icon="RENDER_ANIMATION")
    compat.draw_progress(column, settings, "job_progress")
    column.label(text=f"{options.frames_text}{time_left(options.seconds_left)}")
    row = column.row(align=True)
    row.operator(submit_operators.DVP_OT_watch_job.bl_idname, icon="FILE_REFRESH")
    row.operator(submit_operators.DVP_OT_pause_job.bl_idname, icon="PAUSE")
    row = column.row(align=True)
    row.operator(submit_operators.DVP_OT_resume_job.bl_idname, icon="PLAY")
    row.operator(submit_operators.DVP_OT_cancel_job.bl_idname, icon="CANCEL")
    for line in options.log:
        draw_wrapped(column, line.text, letters, icon="DOT")
    column.operator(submit_operators.DVP_OT_show_log.bl_idname, icon="TEXT")
    draw_result(column, context)


def time_left(seconds: float) -> str:
    """Return how long a job will take, for the end of a line; empty where that is not known."""
    if seconds < 0:
        return ""
    minutes = math.ceil(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f", {hours} h {rest} min left" if hours else f", {minutes} min left" if minutes > 1 else ", a minute left"


def draw_result(column: Any, context: bpy.types.Context) -> None:
    """Draw the buttons that bring the frames into the scene, and the slider between plate and result."""
    column.use_property_split = False
    column.prop(context.scene.dvp_submit, "is_result_landed")
    row = column.row(align=True)
    row.operator(result_operators.DVP_OT_show_result.bl_idname, text="Show", icon="IMAGE_BACKGROUND")
    row.operator(result_operators.DVP_OT_remove_result.bl_idname, text="Remove", icon="X")
    if (result := shown_result(context)) is not None:
        column.prop(result, "alpha", text="Result over Plate", slider=True)


class DVP_OT_submit_dialog(bpy.types.Operator):
    """Fill in a job for the render farm and submit it."""

    bl_idname = "dvp.submit_dialog"
    bl_label = "Submit to Farm..."
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig and the network."""
        return submit_operators.may_submit(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the fields."""
        del event
        return context.window_manager.invoke_props_dialog(self, width=_DIALOG_WIDTH_PX)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the fields of the panel."""
        self.layout.use_property_split = True
        draw_fields(self.layout, context, int((_DIALOG_WIDTH_PX - _BESIDE_PX) / _LETTER_PX))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit and follow."""
        return reported(self, lambda: f"Submitting {submit_and_follow(context)}")


CLASSES = (DVP_OT_submit_dialog,)


def add_menu() -> None:
    """Add the entry to the Render menu."""
    bpy.types.TOPBAR_MT_render.append(_draw_entry)


def remove_menu() -> None:
    """Remove it again."""
    bpy.types.TOPBAR_MT_render.remove(_draw_entry)


def _draw_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    del context
    menu.layout.separator()
    menu.layout.operator(DVP_OT_submit_dialog.bl_idname, icon="EXPORT")
