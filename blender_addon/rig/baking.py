# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of performance merged into one, on request: what is seen below the animator's keys, frame by frame.

The numbers are those that Blender evaluates, so the baked layer shows what the layers showed. The tracked strip stays
below, the animator's keys above.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from dvp_core.data.errors import DataError

from ..compat import ActionCurves, kind_of
from .animation import Channel
from .homes import performance_owners
from .layer_curves import LayerCurves
from .layer_settling import build_layer, settle
from .layer_store import check_all_play, check_editable, new_layer, remove_layer
from .layer_strips import layer_strip
from .memory import remembered_take
from .timing import scene_frames

BAKED = "Baked"


def bake_layers(rig: bpy.types.Object, scene: bpy.types.Scene) -> str:
    """Merge all layers into one over the take's frames, and return its name.

    The baked layer has a strength and a place in time like any other; outside the take's frames it holds its ends.

    Raises:
        DataError: There is no layer, a strip is in tweak mode, or a track is solo.
    """
    merged = [layer.name for layer in rig.dvp_layers.layers]
    if not merged:
        raise DataError("has no layer to bake", where=rig.name, remedy="Add a performer first")
    check_editable(rig)
    check_all_play(rig)
    take = remembered_take(rig)
    channels, frames = _layered_channels(rig, merged), scene_frames(rig, take)
    with _animator_off(rig, merged), _frame_kept(scene):
        values = _evaluated(scene, channels, frames.tolist())
    baked: dict[bpy.types.ID, list[Channel]] = {}
    for (owner, channel), column in zip(channels, values.T, strict=True):
        baked.setdefault(owner, []).append(Channel(channel.data_path, channel.index, column, channel.group))
    layer = new_layer(rig, BAKED)
    build_layer(rig, layer, LayerCurves(frames, float(take.frame_count - 1), 0.0, list(baked.items())), take)
    name = layer.name
    for strip in filter(None, (layer_strip(owner, name) for owner in baked)):
        strip.extrapolation = "HOLD"
    for merged_name in merged:
        remove_layer(rig, merged_name)
    settle(rig, rig.dvp_layers.layers[name])
    return name


def _layered_channels(rig: bpy.types.Object, layers: list[str]) -> list[tuple[bpy.types.ID, Channel]]:
    """Return each channel that a layer animates, once, without values."""
    found: dict[tuple[str, str, int], tuple[bpy.types.ID, Channel]] = {}
    for owner in performance_owners(rig):
        for strip in filter(None, (layer_strip(owner, name) for name in layers)):
            for curve in ActionCurves(strip.action, owner):
                group = curve.group.name if curve.group else ""
                channel = Channel(curve.data_path, curve.array_index, np.zeros(0), group)
                found.setdefault((kind_of(owner), channel.data_path, channel.index), (owner, channel))
    return list(found.values())


def _evaluated(scene: bpy.types.Scene, channels: list[tuple[bpy.types.ID, Channel]], frames: list[int]) -> np.ndarray:
    """Return (F, C) float32: every channel as the scene evaluates it at every frame."""
    values = np.empty((len(frames), len(channels)), np.float32)
    for row, frame in enumerate(frames):
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        evaluated = {owner: owner.evaluated_get(depsgraph) for owner in {owner for owner, _ in channels}}
        for column, (owner, channel) in enumerate(channels):
            value = evaluated[owner].path_resolve(channel.data_path)
            values[row, column] = value if isinstance(value, float) else value[channel.index]
    return values


@contextmanager
def _animator_off(rig: bpy.types.Object, layers: list[str]) -> Iterator[None]:
    """Switch off what lies above the layers: the animator's keys, and strips made of them."""
    owners = [owner.animation_data for owner in performance_owners(rig)]
    influences = [animation.action_influence for animation in owners]
    above = [track for animation in owners for track in _tracks_above(animation, layers) if not track.mute]
    for animation in owners:
        animation.action_influence = 0.0
    for track in above:
        track.mute = True
    try:
        yield
    finally:
        for animation, influence in zip(owners, influences, strict=True):
            animation.action_influence = influence
        for track in above:
            track.mute = False


def _tracks_above(animation: bpy.types.AnimData, layers: list[str]) -> list[bpy.types.NlaTrack]:
    tracks = list(animation.nla_tracks)
    highest = max((number for number, track in enumerate(tracks) if track.name in layers), default=len(tracks))
    return tracks[highest + 1 :]


@contextmanager
def _frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    frame, part = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=part)
