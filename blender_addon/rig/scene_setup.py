# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as long, as fast and as large as the clip."""

from __future__ import annotations

from fractions import Fraction

import bpy

from dvp_core.data.clip import Clip


def set_up_scene(scene: bpy.types.Scene, clip: Clip) -> None:
    """Give the scene the clip's frame rate, frame range, size and pixel shape."""
    render = scene.render
    render.fps, render.fps_base = blender_rate(clip.fps)
    scene.frame_start = clip.frames.first
    scene.frame_end = clip.frames.last
    render.resolution_x = clip.width_px
    render.resolution_y = clip.height_px
    render.resolution_percentage = 100
    render.pixel_aspect_x = max(1.0, float(clip.pixel_aspect))
    render.pixel_aspect_y = max(1.0, float(1 / clip.pixel_aspect))


def blender_rate(fps: Fraction) -> tuple[int, float]:
    """Return Blender's integer rate and its divisor: 30000/1001 becomes 30 and 1.001."""
    whole = max(1, round(fps))
    return whole, float(whole / fps)
