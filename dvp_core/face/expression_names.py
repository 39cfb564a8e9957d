"""The canonical expression names (ARKit's 52) and the mapping of other spellings onto them.

ARKit's names are camelCase with `Left` and `Right` of the subject. ICT-FaceKit splits `browInnerUp` and `cheekPuff`
into two sides and has no `tongueOut`; the split names stay, and a caller that has ARKit's single one drives both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

ARKIT_52: tuple[str, ...] = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)

SPLIT_NAMES: dict[str, tuple[str, str]] = {
    "browInnerUp": ("browInnerUpLeft", "browInnerUpRight"),
    "cheekPuff": ("cheekPuffLeft", "cheekPuffRight"),
}

_NUMBERED = re.compile(r"expression_\d+")
_SIDES = {"_L": "Left", "_R": "Right", "_l": "Left", "_r": "Right"}


def canonical_name(name: str) -> str:
    """The camelCase spelling of an expression name: `mouthSmile_L`, `MouthSmileLeft`, `!ex-mouthSmile_L` alike."""
    plain = name.strip().removeprefix("!ex-").removeprefix("!ex_")
    for ending, side in _SIDES.items():
        if plain.endswith(ending):
            plain = plain[: -len(ending)] + side
    return plain[:1].lower() + plain[1:]


def mirrored_name(name: str) -> str:
    """The name of the shape on the other side; the name itself for shapes of the middle."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    if name.endswith("Right"):
        return name.removesuffix("Right") + "Left"
    return name


def is_named(expression_name: str) -> bool:
    """Whether an expression is a named shape of range 0..1, not a numbered mode that may take any value."""
    return _NUMBERED.fullmatch(expression_name) is None


def weights_by_name(source_names: Sequence[str], target_names: Sequence[str]) -> np.ndarray:
    """The matrix (T, S) that turns source weights into those of equally named targets; zeros where there is none.

    ARKit's single shape drives both halves of a split one; two halves drive a single one with their mean.
    """
    column_of = {canonical_name(name): column for column, name in enumerate(source_names)}
    whole_of = {half: whole for whole, halves in SPLIT_NAMES.items() for half in halves}
    matrix = np.zeros((len(target_names), len(source_names)))
    for row, name in enumerate(target_names):
        target = canonical_name(name)
        candidates = ((target,), (whole_of.get(target, ""),), SPLIT_NAMES.get(target, ("",)))
        for group in candidates:
            if all(candidate in column_of for candidate in group):
                matrix[row, [column_of[candidate] for candidate in group]] = 1.0 / len(group)
                break
    return matrix
