# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm's frames come back: behind the rig, at their place in the plate, and in the sequencer at their frames.

A job's frames are the take's square. Landing again replaces what landed before. Nothing is copied into the .blend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take

from . import compat
from .farm_jobs import local_path
from .rig.memory import remembered_take
from .rig.reading import rig_of_scene

RESULT_NAME = "Portrait Result"
_MARK = "dvp_result"
_COLOR_SPACE = "sRGB"
_TRUE_VIEW = "Standard"


@dataclass(frozen=True)
class LandedResult:
    """What stands in the scene.

    Attributes:
        frames: The frames whose files are there.
        missing: Those asked for whose files are not.
        image: The sequence behind the rig.
        strips: In the sequencer, one for each run of consecutive frames.
        notes: Sentences for the user.
    """

    frames: FrameRange
    missing: FrameRange
    image: bpy.types.Image
    strips: tuple[Any, ...]
    notes: tuple[str, ...]


def land_result(scene: bpy.types.Scene, template: Path | str, frames: FrameRange) -> LandedResult:
    """Show a job's frames behind the rig and in the sequencer; what landed before goes, but for its opacity.

    The strips do not take F12 away from the passes: where the sequencer held no pictures, 'Sequencer' is switched off
    in the scene's output settings.

    Args:
        scene: The scene with the rig.
        template: Path of the frames, one run of `#` for the number.
        frames: The job's frames; those whose files are missing are left out.

    Raises:
        DataError: No rig, no camera, a template without `#`, or none of the files is there.
    """
    rig = rig_of_scene(scene)
    take = remembered_take(rig)
    camera = rig.dvp_rig.camera
    if camera is None or camera.type != "CAMERA":
        raise DataError("has lost its camera", where=rig.name, remedy="Import the take again")
    there = FrameRange.of(frame for frame in frames if frame_file(template, frame).is_file())
    if not len(there):
        raise DataError(
            f"none of the frames {frames} is there",
            where=template,
            remedy="Wait for the job, or look whether the farm's folder is mounted here",
        )
    before = result_of(scene)
    opacity = 1.0 if before is None else before.alpha
    take_result_away(scene)
    image = _put_behind(camera, template, there, take, opacity=opacity)
    strips = tuple(_add_strips(scene, template, there, take))
    missing = FrameRange.of(frame for frame in frames if frame not in there)
    return LandedResult(there, missing, image, strips, tuple(_notes(scene, missing)))


def land_submitted_result(context: bpy.types.Context, scene: bpy.types.Scene) -> LandedResult:
    """Show the frames of the job last submitted from a scene; see `land_result`.

    Raises:
        DataError: No job was submitted, or its folder is one of the farm's that this machine does not know.
    """
    options = scene.dvp_submit
    if not options.submitted_output:
        raise DataError("no job was submitted from it", where=f"scene '{scene.name}'", remedy="Submit one first")
    template = local_path(context, options.submitted_output)
    if template is None:
        raise DataError(
            "lies in a root of the farm's that has no folder here",
            where=options.submitted_output,
            remedy="Name its folder in the add-on's preferences, or land_result(scene, path, frames) from a script",
        )
    return land_result(scene, template, FrameRange.parse(options.submitted_frames))


def take_result_away(scene: bpy.types.Scene) -> bool:
    """Remove what landed in a scene and say whether there was anything; the files stay."""
    is_found = False
    for camera in _cameras_of(scene):
        is_found |= _clear_behind(camera)
    if scene.sequence_editor is not None:
        strips = compat.sequencer_strips(scene.sequence_editor)
        for strip in [strip for strip in strips if strip.get(_MARK)]:
            strips.remove(strip)
            is_found = True
    return is_found


def result_of(scene: bpy.types.Scene) -> Any:
    """Return the camera background that shows the result, or None; its `alpha` is the slider between plate and result.

    Blender draws the pictures behind a camera in their order, the last on top, so that the plate needs no change.
    """
    pictures = (picture for camera in _cameras_of(scene) for picture in camera.data.background_images)
    return next((picture for picture in pictures if _is_result(picture)), None)


def frame_file(template: Path | str, frame: int) -> Path:
    """Return the file of one frame.

    Raises:
        DataError: The template's last part has not exactly one run of `#`.
    """
    path = Path(template)
    runs = re.findall(r"#+", path.name)
    if len(runs) != 1:
        raise DataError(
            "needs one run of # for the frame number", where=template, remedy="Write for example frames/frame.####.png"
        )
    return path.with_name(path.name.replace(runs[0], f"{frame:0{len(runs[0])}d}"))


def _cameras_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the cameras of the scene's rigs, each once."""
    rigs = [item for item in scene.objects if item.type == "ARMATURE" and item.dvp_rig.is_rig]
    cameras = dict.fromkeys(rig.dvp_rig.camera for rig in rigs)
    return [camera for camera in cameras if camera is not None and camera.type == "CAMERA"]


def _is_result(background: Any) -> bool:
    return background.image is not None and bool(background.image.get(_MARK))


def _put_behind(
    camera: bpy.types.Object, template: Path | str, frames: FrameRange, take: Take, *, opacity: float
) -> bpy.types.Image:
    image = bpy.data.images.load(str(frame_file(template, frames.first)))
    image.name = RESULT_NAME
    image.source = "SEQUENCE"
    image.colorspace_settings.name = _COLOR_SPACE
    image.display_aspect = (float(take.clip.pixel_aspect), 1.0)  # a square of the plate's pixels, which may be oblong
    image[_MARK] = True
    background = camera.data.background_images.new()
    background.source = "IMAGE"
    background.image = image
    background.alpha = opacity
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    background.scale, background.offset = place_behind(take)
    user = background.image_user
    user.frame_start = frames.first
    user.frame_duration = frames.last - frames.first + 1
    # Blender shows picture number (scene frame - frame_start + 1 + frame_offset); here that is the scene's frame.
    user.frame_offset = frames.first - 1
    user.use_auto_refresh = True
    camera.data.show_background_images = True
    return image


def place_behind(take: Take) -> tuple[float, tuple[float, float]]:
    """Return scale and offset of a background that shows the take's square where it lies in the plate.

    A square that fits the camera's frame is as large as the frame's shorter side. Both offsets count widths of the
    frame, upwards too, whatever the manual says; in an upright frame they count once more its height over its width
    (the viewport's arithmetic since 2.80, overlay_image.cc).
    """
    crop, width, height = take.crop, take.clip.width_px, take.clip.height_px
    scale = crop.size_px / min(width, height)
    right_px = crop.x_px + crop.size_px / 2 - width / 2
    up_px = height / 2 - crop.y_px - crop.size_px / 2
    upright = max(1.0, height / (width * float(take.clip.pixel_aspect)))
    return scale, (right_px / width * upright, up_px / width * upright)


def _clear_behind(camera: bpy.types.Object) -> bool:
    pictures = camera.data.background_images
    found = [background for background in pictures if _is_result(background)]
    for background in found:
        image = background.image
        pictures.remove(background)
        bpy.data.images.remove(image)
    return bool(found)


def _add_strips(scene: bpy.types.Scene, template: Path | str, frames: FrameRange, take: Take) -> Iterator[Any]:
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = compat.sequencer_strips(editor)
    if not any(strip.type != "SOUND" for strip in strips):
        scene.render.use_sequencer = False
    channel = max((strip.channel for strip in strips), default=0) + 1
    for run in runs_of(frames):
        name = f"{RESULT_NAME} {run[0]}"
        first = frame_file(template, run[0])
        strip = strips.new_image(name=name, filepath=str(first), channel=channel, frame_start=run[0])
        for frame in run[1:]:
            strip.elements.append(frame_file(template, frame).name)
        strip.frame_final_duration = len(run)
        strip.colorspace_settings.name = _COLOR_SPACE
        strip.blend_type = "ALPHA_OVER"
        strip[_MARK] = True
        _place_strip(strip, scene, take)
        yield strip


def _place_strip(strip: Any, scene: bpy.types.Scene, take: Take) -> None:
    """Move and size a strip of squares so that they lie where the plate has them; offsets count pixels, upwards."""
    crop = take.crop
    scale = scene.render.resolution_x / take.clip.width_px
    transform = strip.transform
    transform.scale_x = transform.scale_y = scale / crop.scale
    transform.offset_x = scale * (crop.x_px + crop.size_px / 2 - take.clip.width_px / 2)
    transform.offset_y = scale * (take.clip.height_px / 2 - crop.y_px - crop.size_px / 2)


def runs_of(frames: FrameRange) -> list[list[int]]:
    """Return the frames cut into runs of consecutive numbers."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][-1] + 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _notes(scene: bpy.types.Scene, missing: FrameRange) -> Iterator[str]:
    if len(missing):
        yield f"not there: frames {missing}"
    view = scene.view_settings.view_transform
    if view != _TRUE_VIEW:
        yield f"the view transform '{view}' changes their colours; '{_TRUE_VIEW}' shows them as rendered"
