# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""Submitting to the farm, following the job, cancelling it."""

from collections.abc import Callable

import bpy
from bpy.props import BoolProperty

from farm.client import FarmClient

from .. import compat
from ..farm_jobs import (
    JobState,
    cancel_job,
    farm_client,
    job_state,
    pause_job,
    resume_job,
    show_job_state,
    write_log,
)
from ..job_watcher import JobWatcher, watch
from ..submission import submit_and_follow, submit_scene
from ..submit_facts import check_submission, show_problems
from .export_operators import has_rig
from .reporting import reported


def may_go_online(operator: type[bpy.types.Operator]) -> bool:
    """Say whether the network may be used, and tell the operator why not."""
    if compat.is_online_allowed():
        return True
    operator.poll_message_set("Allow Online Access is off (Preferences > System)")
    return False


def may_submit(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Say whether there is a rig and the network may be used, and tell the operator why not."""
    return may_go_online(operator) and has_rig(operator, context)


def has_job(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Say whether the scene has a job that can be asked about, and tell the operator why not."""
    if context.scene.dvp.job_id:
        return may_go_online(operator)
    operator.poll_message_set("No job was submitted from this scene")
    return False


class OfJob:
    """What operators on the scene's job share."""

    @classmethod
    def poll(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
        """Need a job and the network."""
        return has_job(cls, context)


class DVP_OT_submit(bpy.types.Operator):
    """Ask the render farm for photoreal frames of the exported passes."""

    bl_idname = "dvp.submit"
    bl_label = "Submit to Farm"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    is_waiting: BoolProperty(name="Wait", description="Return when the job has ended; for scripts", default=False)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig and the network."""
        return may_submit(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit, and wait for the end where asked."""
        return reported(self, lambda: self._submit(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Submit from a thread and follow the job; the window stays alive."""
        del event
        return reported(self, lambda: f"Submitting {submit_and_follow(context)}")

    def _submit(self, context: bpy.types.Context) -> str:
        state = submit_scene(context, is_waiting=self.is_waiting)
        return f"{state.job_id}: {state.state}"


class DVP_OT_check_submission(bpy.types.Operator):
    """Look for everything that would keep the farm from giving good frames; nothing is sent."""

    bl_idname = "dvp.check_submission"
    bl_label = "Check"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig."""
        return has_rig(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check, and list what was found in the panel."""
        return reported(self, lambda: self._check(context))

    def _check(self, context: bpy.types.Context) -> str:
        problems = check_submission(context)
        show_problems(context.scene, problems)
        if not problems:
            return "Ready to submit"
        return f"{len(problems)} to look at: {problems[0].sentence}. {problems[0].remedy}"


class DVP_OT_watch_job(OfJob, bpy.types.Operator):
    """Ask the farm how far the job is, and follow it until it ends."""

    bl_idname = "dvp.watch_job"
    bl_label = "Follow"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask once."""
        return reported(self, lambda: self._ask(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the job from a thread."""
        del event
        return reported(self, lambda: self._watch(context))

    def _ask(self, context: bpy.types.Context) -> str:
        state = job_state(farm_client(context), context.scene.dvp.job_id)
        show_job_state(context.scene, state)
        return f"{state.job_id}: {state.state}"

    def _watch(self, context: bpy.types.Context) -> str:
        job_id = context.scene.dvp.job_id
        watch(context.scene, JobWatcher(farm_client(context), job_id))
        return f"Following {job_id}"


class DVP_OT_cancel_job(OfJob, bpy.types.Operator):
    """Cancel the job on the farm; frames that are done stay."""

    bl_idname = "dvp.cancel_job"
    bl_label = "Cancel"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Cancel and show the new state."""
        return reported(self, lambda: self._cancel(context))

    def _cancel(self, context: bpy.types.Context) -> str:
        return _changed(context, cancel_job)


class DVP_OT_pause_job(OfJob, bpy.types.Operator):
    """Let no further chunk of the job begin."""

    bl_idname = "dvp.pause_job"
    bl_label = "Pause"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pause and show the new state."""
        return reported(self, lambda: _changed(context, pause_job))


class DVP_OT_resume_job(OfJob, bpy.types.Operator):
    """Let a paused job go on, or begin where it was submitted paused."""

    bl_idname = "dvp.resume_job"
    bl_label = "Resume"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Resume and show the new state."""
        return reported(self, lambda: _changed(context, resume_job))


class DVP_OT_show_log(OfJob, bpy.types.Operator):
    """Write the job's whole log into a text of this file."""

    bl_idname = "dvp.show_log"
    bl_label = "Whole Log"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it and say where it is."""
        return reported(self, lambda: self._write(context))

    def _write(self, context: bpy.types.Context) -> str:
        text = write_log(context.scene, farm_client(context))
        return f"The log stands in the text '{text.name}' (Text Editor)"


def _changed(context: bpy.types.Context, change: Callable[[FarmClient, str], JobState]) -> str:
    """Change the scene's job, show its new state and return a sentence."""
    state = change(farm_client(context), context.scene.dvp.job_id)
    show_job_state(context.scene, state)
    return f"{state.job_id}: {state.state}"


CLASSES = (
    DVP_OT_check_submission,
    DVP_OT_submit,
    DVP_OT_watch_job,
    DVP_OT_cancel_job,
    DVP_OT_pause_job,
    DVP_OT_resume_job,
    DVP_OT_show_log,
)
