# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as long, as fast and as large as the clip, which shows colours as they are."""

from __future__ import annotations

from fractions import Fraction

import bpy

from dvp_core.data.clip import Clip

from .plate import TRUE_VIEW


def set_up_scene(scene: bpy.types.Scene, clip: Clip, *, shift: int = 0) -> None:
    """Give the scene the clip's frame rate, frame range, size and pixel shape, and the view transform 'Standard'.

    Blender's own default transform is made for rendered light; it would give the face other colours than the plate's.

    Args:
        scene: The scene.
        clip: What it shows.
        shift: How much later than the plate's its frames are numbered.
    """
    render = scene.render
    render.fps, render.fps_base = blender_rate(clip.fps)
    scene.frame_start = clip.frames.first + shift
    scene.frame_end = clip.frames.last + shift
    render.resolution_x = clip.width_px
    render.resolution_y = clip.height_px
    render.resolution_percentage = 100
    render.pixel_aspect_x = max(1.0, float(clip.pixel_aspect))
    render.pixel_aspect_y = max(1.0, float(1 / clip.pixel_aspect))
    scene.view_settings.view_transform = TRUE_VIEW


def blender_rate(fps: Fraction) -> tuple[int, float]:
    """Return Blender's integer rate and its divisor: 30000/1001 becomes 30 and 1.001."""
    whole = max(1, round(fps))
    return whole, float(whole / fps)
