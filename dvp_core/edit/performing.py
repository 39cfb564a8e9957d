"""A performer's motion in another person's terms, whole: what transfer mixes with the target's own performance.

Frames are those of the target's rate, counted from the performer's first; how long they run is the caller's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.edit.limits import limited_expression, limited_gaze, limited_translation
from dvp_core.edit.mirroring import mirrored_motion, mirrored_neutral
from dvp_core.edit.neutral import Neutral, find_neutral
from dvp_core.edit.resampling import Motion, resampled
from dvp_core.maths.rotations import conjugate_quaternion, multiply_quaternions, normalized

Mode = Literal["relative", "absolute"]


@dataclass(frozen=True)
class Performer:
    """Who performs for whom.

    Attributes:
        source: Whose performance it is.
        target: Whose face, camera and limits count.
        motion: The source's motion at F frames of the target's rate.
        at_rest: The source's neutral, or None where values are carried and not differences.
        rest: The target's neutral, or None likewise.
        ratios: (3,) factors for shifts of the head along camera X, Y, Z.
    """

    source: Take
    target: Take
    motion: Motion
    at_rest: Neutral | None
    rest: Neutral | None
    ratios: np.ndarray


def performer_for(
    source: Take,
    target: Take,
    *,
    frame_count: int,
    mode: Mode = "relative",
    source_neutral: Neutral | None = None,
    target_neutral: Neutral | None = None,
    is_mirrored: bool = False,
) -> Performer:
    """Return the source as a performer for the target.

    Args:
        source: Whose performance it is.
        target: Who is to perform it.
        frame_count: F, at the target's rate.
        mode: "relative" carries differences from the source's neutral to the target's; "absolute" carries values.
        source_neutral: The source at rest, where the one found in the take is to be corrected.
        target_neutral: The target at rest, likewise.
        is_mirrored: Whether left and right are exchanged; the expressions' names change by `mirrored_names`.

    Raises:
        DataError: Unknown mode, or a take without a tracked frame.
    """
    if mode not in ("relative", "absolute"):
        raise DataError(f"'{mode}' is no mode of transfer", remedy="Use relative or absolute")
    motion = resampled(source, fps=target.clip.fps, frame_count=frame_count)
    at_rest, rest = source_neutral or find_neutral(source), target_neutral or find_neutral(target)
    if is_mirrored:
        motion, at_rest = mirrored_motion(motion), mirrored_neutral(at_rest)
    ratios = _translation_ratios(source, target, at_rest, rest)
    if mode == "absolute":
        return Performer(source, target, motion, None, None, ratios)
    return Performer(source, target, motion, at_rest, rest, ratios)


def performed_head(performer: Performer) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (F, 4), unit quaternions, and translations (F, 3) of the target's head."""
    rotation, translation = performer.motion.head_rotation_wxyz, performer.motion.head_translation_m
    at_rest, rest = performer.at_rest, performer.rest
    if at_rest is not None and rest is not None:
        # The turn is about the head's own axes, so that a nod stays a nod however either camera stands.
        turn = multiply_quaternions(conjugate_quaternion(normalized(at_rest.head_rotation_wxyz)), rotation)
        rotation = multiply_quaternions(normalized(rest.head_rotation_wxyz), turn)
        translation = rest.head_translation_m + performer.ratios * (translation - at_rest.head_translation_m)
    return rotation, limited_translation(translation, performer.target)


def performed_expression(performer: Performer, mapping: np.ndarray) -> np.ndarray:
    """Return the target's weights (F, E_target).

    Args:
        performer: Who performs for whom.
        mapping: (E_target, E_source) from the source's weights to the target's; a row of zeros drives nothing.
    """
    motion, at_rest, rest = performer.motion, performer.at_rest, performer.rest
    values = motion.expression @ mapping.T
    if at_rest is not None and rest is not None:
        values = rest.expression + (motion.expression - at_rest.expression) @ mapping.T
    target = performer.target
    return limited_expression(values, target.expression_names, target.expression.astype(np.float64))


def performed_gaze(performer: Performer) -> np.ndarray:
    """Return the target's gaze (F, 2, 2)."""
    values, at_rest, rest = performer.motion.gaze_rad, performer.at_rest, performer.rest
    if at_rest is not None and rest is not None:
        values = rest.gaze_rad + (values - at_rest.gaze_rad)
    return limited_gaze(values, performer.target.gaze_rad.astype(np.float64))


def _translation_ratios(source: Take, target: Take, at_rest: Neutral, rest: Neutral) -> np.ndarray:
    """Return factors (3,) for motion along camera X, Y, Z.

    Sideways the size of the head decides (eye distance), so that the head crosses as many of its own widths. Along
    the axis the distances decide, so that it grows in the picture by the same factor even where a focal length was
    estimated wrongly (distance and focal length trade off).
    """
    sizes = [_eye_distance_m(take.face) for take in (source, target)]
    sideways = sizes[1] / sizes[0] if sizes[0] and sizes[1] else 1.0
    depths = [float(neutral.head_translation_m[2]) for neutral in (at_rest, rest)]
    along = depths[1] / depths[0] if min(depths) > 0 else 1.0
    return np.array([sideways, sideways, along])


def _eye_distance_m(face: FaceModel | None) -> float:
    """Return the distance of the eyeballs' centres, 0 where the take does not carry its face."""
    return 0.0 if face is None else float(np.linalg.norm(face.eye_centers[0] - face.eye_centers[1]))
