# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a scene's passes as `passes.####.exr`: the files that `dvp passes` writes of an untouched take.

Blender evaluates one frame after the other; threads beside it draw those that were read and write them. A frame is read
where views show it, which spares Blender's render call, except where only a render tells how the face is deformed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import TRACKED_TAKE, Take, write_take
from dvp_core.passes import pass_path, write_pass_frame

from ..rig.memory import remembered_face, remembered_take
from ..rig.reading import is_told_by_channels, rig_of_scene
from ..rig.timing import plate_frame, scene_frame
from .engine import seen_in_render
from .scene_passes import PosedFrame, draw_pass_frame, posed_frame

_THREADS = min(4, os.cpu_count() or 1)
_AHEAD = 2 * _THREADS  # frames that may wait to be drawn, so that memory stays bounded

Say = Callable[[str], None]
"""What takes sentences for the user."""


def say_nothing(note: str) -> None:
    """Keep a sentence for the user back."""
    del note


def export_passes(
    scene: bpy.types.Scene,
    output: Path | str,
    frames: FrameRange | None = None,
    *,
    rig: bpy.types.Object | None = None,
    progress: Progress = no_progress,
    say: Say = say_nothing,
) -> list[Path]:
    """Write one `passes.####.exr` a frame and return the files.

    Args:
        scene: The scene with the rig.
        output: Folder, made where it is missing.
        frames: Plate frames; None takes the scene's range, as far as the take reaches.
        rig: Whose passes; None takes the scene's, as `rig_of_scene` finds it.
        progress: Told after every frame.
        say: Told once of everything that the take's own controls do not tell, such as a modifier that deforms the face.

    Raises:
        DataError: No rig, no take, frames outside the take, or a folder that cannot be written.
    """
    wanted = frames_to_export(scene, frames, rig=rig)
    files = []
    for done, path in enumerate(iterate_export(scene, output, wanted, rig=rig, say=say), start=1):
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
    scene: bpy.types.Scene,
    output: Path | str,
    frames: FrameRange,
    *,
    rig: bpy.types.Object | None = None,
    say: Say = say_nothing,
) -> Iterator[Path]:
    """Yield each frame's file when it is in place, in order; closing the iterator puts the scene's frame back.

    Further frames may be in place by then. Beside them lies `TRACKED_TAKE`, by which a composed movie knows what the
    animator left alone.
    """
    folder = Path(bpy.path.abspath(str(output)))
    rig = rig_of_scene(scene) if rig is None else rig
    take, face = remembered_take(rig), remembered_face(rig)

    def write(posed: PosedFrame) -> Path:
        path = pass_path(folder, posed.frame)
        write_pass_frame(path, draw_pass_frame(take, face, posed, crop=take.crop))
        return path

    before, waiting = scene.frame_current, deque[Future[Path]]()
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="passes")
    try:
        for posed in _read_frames(scene, rig, take, frames, say):
            waiting.append(pool.submit(write, posed))
            if posed.frame == frames.first:
                waiting[0].result()
                _write_tracked_take(folder / TRACKED_TAKE, take)
            while waiting and (waiting[0].done() or len(waiting) > _AHEAD):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        scene.frame_set(before)


def _read_frames(
    scene: bpy.types.Scene, rig: bpy.types.Object, take: Take, frames: FrameRange, say: Say
) -> Iterator[PosedFrame]:
    said: set[str] = set()
    for frame in frames:
        posed = _read_frame(scene, rig, take, frame)
        for note in sorted(set(posed.pose.notes) - said):
            say(note)
        said.update(posed.pose.notes)
        yield posed


def _read_frame(scene: bpy.types.Scene, rig: bpy.types.Object, take: Take, frame: int) -> PosedFrame:
    """Return a frame's pose as a render has it; the scene stands at that frame afterwards."""
    scene.frame_set(scene_frame(rig, frame))
    depsgraph = scene.view_layers[0].depsgraph
    if is_told_by_channels(rig, take, depsgraph):
        return posed_frame(rig, take, depsgraph, frame=frame)
    return seen_in_render(scene, lambda evaluated: posed_frame(rig, take, evaluated, frame=frame))


def _write_tracked_take(path: Path, take: Take) -> None:
    """Write the take as the rig shows it unedited; one whose face may not be passed on would be of no use there."""
    if take.face is None:
        path.unlink(missing_ok=True)
    else:
        write_take(path, take)
