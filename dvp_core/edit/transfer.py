"""Lays one person's performance over another person's take (Kim et al. 2018, section 6: reenactment in relative mode).

Identity, reflectance, light, camera and framing stay the target's; so do the clip and its frame numbers. What a
strength below 1 or an undriven expression leaves is the target's own performance, not its neutral.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dvp_core.data.expression_map import ExpressionMap
from dvp_core.data.take import Take
from dvp_core.edit.channels import (
    CHANNELS,
    checked_channels,
    checked_strength,
    expressions_driven,
    strengths_of_rows,
)
from dvp_core.edit.neutral import Neutral
from dvp_core.edit.performing import (
    Mode,
    Performer,
    performed_expression,
    performed_gaze,
    performed_head,
    performer_for,
)
from dvp_core.maths.rotations import normalized, slerp, unwrapped_quaternions


def transfer(
    source: Take,
    target: Take,
    *,
    mode: Mode = "relative",
    channels: Sequence[str] = CHANNELS,
    strength: Mapping[str, float] | None = None,
    expression_map: ExpressionMap | None = None,
    source_neutral: Neutral | None = None,
    target_neutral: Neutral | None = None,
) -> Take:
    """Return the target's take performing what the source performs, which nobody measured: `measured` is None.

    Args:
        source: Whose performance it is; another frame rate is resampled by time. After its end the target's own
            performance returns within 0.4 s.
        target: Whose face, light, camera and clip it becomes.
        mode: "relative" carries differences from the source's neutral to the target's; "absolute" carries values.
        channels: Which of head, expression and gaze are carried.
        strength: 0..1 by region (`REGIONS`), 1 where not given; the result runs linearly from the target's own
            performance at 0 to the whole transfer at 1.
        expression_map: From the source's face model to the target's, for takes of different models; None goes by name.
        source_neutral: The source at rest, where the one found in the take is to be corrected.
        target_neutral: The target at rest, likewise.

    Raises:
        DataError: Unknown mode, channel, region; no tracked frame; no expression in common; a map of other models.
    """
    chosen, strengths = checked_channels(channels), checked_strength(strength)
    performer = performer_for(
        source,
        target,
        frame_count=target.frame_count,
        mode=mode,
        source_neutral=source_neutral,
        target_neutral=target_neutral,
    )
    changed: dict[str, np.ndarray] = {}
    if "head" in chosen:
        changed |= _head(performer, strengths["head"])
    if "expression" in chosen:
        mapping = expressions_driven(source, target, expression_map)
        weights = strengths_of_rows(mapping, source.expression_names, target.expression_names, strengths)
        changed["expression"] = _expression(performer, mapping, weights)
    if "gaze" in chosen:
        changed["gaze_rad"] = _gaze(performer, strengths["gaze"])
    curves = {name: values.astype(np.float32) for name, values in changed.items()}
    return replace(target, measured=None, smoothing=0.0, **curves)


def _head(performer: Performer, strength: float) -> dict[str, np.ndarray]:
    rotation, translation = performed_head(performer)
    weight, target = strength * performer.motion.presence, performer.target
    own = normalized(target.head_rotation_wxyz.astype(np.float64))
    own_translation = target.head_translation_m.astype(np.float64)
    return {
        "head_rotation_wxyz": unwrapped_quaternions(normalized(slerp(own, rotation, weight))),
        "head_translation_m": own_translation + weight[:, None] * (translation - own_translation),
    }


def _expression(performer: Performer, mapping: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    own = performer.target.expression.astype(np.float64)
    weight = performer.motion.presence[:, None] * strengths * mapping.any(axis=1)
    return own + weight * (performed_expression(performer, mapping) - own)


def _gaze(performer: Performer, strength: float) -> np.ndarray:
    own = performer.target.gaze_rad.astype(np.float64)
    return own + strength * performer.motion.presence[:, None, None] * (performed_gaze(performer) - own)
