# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers from a scene what the checks before a submission look at, and shows what they found."""

from __future__ import annotations

import bpy
import numpy as np

from dvp_core.data.coverage import parameter_values
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.generator_header import read_generator_header
from dvp_core.data.take import Take

from .actors import named_for, passes_folder_of, rig_of_context
from .farm_jobs import local_path, path_errors
from .passes.exporting import shown_frames
from .rig.memory import remembered_take
from .rig.reading import read_pose
from .rig.timing import scene_frame
from .submit_checks import Problem, Submission, problems_of, unseen_poses


def check_submission(context: bpy.types.Context) -> tuple[Problem, ...]:
    """Return everything that is wrong with the scene's job, errors before warnings; nothing is sent or changed.

    Poses are read only where the job could be sent without them, because that plays the frames once.
    """
    submission = submission_of(context)
    found = problems_of(submission)
    if any(not problem.is_warning for problem in found):
        return found
    return (*found, *_unseen_poses(context, submission))


def show_problems(scene: bpy.types.Scene, problems: tuple[Problem, ...]) -> None:
    """Write what the checks found where the panels read it."""
    options = scene.dvp_submit
    options.problems.clear()
    for problem in problems:
        item = options.problems.add()
        item.sentence, item.remedy, item.is_warning = problem.sentence, problem.remedy, problem.is_warning
    options.is_checked = True


def refuse_problems(context: bpy.types.Context) -> None:
    """Check the scene's job, show what was found, and refuse it where it cannot be sent.

    Raises:
        DataError: The first problem; a warning only where the scene does not accept warnings.
    """
    problems = check_submission(context)
    show_problems(context.scene, problems)
    accepts = context.scene.dvp_submit.is_warning_accepted
    refused = [problem for problem in problems if not (problem.is_warning and accepts)]
    if refused:
        raise refused[0].as_error()


def submission_of(context: bpy.types.Context) -> Submission:
    """Return the facts of the scene's job; what cannot be gathered is told in `refused`."""
    scene = context.scene
    refused: list[DataError] = []
    rig = _rig_of(context, refused)
    take = _take_of(rig, refused)
    frames = _frames_of(scene, rig, take, refused)
    refused += path_errors(context, rig)
    settings = scene.dvp
    return Submission(
        blend_path=bpy.data.filepath,
        refused=tuple(refused),
        take=take,
        frames=frames,
        passes=local_path(context, passes_folder_of(scene, rig)),
        generator=local_path(context, named_for(settings.generator, rig)),
        plate=local_path(context, named_for(settings.plate, rig)),
        consent=local_path(context, named_for(settings.consent, rig)),
    )


def _rig_of(context: bpy.types.Context, refused: list[DataError]) -> bpy.types.Object | None:
    try:
        return rig_of_context(context)
    except DataError as error:
        refused.append(error)
        return None


def _take_of(rig: bpy.types.Object | None, refused: list[DataError]) -> Take | None:
    try:
        return None if rig is None else remembered_take(rig)
    except DataError as error:
        refused.append(error)
        return None


def _frames_of(
    scene: bpy.types.Scene, rig: bpy.types.Object | None, take: Take | None, refused: list[DataError]
) -> FrameRange | None:
    """Return the frames that the field names; empty, those of the scene's range that the take has."""
    try:
        if scene.dvp.frames.strip():
            return FrameRange.parse(scene.dvp.frames)
    except DataError as error:
        refused.append(error)
        return None
    if rig is None or take is None:
        return None
    return FrameRange.of(frame for frame in shown_frames(scene, rig) if frame in take.frames)


def _unseen_poses(context: bpy.types.Context, submission: Submission) -> tuple[Problem, ...]:
    take, frames, generator = submission.take, submission.frames, submission.generator
    if take is None or frames is None or generator is None:
        return ()
    try:
        values = performance_of_frames(context, frames)
        return unseen_poses(read_generator_header(generator).coverage, take, frames, values)
    except DataError as error:
        return (Problem.of_error(error, where="Rig", remedy="Import the take again"),)


def performance_of_frames(context: bpy.types.Context, frames: FrameRange) -> np.ndarray:
    """Return the edited performance (F, P) as `parameter_values` gives it; the scene comes back to its frame.

    Raises:
        DataError: No rig, no take, or a rig that cannot be read.
    """
    scene = context.scene
    rig = rig_of_context(context)
    take = remembered_take(rig)
    before, poses = scene.frame_current, []
    try:
        for frame in frames:
            scene.frame_set(scene_frame(rig, frame))
            poses.append(read_pose(rig, take, context.evaluated_depsgraph_get()))
    finally:
        scene.frame_set(before)
    return parameter_values(
        np.stack([pose.head_rotation_wxyz for pose in poses]),
        np.stack([pose.head_translation_m for pose in poses]),
        np.stack([pose.gaze_rad for pose in poses]),
        np.stack([pose.expression for pose in poses]),
    )
