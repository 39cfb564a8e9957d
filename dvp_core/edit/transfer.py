"""Lays one person's performance over another person's take (Kim et al. 2018, section 6: reenactment in relative mode).

Identity, reflectance, light, camera and framing stay the target's; so do the clip and its frame numbers. What a
strength below 1 or an undriven expression leaves is the target's own performance, not its neutral.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.edit.channels import (
    CHANNELS,
    checked_channels,
    checked_strength,
    expressions_driven,
    strengths_of_rows,
)
from dvp_core.edit.limits import limited_expression, limited_gaze, limited_translation
from dvp_core.edit.neutral import Neutral, find_neutral
from dvp_core.edit.resampling import Motion, resampled
from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    slerp,
    unwrapped_quaternions,
)

Mode = Literal["relative", "absolute"]


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
    if mode not in ("relative", "absolute"):
        raise DataError(f"'{mode}' is no mode of transfer", remedy="Use relative or absolute")
    chosen, strengths = checked_channels(channels), checked_strength(strength)
    neutrals = (source_neutral or find_neutral(source), target_neutral or find_neutral(target))
    motion = resampled(source, fps=target.clip.fps, frame_count=target.frame_count)
    is_relative = mode == "relative"
    changed: dict[str, np.ndarray] = {}
    if "head" in chosen:
        ratios = _translation_ratios(source, target, neutrals)
        changed |= _head(motion, target, neutrals if is_relative else None, ratios, strengths["head"])
    if "expression" in chosen:
        mapping = expressions_driven(source, target, expression_map)
        weights = strengths_of_rows(mapping, source.expression_names, target.expression_names, strengths)
        changed["expression"] = _expression(motion, target, neutrals if is_relative else None, mapping, weights)
    if "gaze" in chosen:
        changed["gaze_rad"] = _gaze(motion, target, neutrals if is_relative else None, strengths["gaze"])
    curves = {name: values.astype(np.float32) for name, values in changed.items()}
    return replace(target, measured=None, smoothing=0.0, **curves)


def _head(
    motion: Motion,
    target: Take,
    neutrals: tuple[Neutral, Neutral] | None,
    ratios: np.ndarray,
    strength: float,
) -> dict[str, np.ndarray]:
    rotation, translation = motion.head_rotation_wxyz, motion.head_translation_m
    if neutrals is not None:
        at_rest, rest = neutrals
        # The turn is about the head's own axes, so that a nod stays a nod however either camera stands.
        turn = multiply_quaternions(conjugate_quaternion(normalized(at_rest.head_rotation_wxyz)), rotation)
        rotation = multiply_quaternions(normalized(rest.head_rotation_wxyz), turn)
        translation = rest.head_translation_m + ratios * (translation - at_rest.head_translation_m)
    weight = strength * motion.presence
    own = normalized(target.head_rotation_wxyz.astype(np.float64))
    own_translation = target.head_translation_m.astype(np.float64)
    limited = limited_translation(translation, target)
    return {
        "head_rotation_wxyz": unwrapped_quaternions(normalized(slerp(own, rotation, weight))),
        "head_translation_m": own_translation + weight[:, None] * (limited - own_translation),
    }


def _expression(
    motion: Motion,
    target: Take,
    neutrals: tuple[Neutral, Neutral] | None,
    mapping: np.ndarray,
    strengths: np.ndarray,
) -> np.ndarray:
    values = motion.expression @ mapping.T
    if neutrals is not None:
        values = neutrals[1].expression + (motion.expression - neutrals[0].expression) @ mapping.T
    own = target.expression.astype(np.float64)
    limited = limited_expression(values, target.expression_names, own)
    weight = motion.presence[:, None] * strengths * mapping.any(axis=1)
    return own + weight * (limited - own)


def _gaze(motion: Motion, target: Take, neutrals: tuple[Neutral, Neutral] | None, strength: float) -> np.ndarray:
    values = motion.gaze_rad
    if neutrals is not None:
        values = neutrals[1].gaze_rad + (values - neutrals[0].gaze_rad)
    own = target.gaze_rad.astype(np.float64)
    return own + strength * motion.presence[:, None, None] * (limited_gaze(values, own) - own)


def _translation_ratios(source: Take, target: Take, neutrals: tuple[Neutral, Neutral]) -> np.ndarray:
    """Return factors (3,) for motion along camera X, Y, Z.

    Sideways the size of the head decides (eye distance), so that the head crosses as many of its own widths. Along
    the axis the distances decide, so that it grows in the picture by the same factor even where a focal length was
    estimated wrongly (distance and focal length trade off).
    """
    sizes = [_eye_distance_m(take.face) for take in (source, target)]
    sideways = sizes[1] / sizes[0] if sizes[0] and sizes[1] else 1.0
    depths = [float(neutral.head_translation_m[2]) for neutral in neutrals]
    along = depths[1] / depths[0] if min(depths) > 0 else 1.0
    return np.array([sideways, sideways, along])


def _eye_distance_m(face: FaceModel | None) -> float:
    """Return the distance of the eyeballs' centres, 0 where the take does not carry its face."""
    return 0.0 if face is None else float(np.linalg.norm(face.eye_centers[0] - face.eye_centers[1]))
