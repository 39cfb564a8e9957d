# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""Export of the conditioning passes: at once from scripts, frame by frame with Esc to stop from the window."""

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.props import StringProperty

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange

from ..actors import passes_folder_of, rig_of_context
from ..passes.exporting import export_passes, frames_to_export, iterate_export
from .reporting import reported


def has_rig(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Say whether the scene has a portrait rig, and tell the operator why not."""
    try:
        rig_of_context(context)
    except DataError as error:
        operator.poll_message_set(str(error))
        return False
    return True


def parsed_frames(text: str) -> FrameRange | None:
    """Return the frames a field names, or None where it is empty."""
    return FrameRange.parse(text) if text.strip() else None


class DVP_OT_export_passes(bpy.types.Operator):
    """Write the conditioning passes of the take's crop as multilayer EXR."""

    bl_idname = "dvp.export_passes"
    bl_label = "Export Passes"
    bl_options = {"REGISTER"}  # noqa: RUF012 - Blender reads the class's own set

    is_running = False  # of the class: one export at a time, since each changes and restores the scene's settings

    output: StringProperty(name="Folder", description="Empty takes the scene's", default="")
    frames: StringProperty(name="Frames", description="Empty takes the scene's", default="")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig, and no other export at work."""
        if DVP_OT_export_passes.is_running:
            cls.poll_message_set("An export is running (Esc stops it)")
            return False
        return has_rig(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Export all frames before returning."""
        return reported(self, lambda: self._export(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Export one frame at a time, so that the window stays alive."""
        del event
        try:
            self._start(context)
        except DataError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.progress_begin(0, self._count)
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Export the next frame at each tick; Esc stops."""
        if event.type == "ESC":
            self._stop(context)
            self.report({"WARNING"}, f"Stopped after {self._done} of {self._count} frames")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        try:
            next(self._exports)
        except StopIteration:
            self._stop(context)
            self.report({"INFO"}, f"Exported {self._done} frames")
            return {"FINISHED"}
        except DataError as error:
            self._stop(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._done += 1
        context.window_manager.progress_update(self._done)
        context.workspace.status_text_set(f"Passes: {self._done} of {self._count} (Esc stops)")
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Put the scene back when Blender ends the operator."""
        self._stop(context)

    def _export(self, context: bpy.types.Context) -> str:
        rig, frames = rig_of_context(context), parsed_frames(self._frames(context))
        files = export_passes(context.scene, self._folder(context.scene, rig), frames, rig=rig, say=self._say)
        return f"Exported {len(files)} frames to {files[0].parent}"

    def _start(self, context: bpy.types.Context) -> None:
        rig = rig_of_context(context)
        frames = frames_to_export(context.scene, parsed_frames(self._frames(context)), rig=rig)
        folder = self._folder(context.scene, rig)
        self._exports: Iterator[Path] = iterate_export(context.scene, folder, frames, rig=rig, say=self._say)
        self._done, self._count = 0, len(frames)
        DVP_OT_export_passes.is_running = True

    def _stop(self, context: bpy.types.Context) -> None:
        DVP_OT_export_passes.is_running = False
        close = getattr(self._exports, "close", None)
        if close is not None:
            close()
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)

    def _say(self, note: str) -> None:
        self.report({"INFO"}, note)

    def _folder(self, scene: bpy.types.Scene, rig: bpy.types.Object) -> str:
        return self.output or passes_folder_of(scene, rig)

    def _frames(self, context: bpy.types.Context) -> str:
        return self.frames or context.scene.dvp.frames


CLASSES = (DVP_OT_export_passes,)
