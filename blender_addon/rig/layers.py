# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of performance between the tracked strip and the animator's keys: every button of the panel as a function.

A layer is one region of a second performer's take. Its settings live on the rig (`rig.dvp_layers.layers`) and may be
changed at any time, by `change_layer` or by setting the property; the strips follow. What lies in files of its own is
offered here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take, read_take
from dvp_core.edit import REGIONS

from .baking import bake_layers
from .comparing import hide_tracked, is_tracked_shown, show_tracked
from .layer_curves import (
    POSE_REGIONS,
    LayerChoices,
    LayerCurves,
    NeutralKind,
    checked_regions,
    curves_of_regions,
    names_without_counterpart,
)
from .layer_settling import build_layer, settle, strips_of
from .layer_store import check_editable, layer_of, new_layer, remove_layer, update_owners
from .layer_strips import clear_influence, key_influence
from .memory import pack_take, remembered_take
from .timing import scene_frame

__all__ = [
    "AddedPerformer",
    "add_performer",
    "bake_layers",
    "change_layer",
    "clear_strength_keys",
    "hide_tracked",
    "is_tracked_shown",
    "key_strength",
    "remove_layer",
    "show_tracked",
]

_SETTINGS = ("strength", "offset_frames", "neutral", "neutral_frame", "is_swapped")


@dataclass(frozen=True)
class AddedPerformer:
    """What adding a performer made.

    Attributes:
        layers: Names of the new layers.
        notes: Sentences for the user on what has no counterpart.
    """

    layers: tuple[str, ...]
    notes: tuple[str, ...]


def add_performer(
    rig: bpy.types.Object,
    path: Path | str,
    *,
    regions: Sequence[str] | None = None,
    strength: float = 1.0,
    offset_frames: int = 0,
    neutral: NeutralKind = "FOUND",
    neutral_frame: int = 0,
    is_swapped: bool = False,
) -> AddedPerformer:
    """Add a performer's take to a rig, one layer a region, above the layers that are there; and pack the take.

    Args:
        rig: The portrait rig.
        path: The performer's `*.take`; its frame rate and face model may be others.
        regions: Some of `dvp_core.edit.REGIONS`; None takes all that the performer can drive.
        strength: 0 (the performance below) to 1 (the performer's).
        offset_frames: How much later the performer comes.
        neutral: What the motion is counted from: the performer's rest as found, one frame of the take, or nothing.
        neutral_frame: Plate frame of the performer's clip for "FRAME".
        is_swapped: Whether left and right are exchanged.

    Raises:
        DataError: No take, an unknown region, a strength outside 0..1, or nothing in common with the rig; then nothing
            is changed.
    """
    path = Path(path)
    check_editable(rig)
    source, target = read_take(path), remembered_take(rig)
    wanted = checked_regions(REGIONS if regions is None else regions)
    _check_strength(strength)
    choices = LayerChoices(neutral, neutral_frame, is_swapped)
    curves, notes = _possible_curves(rig, target, source, wanted, choices, is_open=regions is None)
    if not curves:
        raise DataError(
            f"the performer drives nothing in {', '.join(wanted)}",
            where=path,
            remedy="Choose other regions, or a take whose expressions have the rig's names",
        )
    text = _text_of(rig, source, path)
    performer, layers = source.subject or path.stem, []
    for region, region_curves in curves.items():
        layer = new_layer(rig, performer, region)
        layer.take_text, layer.take_sha256 = text, source.sha256
        layer.strength, layer.offset_frames = strength, offset_frames
        layer.neutral, layer.neutral_frame, layer.is_swapped = neutral, neutral_frame, is_swapped
        build_layer(rig, layer, region_curves, target)
        settle(rig, layer)
        layers.append(layer.name)
    return AddedPerformer(tuple(layers), notes)


def change_layer(rig: bpy.types.Object, name: str, **changes: Any) -> None:
    """Change settings of a layer; what is not named stays.

    Args:
        rig: The portrait rig.
        name: The layer's.
        **changes: Of `strength`, `offset_frames`, `neutral`, `neutral_frame`, `is_swapped`, as for `add_performer`.

    Raises:
        DataError: No such layer or setting, or the change is not possible; then the layer stays as it was.
    """
    layer = layer_of(rig, name)
    for setting in changes:
        if setting not in _SETTINGS:
            raise DataError(f"a layer has no setting '{setting}'", remedy=f"Use some of {', '.join(_SETTINGS)}")
    _check_strength(changes.get("strength", layer.strength))
    before = {setting: getattr(layer, setting) for setting in changes}
    _set(layer, changes)
    try:
        settle(rig, layer)
    except DataError:
        _set(layer, before)
        settle(rig, layer)
        raise


def key_strength(rig: bpy.types.Object, name: str, frame: float, strength: float) -> None:
    """Key a layer's strength at a frame of the plate, as a key in its strip's influence; from then on those keys count.

    Raises:
        DataError: No such layer, or a strength outside 0..1.
    """
    _check_strength(strength)
    check_editable(rig)
    for strip in strips_of(rig, layer_of(rig, name)):
        key_influence(strip, scene_frame(rig, frame), strength)
    update_owners(rig)


def clear_strength_keys(rig: bpy.types.Object, name: str) -> None:
    """Remove a layer's strength keys; its constant strength counts again.

    Raises:
        DataError: No such layer.
    """
    layer = layer_of(rig, name)
    for strip in strips_of(rig, layer):
        clear_influence(strip)
    settle(rig, layer)


def _possible_curves(
    rig: bpy.types.Object,
    target: Take,
    source: Take,
    regions: tuple[str, ...],
    choices: LayerChoices,
    *,
    is_open: bool,
) -> tuple[dict[str, LayerCurves], tuple[str, ...]]:
    """Return the curves of all regions that can be driven, and what has no counterpart.

    Where the regions are open, expressions that have nothing in common leave head and gaze, and are told.
    """
    try:
        curves = curves_of_regions(rig, target, source, regions, choices)
    except DataError as error:
        if not is_open:
            raise
        poses = [region for region in regions if region in POSE_REGIONS]
        return curves_of_regions(rig, target, source, poses, choices), (f"Expressions are left out: {error.what}",)
    if all(region in POSE_REGIONS for region in regions):
        return curves, ()
    lost = names_without_counterpart(target, source, regions, is_swapped=choices.is_swapped)
    return curves, (f"Without a counterpart: {', '.join(lost)}",) if lost else ()


def _text_of(rig: bpy.types.Object, source: Take, path: Path) -> bpy.types.Text:
    """Return the Text data-block that carries the performer's take, packed once for all layers of the rig."""
    for layer in rig.dvp_layers.layers:
        if layer.take_text is not None and layer.take_sha256 == source.sha256:
            return layer.take_text
    return pack_take(source, path)


def _check_strength(strength: float) -> None:
    if not 0.0 <= strength <= 1.0:
        raise DataError(f"strength is {strength}, expected 0 to 1", where="layer")


def _set(layer: Any, values: dict[str, Any]) -> None:
    """Set several settings and let nothing follow in between."""
    layer.is_settled = False
    for setting, value in values.items():
        setattr(layer, setting, value)
    layer.is_settled = True
