# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a layer's strips follow its settings: curves, place in time, influence; each is written only where it changed.

What the animator did by hand in the NLA editor stays: a strip moved there is shifted from where it lies, and an
influence keyed there is not written over.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take

from ..compat import ActionCurves, kind_of
from . import names
from .homes import performance_owners
from .layer_curves import LayerChoices, LayerCurves, curves_of_regions
from .layer_store import check_editable, update_owners
from .layer_strips import (
    add_layer_strip,
    fading_keys,
    fill_curves,
    is_as_written,
    layer_strip,
    shift_strip,
    write_influence,
)
from .memory import packed_take, remembered_take
from .reading import face_object_of
from .timing import scene_frame


def settle_layers(rig: bpy.types.Object) -> None:
    """Make every layer's curves anew where the take below changed, as after a turn of the dial of smoothing.

    A layer that cannot follow stays as it was, and its `problem` says why.
    """
    for layer in rig.dvp_layers.layers:
        settle_and_say(rig, layer)


def settle_and_say(rig: bpy.types.Object, layer: Any) -> None:
    """Let a layer's strips follow its settings; where that is not possible, the layer's `problem` says why."""
    if not layer.is_settled:
        return
    try:
        settle(rig, layer)
    except DataError as error:
        layer.problem = str(error)


def settle(rig: bpy.types.Object, layer: Any) -> None:
    """Let a layer's strips follow its settings.

    Raises:
        DataError: The settings are not possible, the packed take is lost, the strips were removed or renamed, or the
            influence was keyed by hand and the strength is to change.
    """
    check_editable(rig)
    strips = strips_of(rig, layer)
    target = remembered_take(rig)
    if layer.take_text is not None and layer.built_from != _signature(layer, target):
        source = packed_take(layer.take_text, layer.take_sha256)
        curves = curves_of_regions(rig, target, source, [layer.region], _choices_of(layer))
        build_layer(rig, layer, curves.get(layer.region), target)
        strips = strips_of(rig, layer)
    own = [strip for strip in strips if is_as_written(strip, _written(layer).get(kind_of(strip.id_data), ""))]
    for strip in strips:
        shift_strip(strip, layer.offset_frames - layer.shown_offset)
    layer.shown_offset = layer.offset_frames
    _write_influence(layer, own, first_frame=scene_frame(rig, target.clip.start_frame))
    if len(own) < len(strips) and layer.strength != layer.shown_strength:
        raise DataError(
            "its influence was keyed by hand",
            where=f"layer '{layer.name}'",
            remedy="Change those keys in the NLA editor, or clear them to use one strength again",
        )
    layer.shown_strength = layer.strength
    layer.problem, layer.is_settled = "", True
    update_owners(rig)


def _choices_of(layer: Any) -> LayerChoices:
    """Return how the layer reads its performer."""
    return LayerChoices(layer.neutral, layer.neutral_frame, layer.is_swapped)


def _written(layer: Any) -> dict[str, str]:
    """Return the influences as last written, by the kind of data-block."""
    return json.loads(layer.written_influence or "{}")


def _write_influence(layer: Any, strips: list[bpy.types.NlaStrip], *, first_frame: int) -> None:
    written = _written(layer)
    for strip in strips:
        keys = fading_keys(
            strip,
            layer.strength,
            content_frames=layer.content_frames,
            fade_frames=layer.fade_frames,
            first_frame=first_frame,
        )
        written[kind_of(strip.id_data)] = write_influence(strip, keys)
    layer.written_influence = json.dumps(written)


def build_layer(rig: bpy.types.Object, layer: Any, curves: LayerCurves | None, target: Take) -> None:
    """Give a layer's strips their curves; strips are made where there are none.

    Args:
        rig: The portrait rig.
        layer: Its settings.
        curves: What it plays; None empties the strips that are there.
        target: The take that the rig shows.
    """
    wanted = dict(curves.channels) if curves is not None else {}
    for owner in performance_owners(rig):
        strip = layer_strip(owner, layer.name)
        if strip is not None:
            fill_curves(ActionCurves(strip.action, owner), wanted.get(owner, []), _frames_of(curves))
        elif owner in wanted:
            below = {names.TRACKED_TRACK, *(other.name for other in rig.dvp_layers.layers)}
            add_layer_strip(owner, layer.name, wanted[owner], _frames_of(curves), above=below)
    if curves is not None:
        layer.content_frames, layer.fade_frames = curves.content_frames, curves.fade_frames
        _widen_sliders(rig, curves)
    layer.built_from = _signature(layer, target)


def _frames_of(curves: LayerCurves | None) -> np.ndarray:
    return np.zeros(0, np.int64) if curves is None else curves.frames


def _widen_sliders(rig: bpy.types.Object, curves: LayerCurves) -> None:
    """Let shape keys reach what a layer shows, which Blender would cut off; no range is ever narrowed."""
    key = face_object_of(rig).data.shape_keys
    for owner, channels in curves.channels:
        for channel in channels if owner == key else ():
            block = key.path_resolve(channel.data_path.removesuffix(".value"))
            block.slider_min = min(block.slider_min, float(channel.values.min()))
            block.slider_max = max(block.slider_max, float(channel.values.max()))


def strips_of(rig: bpy.types.Object, layer: Any) -> list[bpy.types.NlaStrip]:
    """Return a layer's strips, one on each data-block it animates.

    Raises:
        DataError: They were removed or renamed.
    """
    found = [layer_strip(owner, layer.name) for owner in performance_owners(rig)]
    strips = [strip for strip in found if strip is not None]
    if not strips:
        raise DataError(
            "its NLA tracks were removed or renamed",
            where=f"layer '{layer.name}'",
            remedy="Undo that, or remove the layer and add the performer again",
        )
    return strips


def _signature(layer: Any, target: Take) -> str:
    """Return what a layer's curves depend on, as a text."""
    choices = _choices_of(layer)
    frame = choices.neutral_frame if choices.neutral == "FRAME" else None
    return json.dumps([layer.take_sha256, target.sha256, choices.neutral, frame, choices.is_swapped])
