# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole act of submitting a scene: check, send, remember, and follow or wait."""

from __future__ import annotations

import bpy

from dvp_core.data.errors import DataError

from .actors import rig_of_context
from .farm_jobs import JobState, farm_client, make_job, remember_job, show_job_state, submit_job, wait_for_job
from .job_watcher import JobWatcher, watch
from .landing import land_submitted_result
from .submit_facts import refuse_problems


def submit_scene(context: bpy.types.Context, *, is_waiting: bool = False) -> JobState:
    """Check the scene's job, send it and return its state; for scripts.

    Args:
        context: Blender's context; its scene says what to send.
        is_waiting: Return when the job has ended, and bring its frames into the scene where the scene asks for that.

    Raises:
        DataError: The checks refuse it, the farm refuses it or does not answer, or the job that was waited for failed.
    """
    refuse_problems(context)
    scene = context.scene
    client, job = farm_client(context), make_job(context)
    state = submit_job(client, job)
    remember_job(scene, job, rig_of_context(context))
    if is_waiting:
        state = wait_for_job(client, job.id)
    show_job_state(scene, state)
    if state.state == "failed":
        raise DataError(f"failed: {state.message}", where=f"job {job.id}", remedy="See its log ('Whole Log')")
    if is_waiting and state.state == "completed" and scene.dvp_submit.is_result_landed:
        land_submitted_result(context, scene)
    return state


def submit_and_follow(context: bpy.types.Context) -> str:
    """Check the scene's job, send it from a thread, follow it there, and return its id at once.

    Raises:
        DataError: The checks refuse it, or no farm is known. What the farm says comes later, into the panel.
    """
    refuse_problems(context)
    client, job = farm_client(context), make_job(context)
    remember_job(context.scene, job, rig_of_context(context))
    watch(context.scene, JobWatcher(client, job.id, job))
    return job.id
