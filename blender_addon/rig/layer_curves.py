# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer's take as absolute curves for one region of a rig, at full strength; strips blend them in.

The curves run over the whole of the performer's take, at the rig's frame rate, so that a strip may be shifted freely.
They hold the performer's last pose a moment longer, for the strip to fade out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.edit import REGIONS, neutral_at, region_of
from dvp_core.edit.channels import expression_mapping
from dvp_core.edit.mirroring import mirrored_names
from dvp_core.edit.performing import (
    Performer,
    performed_expression,
    performed_gaze,
    performed_head,
    performer_for,
)
from dvp_core.edit.resampling import BLEND_OUT_S
from dvp_core.face.expression_names import canonical_name
from dvp_core.maths.rotations import unwrapped_quaternions

from .animation import Channel
from .channels import gaze_channels, head_channels
from .homes import expression_home, pose_home
from .timing import scene_frame

NeutralKind = Literal["FOUND", "FRAME", "NONE"]
POSE_REGIONS = ("head", "gaze")


@dataclass(frozen=True)
class LayerChoices:
    """How a performer is read.

    Attributes:
        neutral: What the performer's motion is counted from: the rest found in the take, that of one frame, or nothing,
            which carries values as they are.
        neutral_frame: Plate frame of the performer's own clip, for "FRAME".
        is_swapped: Whether left and right are exchanged.
    """

    neutral: NeutralKind = "FOUND"
    neutral_frame: int = 0
    is_swapped: bool = False


@dataclass(frozen=True)
class LayerCurves:
    """One region of a performance in the rig's terms.

    Attributes:
        frames: (N,) scene frames at which the keys stand while the layer is not shifted.
        content_frames: Frames from the performer's first picture to the last, not always whole.
        fade_frames: Frames in which a strip fades.
        channels: Of each data-block; float32.
    """

    frames: np.ndarray
    content_frames: float
    fade_frames: float
    channels: list[tuple[bpy.types.ID, list[Channel]]]


def curves_of_regions(
    rig: bpy.types.Object, target: Take, source: Take, regions: Sequence[str], choices: LayerChoices
) -> dict[str, LayerCurves]:
    """Return the curves of each region that the performer can drive; the others are left out.

    Args:
        rig: The portrait rig.
        target: The take that the rig shows.
        source: The performer's take.
        regions: Some of `dvp_core.edit.REGIONS`.
        choices: How the performer is read.

    Raises:
        DataError: Expressions are wanted and have nothing in common, a neutral frame outside the performer's take, or
            numbered expressions to be swapped.
    """
    content = float((source.frame_count - 1) * target.clip.fps / source.clip.fps)
    fade = BLEND_OUT_S * float(target.clip.fps)
    count = ceil(content + fade) + 1
    performer = performer_for(
        source,
        target,
        frame_count=count,
        mode="absolute" if choices.neutral == "NONE" else "relative",
        source_neutral=neutral_at(source, choices.neutral_frame) if choices.neutral == "FRAME" else None,
        is_mirrored=choices.is_swapped,
    )
    frames = scene_frame(rig, target.clip.start_frame) + np.arange(count)
    channels = _pose_channels(rig, performer, regions)
    if any(region not in POSE_REGIONS for region in regions):
        channels |= _expression_channels(rig, performer, choices.is_swapped)
    return {region: LayerCurves(frames, content, fade, channels[region]) for region in regions if channels.get(region)}


def names_without_counterpart(target: Take, source: Take, regions: Sequence[str], *, is_swapped: bool) -> list[str]:
    """Return what stays behind in the regions: expressions of the performer that drive nothing, and undriven ones."""
    names = _source_names(source, is_swapped)
    mapping = expression_mapping(names, target.expression_names, is_same_model=_is_same_model(source, target))
    lost = [name for name, drives in zip(names, mapping.any(axis=0), strict=True) if not drives]
    undriven = [name for name, driven in zip(target.expression_names, mapping.any(axis=1), strict=True) if not driven]
    return [name for name in dict.fromkeys(lost + undriven) if region_of(name) in regions]


def checked_regions(regions: Sequence[str]) -> tuple[str, ...]:
    """Return the regions in their usual order.

    Raises:
        DataError: None, or one that does not exist.
    """
    for region in regions:
        if region not in REGIONS:
            raise DataError(f"'{region}' is no region", remedy=f"Use some of {', '.join(REGIONS)}")
    if not regions:
        raise DataError("no region was chosen", remedy=f"Use some of {', '.join(REGIONS)}")
    return tuple(region for region in REGIONS if region in regions)


def _pose_channels(
    rig: bpy.types.Object, performer: Performer, regions: Sequence[str]
) -> dict[str, list[tuple[bpy.types.ID, list[Channel]]]]:
    found: dict[str, list[tuple[bpy.types.ID, list[Channel]]]] = {}
    if "head" in regions:
        rotation, translation = performed_head(performer)
        near_tracked = _with_tracked_sign(rotation, performer.target)
        found["head"] = [
            (pose_home(rig), head_channels(near_tracked.astype(np.float32), translation.astype(np.float32)))
        ]
    if "gaze" in regions:
        found["gaze"] = [(pose_home(rig), gaze_channels(performed_gaze(performer).astype(np.float32)))]
    return found


def _with_tracked_sign(rotation: np.ndarray, target: Take) -> np.ndarray:
    """Return the quaternions (N, 4), of two equal signs the one with which Blender blends along the short way."""
    unwrapped = unwrapped_quaternions(rotation)
    tracked = unwrapped_quaternions(target.head_rotation_wxyz.astype(np.float64)).sum(axis=0)
    return unwrapped if float((unwrapped @ tracked).sum()) >= 0.0 else -unwrapped


def _expression_channels(
    rig: bpy.types.Object, performer: Performer, is_swapped: bool
) -> dict[str, list[tuple[bpy.types.ID, list[Channel]]]]:
    source, target = performer.source, performer.target
    names = _source_names(source, is_swapped)
    mapping = expression_mapping(names, target.expression_names, is_same_model=_is_same_model(source, target))
    values = performed_expression(performer, mapping).astype(np.float32)
    by_region: dict[str, dict[bpy.types.ID, list[Channel]]] = {}
    for column in np.flatnonzero(mapping.any(axis=1)).tolist():
        name = target.expression_names[column]
        owner, path = expression_home(rig, name)
        owners = by_region.setdefault(region_of(name), {})
        owners.setdefault(owner, []).append(Channel(path, 0, values[:, column], "Expressions"))
    return {region: list(owners.items()) for region, owners in by_region.items()}


def _source_names(source: Take, is_swapped: bool) -> tuple[str, ...]:
    if is_swapped:
        return mirrored_names(source.expression_names)
    return tuple(canonical_name(name) for name in source.expression_names)


def _is_same_model(source: Take, target: Take) -> bool:
    return source.face_model_id == target.face_model_id
