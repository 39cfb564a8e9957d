# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene frames and plate frames of a rig, which differ where the take was imported to begin at another scene frame.

Files know plate frames alone: takes, passes, edits, jobs and what comes back. What Blender holds, keys and strips and
the frame at which a scene stands, are scene frames. Both are turned into each other here only.
"""

from __future__ import annotations

from typing import TypeVar

import bpy
import numpy as np

from dvp_core.data.take import Take

Frame = TypeVar("Frame", int, float)


def scene_frame(rig: bpy.types.Object, plate_frame: Frame) -> Frame:
    """Return the scene's frame that shows a frame of the plate."""
    return plate_frame + rig.dvp_rig.frame_shift


def plate_frame(rig: bpy.types.Object, scene_frame: Frame) -> Frame:
    """Return the plate's frame that a frame of the scene shows."""
    return scene_frame - rig.dvp_rig.frame_shift


def scene_frames(rig: bpy.types.Object, take: Take) -> np.ndarray:
    """Return (F,) the scene's frames that show the take's, ascending."""
    return np.array(take.frames.numbers) + rig.dvp_rig.frame_shift
