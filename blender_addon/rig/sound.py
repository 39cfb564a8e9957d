# SPDX-License-Identifier: GPL-3.0-or-later
"""The plate's sound in the sequencer, where its pictures are, and playback that keeps to it.

Blender itself is asked whether a movie has sound; one that has none, or a Blender without sound, gets no strip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from dvp_core.data.errors import DataError

from .. import compat
from .memory import remembered_take
from .plate import plate_file, plate_of

SOUND_NAME = "Plate Sound"
_MARK = "dvp_sound_rig"
_SAME_RATE = 1e-4  # frames/s; Blender keeps the rate's divisor as float32


def add_plate_sound(scene: bpy.types.Scene, rig: bpy.types.Object) -> Any:
    """Put the sound of the rig's plate into the sequencer, and return its strip; None where the plate has none.

    A sound that lies there already, of this rig or of another one before the same plate, is not added again; one of a
    plate that the rig showed before goes. From then on playback drops pictures rather than lose the sound.

    Raises:
        DataError: The scene has not the clip's frame rate, so that picture and sound would drift apart.
    """
    file = plate_file(rig)
    if file is None or not has_sound(file):
        return None
    _check_rate(scene, rig)
    user = plate_of(rig).image_user
    first = user.frame_start - user.frame_offset  # where the movie's first picture would be
    strips = compat.sequencer_strips(scene.sequence_editor or scene.sequence_editor_create())
    found = next((strip for strip in strips if _is_same(strip, file, first)), None)
    for strip in [strip for strip in strips if strip.get(_MARK) == rig and strip != found]:
        strips.remove(strip)
    if found is None:
        channel = max((strip.channel for strip in strips), default=0) + 1
        found = strips.new_sound(name=SOUND_NAME, filepath=str(file), channel=channel, frame_start=first)
        found[_MARK] = rig
        found.show_waveform = True
        found.frame_final_start = max(found.frame_final_start, user.frame_start)
        found.frame_final_end = min(found.frame_final_end, user.frame_start + user.frame_duration)
    scene.sync_mode = "AUDIO_SYNC"
    return found


def has_sound(file: Path) -> bool:
    """Say whether Blender hears anything in a movie."""
    probe = bpy.data.sounds.load(str(file))
    is_heard = probe.channels != "INVALID"
    bpy.data.sounds.remove(probe)
    return is_heard


def _check_rate(scene: bpy.types.Scene, rig: bpy.types.Object) -> None:
    rate, fps = scene.render.fps / scene.render.fps_base, float(remembered_take(rig).clip.fps)
    if abs(rate - fps) > _SAME_RATE:
        raise DataError(
            f"runs at {rate:.6g} frames/s, and the clip at {fps:.6g}",
            where=f"scene '{scene.name}'",
            remedy="Set the clip's frame rate (Output properties), then add the sound again",
        )


def _is_same(strip: Any, file: Path, first: int) -> bool:
    """Say whether a strip plays a file from the same moment on, wherever it was cut."""
    is_file = strip.type == "SOUND" and Path(bpy.path.abspath(strip.sound.filepath)) == file
    return is_file and round(strip.frame_start) == first
