# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene made aside for a moment, in which other frames can be evaluated while the user's keeps its frame and pose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_TIMING = ("fps", "fps_base", "frame_map_old", "frame_map_new")


@contextmanager
def scene_aside(name: str, like: bpy.types.Scene, *items: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """Give a scene of some objects alone, timed like another one; it goes away with the block.

    Args:
        name: What it is called meanwhile.
        like: The scene whose timing it has.
        items: Its objects.
    """
    aside = bpy.data.scenes.new(name)
    try:
        for setting in _TIMING:
            setattr(aside.render, setting, getattr(like.render, setting))
        for item in items:
            aside.collection.objects.link(item)
        yield aside
    finally:
        bpy.data.scenes.remove(aside)
