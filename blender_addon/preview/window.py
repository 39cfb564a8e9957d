# SPDX-License-Identifier: GPL-3.0-or-later
"""The window of poses that ends at the frame a scene shows, and its passes.

The frame that is shown is read as it is seen, keys or not. Those before it are evaluated in a second scene that holds
the same objects and is gone afterwards: Blender writes the animation of a frame into the objects only for the scene in
the window, so a pose that was not keyed yet survives, and the user's frame stays. Poses are read in Blender's main
thread; drawing them into passes needs no Blender and is done in any.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.files import canonical_json, sha256_of_bytes
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import WINDOW_FRAMES
from dvp_core.data.preview import pack_pass_frame
from dvp_core.data.take import Take

from ..actors import rig_of_context
from ..passes.scene_passes import PosedFrame, draw_pass_frame, posed_frame
from ..rig.memory import remembered_face, remembered_take
from ..rig.reading import face_object_of
from ..rig.scene_aside import scene_aside
from ..rig.timing import plate_frame, scene_frame

_KEPT_FRAMES = 64
_HELPER_NAME = "Portrait Preview Frames"


@dataclass(frozen=True)
class PosedWindow:
    """What a preview is painted from.

    Attributes:
        scene_name: The scene it was read from.
        rig_name: The armature object in it.
        take: The rig's take.
        face: The face that it poses.
        frames: Consecutive, oldest first; the last is the one that the scene shows.
    """

    scene_name: str
    rig_name: str
    take: Take
    face: FaceModel
    frames: tuple[PosedFrame, ...]

    @property
    def stamp(self) -> str:
        """Hash over the whole window."""
        stamps = [frame.stamp for frame in self.frames]
        return sha256_of_bytes(canonical_json([self.take.sha256, self.frames[-1].frame, *stamps]))


@dataclass
class PackedFrames:
    """Frames drawn and packed lately, by stamp: while a pose is worked on, those before it come again and again."""

    kept: OrderedDict[tuple[str, int, str], bytes] = field(default_factory=OrderedDict)

    def of_window(self, window: PosedWindow) -> tuple[bytes, ...]:
        """Return a window's frames, drawn where they are not known; needs no Blender, so any thread may call it."""
        return tuple(self._packed(window, posed) for posed in window.frames)

    def _packed(self, window: PosedWindow, posed: PosedFrame) -> bytes:
        key = (window.take.sha256, posed.frame, posed.stamp)
        content = self.kept.pop(key, None)
        if content is None:
            content = pack_pass_frame(draw_pass_frame(window.take, window.face, posed, crop=window.take.crop))
        self.kept[key] = content
        while len(self.kept) > _KEPT_FRAMES:
            self.kept.popitem(last=False)
        return content


def read_window(context: bpy.types.Context) -> PosedWindow:
    """Return the window that ends at the scene's frame; neither frame nor pose of the scene change.

    Raises:
        DataError: No rig, no take, a frame outside the take, or a rig that cannot be read.
    """
    scene = context.scene
    rig = rig_of_context(context)
    take, face = remembered_take(rig), remembered_face(rig)
    last = plate_frame(rig, scene.frame_current)
    if last not in take.frames:
        raise DataError(
            f"frame {last} lies outside the take", where=f"scene '{scene.name}'", remedy=f"The take has {take.frames}"
        )
    shown = posed_frame(rig, take, context.evaluated_depsgraph_get(), frame=last)
    earlier = FrameRange.of(frame for frame in range(last - WINDOW_FRAMES + 1, last) if frame in take.frames)
    before = _frames_before(context, rig, take, earlier) if len(earlier) else ()
    return PosedWindow(scene.name, rig.name, take, face, (*before, shown))


def is_reading() -> bool:
    """Say whether a window is being read, so that what Blender tells its handlers meanwhile is nobody's edit."""
    return bool(_reading)


_reading: list[str] = []


def _frames_before(
    context: bpy.types.Context, rig: bpy.types.Object, take: Take, frames: FrameRange
) -> tuple[PosedFrame, ...]:
    with _helper_scene(context, rig) as helper:
        posed = []
        for frame in frames:
            helper.frame_set(scene_frame(rig, frame))
            posed.append(posed_frame(rig, take, helper.view_layers[0].depsgraph, frame=frame))
        return tuple(posed)


@contextmanager
def _helper_scene(context: bpy.types.Context, rig: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """Give a scene of the rig's objects alone, timed like the user's; it goes away with the block."""
    scene = context.scene
    _reading.append(scene.name)
    camera = rig.dvp_rig.camera
    try:
        with scene_aside(_HELPER_NAME, scene, rig, face_object_of(rig), camera) as helper:
            helper.camera = camera
            yield helper
    finally:
        context.view_layer.update()  # Blender has its objects' relations to sort anew, which is no edit either
        _reading.pop()
