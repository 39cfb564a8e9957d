# SPDX-License-Identifier: GPL-3.0-or-later
"""How the farm looks in the panels, and its entries in the Render menu. Drawing reads properties, computes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat
from . import submit_operators


def draw_submission(layout: Any, context: bpy.types.Context) -> None:
    """Draw the job's fields, the submit button, and the state of the job last submitted."""
    scene = context.scene
    column = layout.column()
    for name in ("job_name", "priority"):
        column.prop(scene.dvp, name)
    column.prop(scene.dvp_submit, "chunk_size")
    for name in ("generator", "plate", "output", "consent"):
        column.prop(scene.dvp, name)
    for name in ("is_paused_at_start", "notes"):
        column.prop(scene.dvp_submit, name)
    column.operator(submit_operators.DVP_OT_submit.bl_idname, icon="EXPORT")
    if scene.dvp.job_id:
        draw_job(layout.column(), scene)


def draw_job(column: Any, scene: bpy.types.Scene) -> None:
    """Draw how far the job is, and what may be done with it."""
    settings = scene.dvp
    column.label(text=f"{settings.job_id}: {settings.job_state or 'submitted'}")
    compat.draw_progress(column, settings, "job_progress")
    row = column.row(align=True)
    row.operator(submit_operators.DVP_OT_watch_job.bl_idname, icon="FILE_REFRESH")
    row.operator(submit_operators.DVP_OT_cancel_job.bl_idname, icon="CANCEL")


CLASSES = ()


def add_menu() -> None:
    """Add the entry to the Render menu."""
    bpy.types.TOPBAR_MT_render.append(_draw_entry)


def remove_menu() -> None:
    """Remove it again."""
    bpy.types.TOPBAR_MT_render.remove(_draw_entry)


def _draw_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    del context
    menu.layout.separator()
    menu.layout.operator(submit_operators.DVP_OT_submit.bl_idname, icon="EXPORT")
