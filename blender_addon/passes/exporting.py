# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a scene's passes as `passes.####.exr` through the render engine.

The scene's own output settings are changed for the time of the export and put back, whatever happens. Each frame is
rendered under a temporary name and published by renaming, so that a stopped export leaves whole frames only.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import TRACKED_TAKE, Take, write_take

from .. import compat
from ..rig.memory import remembered_take
from ..rig.reading import rig_of_scene
from ..rig.timing import plate_frame, scene_frame
from .engine import ENGINE

_STAMPS = (
    "use_stamp_camera use_stamp_date use_stamp_filename use_stamp_frame use_stamp_frame_range use_stamp_hostname "
    "use_stamp_labels use_stamp_lens use_stamp_marker use_stamp_memory use_stamp_note use_stamp_render_time "
    "use_stamp_scene use_stamp_sequencer_strip use_stamp_time use_stamp"
).split()


def export_passes(
    scene: bpy.types.Scene,
    output: Path | str,
    frames: FrameRange | None = None,
    *,
    rig: bpy.types.Object | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write one `passes.####.exr` a frame and return the files.

    Args:
        scene: The scene with the rig.
        output: Folder, made where it is missing.
        frames: Plate frames; None takes the scene's range, as far as the take reaches.
        rig: Whose passes; None takes the scene's, as `rig_of_scene` finds it.
        progress: Told after every frame.

    Raises:
        DataError: No rig, no take, frames outside the take, or a folder that cannot be written.
    """
    wanted = frames_to_export(scene, frames, rig=rig)
    files = []
    for done, path in enumerate(iterate_export(scene, output, wanted, rig=rig), start=1):
        files.append(path)
        progress("passes", done, len(wanted))
    return files


def frames_to_export(
    scene: bpy.types.Scene, frames: FrameRange | None, *, rig: bpy.types.Object | None = None
) -> FrameRange:
    """Return the frames asked for, or the scene's range cut to the take.

    Raises:
        DataError: The take does not reach that far, or nothing is left.
    """
    rig = rig_of_scene(scene) if rig is None else rig
    available = remembered_take(rig).frames
    if frames is None:
        frames = FrameRange.of(number for number in shown_frames(scene, rig) if number in available)
    outside = [number for number in frames if number not in available]
    if outside or len(frames) == 0:
        what = f"frame {outside[0]} lies outside the take" if outside else "holds no frame of the take"
        raise DataError(what, where=f"frames {frames}", remedy=f"The take has {available}")
    return frames


def shown_frames(scene: bpy.types.Scene, rig: bpy.types.Object) -> list[int]:
    """Return the plate's frames that the scene's range shows of a rig, whether the take has them or not."""
    return [plate_frame(rig, frame) for frame in range(scene.frame_start, scene.frame_end + 1, scene.frame_step)]


def iterate_export(
    scene: bpy.types.Scene, output: Path | str, frames: FrameRange, *, rig: bpy.types.Object | None = None
) -> Iterator[Path]:
    """Yield each frame's file when it is in place; closing the iterator restores the scene.

    Beside them lies `TRACKED_TAKE`, by which a composed movie knows what the animator left alone.
    """
    folder = Path(bpy.path.abspath(str(output)))
    rig = rig_of_scene(scene) if rig is None else rig
    take = remembered_take(rig)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".passes.", suffix=".part", dir=folder))
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}", where=folder, remedy="Choose another folder"
        ) from error
    try:
        with _export_settings(scene, rig, take.crop.resolution_px):
            for frame in frames:
                exported = _export_frame(scene, rig, frame, temporary, folder)
                if frame == frames.first:
                    _write_tracked_take(folder / TRACKED_TAKE, take)
                yield exported
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_tracked_take(path: Path, take: Take) -> None:
    """Write the take as the rig shows it unedited; one whose face may not be passed on would be of no use there."""
    if take.face is None:
        path.unlink(missing_ok=True)
    else:
        write_take(path, take)


def _export_frame(scene: bpy.types.Scene, rig: bpy.types.Object, frame: int, temporary: Path, folder: Path) -> Path:
    name = f"passes.{frame:04d}.exr"
    scene.frame_set(scene_frame(rig, frame))
    scene.render.filepath = str(temporary / name)
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name)
        os.replace(temporary / name, folder / name)
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"frame {frame} was not rendered: {_plain(error)}",
            where=folder,
            remedy="Mend what is named, check that the disk has room, and export again",
        ) from error
    return folder / name


def _plain(error: Exception) -> str:
    return str(error).removeprefix("Error: ").strip().rstrip(".")


@contextmanager
def _export_settings(scene: bpy.types.Scene, rig: bpy.types.Object, resolution_px: int) -> Iterator[None]:
    """Set the scene up for the crop's passes, and put everything back afterwards."""
    render, frame = scene.render, scene.frame_current
    changes: list[tuple[Any, str, Any]] = [(render, name, False) for name in _STAMPS]
    changes += [
        (scene.dvp, "area", "CROP"),
        (scene.dvp, "rendered_rig", rig),
        (render, "engine", ENGINE),
        (render, "resolution_x", resolution_px),
        (render, "resolution_y", resolution_px),
        (render, "resolution_percentage", 100),
        (render, "pixel_aspect_x", 1.0),
        (render, "pixel_aspect_y", 1.0),
        (render, "filepath", render.filepath),
        (render, "use_border", False),
        (render, "use_compositing", False),
        (render, "use_sequencer", False),
        (render, "use_multiview", False),
        (render, "use_overwrite", True),
        (render, "use_file_extension", True),
        (render, "use_lock_interface", True),
    ]
    # One layer, so that every channel stands in the file once.
    changes += [(layer, "use", number == 0) for number, layer in enumerate(scene.view_layers)]
    with _restored_image_settings(render.image_settings), _changed(changes):
        compat.set_multilayer_exr(render.image_settings)
        try:
            yield
        finally:
            scene.frame_set(frame)


@contextmanager
def _changed(changes: list[tuple[Any, str, Any]]) -> Iterator[None]:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


@contextmanager
def _restored_image_settings(image_settings: bpy.types.ImageFormatSettings) -> Iterator[None]:
    # In this order: the kind of media decides which formats there are, the format which depths.
    names = ("media_type", "file_format", "color_mode", "color_depth", "exr_codec", "use_exr_interleave")
    before = [(name, getattr(image_settings, name)) for name in names if hasattr(image_settings, name)]
    try:
        yield
    finally:
        for name, value in before:
            setattr(image_settings, name, value)
