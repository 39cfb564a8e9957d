# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""What a scene remembers of its job on the farm beyond `SceneSettings`: options, what the checks found, the log."""

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty


class CheckedProblem(bpy.types.PropertyGroup):
    """One thing that the checks found; see `submit_checks.Problem`."""

    bl_idname = "DVP_CheckedProblem"

    sentence: StringProperty(name="Problem", description="Where it is and what it is")
    remedy: StringProperty(name="Remedy", description="What to do about it")
    is_warning: BoolProperty(name="Warning", description="The job may be sent in spite of it")


class LogLine(bpy.types.PropertyGroup):
    """One line of the job's log on the farm."""

    bl_idname = "DVP_LogLine"

    text: StringProperty(name="Text")


class SubmitSettings(bpy.types.PropertyGroup):
    """Of a scene."""

    bl_idname = "DVP_SubmitSettings"

    chunk_size: IntProperty(
        name="Chunk",
        description="Frames that a worker takes at once; 0 leaves it to the farm, which goes by the time a frame takes",
        min=0,
        max=10_000,
        default=0,
    )
    is_paused_at_start: BoolProperty(
        name="Start Paused", description="The farm keeps the job back until it is resumed", default=False
    )
    notes: StringProperty(name="Notes", description="For the people who look at the job", default="", maxlen=1000)
    is_warning_accepted: BoolProperty(
        name="Accept Warnings",
        description="Send the job although the generator has not seen what some frames ask for",
        default=False,
    )
    is_checked: BoolProperty(name="Is Checked", description="The list of problems is that of the last check")
    problems: CollectionProperty(type=CheckedProblem, name="Problems")
    seconds_left: FloatProperty(
        name="Time Left", description="As the farm expects; below zero where it does not know", default=-1.0
    )
    frames_text: StringProperty(name="Frames Done", description="Such as 12 of 240 frames")
    log: CollectionProperty(type=LogLine, name="Log", description="The last lines of the job's log")
    submitted_output: StringProperty(
        name="Submitted Output", description="Where the job that was last submitted writes its frames"
    )
    submitted_rig: PointerProperty(type=bpy.types.Object, name="Submitted Rig", description="Whose job it is")
    submitted_frames: StringProperty(name="Submitted Frames", description="Frames of the job last submitted")
    is_result_landed: BoolProperty(
        name="Show Result When Done", description="Put the frames behind the rig and into the sequencer", default=True
    )


CLASSES = (CheckedProblem, LogLine, SubmitSettings)


def add_properties() -> None:
    """Hang the group on scenes."""
    bpy.types.Scene.dvp_submit = PointerProperty(type=SubmitSettings)


def remove_properties() -> None:
    """Take the group off again; what files stored stays in them."""
    del bpy.types.Scene.dvp_submit
