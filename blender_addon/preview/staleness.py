# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the preview on the screen still is the pose that the scene shows; cheap enough to be asked at every redraw.

Compared are frame, generator and the pose of the shown frame. The ten frames before it are not read for that: any edit
of keys makes the preview stale until it is asked for again or is found to be the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from dvp_core.data.errors import DataError

from ..farm_jobs import preview_paths
from ..passes.scene_passes import posed_frame
from ..rig.memory import remembered_take
from ..rig.timing import plate_frame
from .picture import ShownPreview, shown_preview


def mark_changes(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, *, is_edit: bool = False) -> bool:
    """Compare the shown preview with an evaluated scene, mark it, and say whether the mark has changed.

    Args:
        scene: The scene that was evaluated.
        depsgraph: Its evaluation.
        is_edit: Whether Blender tells of changes; of another frame it tells as if every action had been edited.
    """
    if is_edit and any(isinstance(update.id, bpy.types.Action) for update in depsgraph.updates):
        _edits.count += 1
    shown = shown_preview()
    if shown is None or shown.scene_name != scene.name:
        return False
    before = shown.is_stale
    shown.is_stale = shown.edit_count != _edits.count or not _is_same(shown, scene, depsgraph)
    return shown.is_stale != before


@dataclass
class _Edits:
    """How often keys were edited in this session."""

    count: int = 0


_edits = _Edits()


def edit_count() -> int:
    """Return how often keys were edited; a preview holds as long as that stays what it was when its window was read."""
    return _edits.count


def _is_same(shown: ShownPreview, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> bool:
    rig = scene.objects.get(shown.rig_name)
    if rig is None or not rig.dvp_rig.is_rig:
        return False
    try:
        if plate_frame(rig, scene.frame_current) != shown.frame:
            return False
        posed = posed_frame(rig, remembered_take(rig), depsgraph, frame=shown.frame)
        return posed.stamp == shown.pose_stamp and preview_paths(bpy.context, rig)[0] == shown.generator
    except DataError:
        return False
