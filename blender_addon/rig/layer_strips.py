# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer as NLA strips: one on each data-block it animates, replacing what lies below by its influence.

Replacing is Blender's `below * (1 - influence) + strip * influence`, so influence 0 leaves the tracked values bit for
bit and influence 1 gives the strip's. The influence is a curve of the strip, which the animator may key further.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import bpy
import numpy as np

from ..compat import ActionCurves, assign_strip_slot
from .animation import Channel, fill_curve, tracked_values

Key = tuple[float, float]


def add_layer_strip(
    owner: bpy.types.ID, name: str, channels: list[Channel], frames: np.ndarray, *, above: Collection[str]
) -> None:
    """Add a track of one strip that replaces what is below, and only where it lies.

    Args:
        owner: The data-block.
        name: Of track, strip and action.
        channels: What the strip animates.
        frames: (N,) frames of its keys, ascending.
        above: Names of tracks; the new one comes directly above the highest, below what the animator pushed down.
    """
    curves = ActionCurves(bpy.data.actions.new(name), owner)
    fill_curves(curves, channels, frames)
    tracks = owner.animation_data_create().nla_tracks
    track = tracks.new(prev=_highest(tracks, above))
    track.name = name
    strip = track.strips.new(name, int(frames[0]), curves.action)
    assign_strip_slot(strip, curves)
    strip.use_auto_blend = False
    strip.blend_type = "REPLACE"
    strip.extrapolation = "NOTHING"
    strip.use_animated_influence = True
    clear_influence(strip)


def _highest(tracks: bpy.types.NlaTracks, names: Collection[str]) -> bpy.types.NlaTrack | None:
    found = [track for track in tracks if track.name in names]
    return found[-1] if found else None


def fill_curves(curves: ActionCurves, channels: list[Channel], frames: np.ndarray) -> None:
    """Give an action these curves and no others of the data-block."""
    curves.clear()
    for channel in channels:
        fill_curve(curves.new(channel.data_path, channel.index, group=channel.group), frames, channel.values)


def layer_strip(owner: bpy.types.ID, name: str) -> bpy.types.NlaStrip | None:
    """Return a layer's strip on a data-block, or None."""
    animation_data = owner.animation_data
    track = animation_data.nla_tracks.get(name) if animation_data else None
    return track.strips[0] if track is not None and track.strips else None


def remove_layer_strip(owner: bpy.types.ID, name: str) -> None:
    """Remove a layer's track from a data-block, if there is one, and its action where nothing else uses it."""
    strip = layer_strip(owner, name)
    action = strip.action if strip is not None else None
    tracks = owner.animation_data.nla_tracks if owner.animation_data else None
    if tracks is not None and name in tracks:
        tracks.remove(tracks[name])
    if action is not None and action.users == 0:
        bpy.data.actions.remove(action)


def shift_strip(strip: bpy.types.NlaStrip, frame_count: int) -> None:
    """Move a strip and the keys of its influence in time."""
    if not frame_count:
        return
    # The end that leads the way goes first: Blender keeps start and end in order.
    if frame_count > 0:
        strip.frame_end += frame_count
        strip.frame_start += frame_count
    else:
        strip.frame_start += frame_count
        strip.frame_end += frame_count
    curve = strip.fcurves.find("influence")
    for point in curve.keyframe_points:
        point.co.x += frame_count
        point.handle_left.x += frame_count
        point.handle_right.x += frame_count
    curve.update()


def fading_keys(
    strip: bpy.types.NlaStrip, strength: float, *, content_frames: float, fade_frames: float, first_frame: int
) -> list[Key]:
    """Return the keys of an influence that holds the strength over the content and fades where a strip begins or ends.

    Args:
        strip: Where it lies, and how far it was stretched, counts.
        strength: 0..1.
        content_frames: Length of the performance before stretching.
        fade_frames: Length of a fade before stretching; 0 fades nowhere.
        first_frame: The rig's first frame; a strip that begins no later has nothing to fade in from.
    """
    start, end = strip.frame_start, strip.frame_start + content_frames * strip.scale
    fade = fade_frames * strip.scale
    if not fade:
        return [(start, strength)]
    keys = [(start, strength), (end, strength), (end + fade, 0.0)]
    if start > first_frame:
        keys[:1] = [(start, 0.0), (start + min(fade, 0.5 * (end - start)), strength)]
    return keys


def influence_keys(strip: bpy.types.NlaStrip) -> list[Key]:
    """Return the keys of a strip's influence, as they stand."""
    curve = strip.fcurves.find("influence")
    return [] if curve is None else [(key.co[0], key.co[1]) for key in curve.keyframe_points]


def write_influence(strip: bpy.types.NlaStrip, keys: list[Key]) -> str:
    """Give a strip's influence these keys, and return a text by which `is_as_written` knows them again."""
    strip.use_animated_influence = True
    _set_influence(strip, keys)
    return json.dumps(influence_keys(strip))


def is_as_written(strip: bpy.types.NlaStrip, written: str) -> bool:
    """Say whether nobody has keyed the influence by hand; an influence without keys counts as not keyed."""
    keys = influence_keys(strip)
    return not keys or json.dumps(keys) == written


def key_influence(strip: bpy.types.NlaStrip, frame: float, value: float) -> None:
    """Set one key of a strip's influence; a key that stands there is replaced."""
    strip.fcurves.find("influence").keyframe_points.insert(frame, value)


def clear_influence(strip: bpy.types.NlaStrip) -> None:
    """Remove every key of a strip's influence."""
    _clear(strip.fcurves.find("influence"))


def _set_influence(strip: bpy.types.NlaStrip, keys: list[Key]) -> None:
    """Set the keys; slopes are flat at each and handles a third long, which makes a fade `3 t^2 - 2 t^3` exactly."""
    curve = strip.fcurves.find("influence")
    points = curve.keyframe_points
    if len(points) != len(keys):
        _clear(curve)
        points.add(len(keys))
    for point, (frame, value) in zip(points, keys, strict=True):
        point.co = (frame, value)
    for index, (frame, value) in enumerate(keys):
        before = keys[index - 1][0] if index else frame - 1.0
        after = keys[index + 1][0] if index + 1 < len(keys) else frame + 1.0
        point = points[index]
        point.interpolation = "BEZIER"
        point.handle_left_type = point.handle_right_type = "FREE"
        point.handle_left = (frame - (frame - before) / 3.0, value)
        point.handle_right = (frame + (after - frame) / 3.0, value)
    curve.update()


def _clear(curve: bpy.types.FCurve) -> None:
    while len(curve.keyframe_points):
        curve.keyframe_points.remove(curve.keyframe_points[-1], fast=True)


def values_below(
    owner: bpy.types.ID, data_path: str, frames: np.ndarray, layers: Collection[str], *, index: int = 0
) -> np.ndarray:
    """Return what the tracked strip and the layers above it show (K,) at the given frames, under the animator's keys.

    Args:
        owner: The data-block.
        data_path: Of the channel.
        frames: (K,) scene frames.
        layers: Names of the layers.
        index: Element of an array property.
    """
    values = tracked_values(owner, data_path, frames, index=index)
    for track in owner.animation_data.nla_tracks if owner.animation_data else ():
        strip = track.strips[0] if track.name in layers and track.strips and not track.mute else None
        curve = ActionCurves(strip.action, owner).find(data_path, index) if strip is not None else None
        if strip is None or curve is None or strip.mute:
            continue
        influence = strip.fcurves.find("influence")
        for number in np.flatnonzero((frames >= strip.frame_start) & (frames <= strip.frame_end)).tolist():
            frame = float(frames[number])
            own = curve.evaluate((frame - strip.frame_start) / strip.scale + strip.action_frame_start)
            share = influence.evaluate(frame)
            values[number] = values[number] * (1.0 - share) + own * share
    return values
