# SPDX-License-Identifier: GPL-3.0-or-later
"""A tracked performance as an NLA strip that is never edited, and an empty layer above it for the animator.

The animator's layer adds to the strip: expressions and other numbers are summed, quaternions multiplied (in the bone's
own axes). An empty layer therefore leaves the tracked values alone bit for bit, and a key set at one frame does not
freeze the performance at all others, as a replacing layer would. Blender converts what the animator sees into the sum's
second term when a key is inserted, so working in it feels like keying the value itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from dvp_core.data.errors import DataError

from ..compat import ActionCurves, assign_action, assign_strip_slot, enum_number
from . import names


@dataclass(frozen=True)
class Channel:
    """One animated number.

    Attributes:
        data_path: Of the property, from its data-block.
        index: Element of an array property.
        values: (F,) one a frame.
        group: Heading in the animation editors.
    """

    data_path: str
    index: int
    values: np.ndarray
    group: str


def add_tracked_layer(
    owner: bpy.types.ID, channels: list[Channel], frames: np.ndarray, *, name: str, blend_type: str
) -> None:
    """Give a data-block its tracked strip and an empty, active action above.

    Args:
        owner: The rig object or the Key data-block.
        channels: What the take animates.
        frames: (F,) scene frame numbers, ascending.
        name: Of the action with the tracked keys.
        blend_type: How the animator's layer joins: "ADD", or "COMBINE" where there are quaternions.
    """
    action = bpy.data.actions.new(name)
    curves = ActionCurves(action, owner)
    for channel in channels:
        curve = curves.new(channel.data_path, channel.index, group=channel.group)
        fill_curve(curve, frames, channel.values)
    animation_data = owner.animation_data_create()
    track = animation_data.nla_tracks.new()
    track.name = names.TRACKED_TRACK
    strip = track.strips.new(names.TRACKED_TRACK, int(frames[0]), action)
    assign_strip_slot(strip, curves)
    strip.use_auto_blend = False
    strip.blend_type = "REPLACE"
    strip.extrapolation = "HOLD"
    track.lock = True
    _add_animator_layer(owner, blend_type, name=f"{name} {names.ANIMATOR_ACTION}")


def _add_animator_layer(owner: bpy.types.ID, blend_type: str, *, name: str) -> None:
    animation_data = owner.animation_data
    curves = ActionCurves(bpy.data.actions.new(name), owner)
    assign_action(animation_data, curves)
    animation_data.action_blend_type = blend_type
    animation_data.action_extrapolation = "HOLD"
    animation_data.use_nla = True


def refill_tracked_layers(layers: list[tuple[bpy.types.ID, list[Channel]]], frames: np.ndarray) -> None:
    """Give tracked strips' curves other values at the same frames; the animator's layers are not touched.

    Args:
        layers: The rig object and the Key data-block, each with all of its channels and their new values.
        frames: (F,) scene frame numbers, ascending.

    Raises:
        DataError: A curve is missing, or its keys are not those that the import made; then nothing is changed.
    """
    curves = [_imported_curve(owner, channel, frames) for owner, channels in layers for channel in channels]
    values = [channel.values for _, channels in layers for channel in channels]
    for curve, curve_values in zip(curves, values, strict=True):
        _write_values(curve, frames, curve_values)
    for owner, _ in layers:
        owner.update_tag()


def _imported_curve(owner: bpy.types.ID, channel: Channel, frames: np.ndarray) -> bpy.types.FCurve:
    curve = tracked_curve(owner, channel.data_path, channel.index)
    if curve is not None:
        coordinates = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", coordinates)
        if np.array_equal(coordinates[0::2], frames.astype(np.float32)):
            return curve
    raise DataError(
        f"the tracked strip's keys of '{channel.data_path}' were changed",
        where=owner.name,
        remedy="Import the take again, and make changes in the layer above the strip",
    )


def fill_curve(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Give an empty curve its keys at once, straight lines between them."""
    curve.keyframe_points.add(len(values))
    _write_values(curve, frames, values)


def _write_values(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    coordinates = np.empty(2 * len(values), np.float32)
    coordinates[0::2] = frames
    coordinates[1::2] = values
    linear = enum_number(bpy.types.Keyframe, "interpolation", "LINEAR")
    curve.keyframe_points.foreach_set("co", coordinates)
    curve.keyframe_points.foreach_set("interpolation", np.full(len(values), linear, np.int32))
    curve.update()


def tracked_curve(owner: bpy.types.ID, data_path: str, index: int = 0) -> bpy.types.FCurve | None:
    """Return the tracked strip's curve of a channel, or None where the data-block has none."""
    animation_data = owner.animation_data
    track = animation_data.nla_tracks.get(names.TRACKED_TRACK) if animation_data else None
    if track is None or not track.strips:
        return None
    return ActionCurves(track.strips[0].action, owner).find(data_path, index)


def tracked_values(owner: bpy.types.ID, data_path: str, frames: np.ndarray, *, index: int = 0) -> np.ndarray:
    """Return the tracked values (K,) at the given frames; zeros for a channel that was not tracked."""
    curve = tracked_curve(owner, data_path, index)
    if curve is None:
        return np.zeros(len(frames))
    return np.array([curve.evaluate(float(frame)) for frame in frames])


def animator_curves(owner: bpy.types.ID) -> ActionCurves:
    """Return the curves of the animator's layer, made anew where it was removed."""
    animation_data = owner.animation_data or owner.animation_data_create()
    if animation_data.action is None:
        blend_type = "ADD" if isinstance(owner, bpy.types.Key) else "COMBINE"
        _add_animator_layer(owner, blend_type, name=f"{owner.name} {names.ANIMATOR_ACTION}")
    return ActionCurves(owner.animation_data.action, owner)
