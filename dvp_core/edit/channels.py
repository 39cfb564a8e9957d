"""Names of what can be edited: channels, face regions, and how one set of expressions drives another.

This file knows names alone; what is done with the values lies in `transfer.py` and `apply.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.face.expression_names import SPLIT_NAMES, canonical_name

Channel = Literal["head", "expression", "gaze"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

_REGION_OF_PREFIX = {
    "brow": "brows",
    "eye": "eyes",
    "jaw": "jaw",
    "mouth": "mouth",
    "tongue": "mouth",
    "cheek": "cheeks",
    "nose": "nose",
}
REGIONS: tuple[str, ...] = ("brows", "eyes", "mouth", "jaw", "cheeks", "nose", "other", "head", "gaze")
"""Regions a strength can be given for; "other" holds expressions whose name tells no region."""

_UNNAMED = re.compile(r"expression_\d+")


def region_of(expression_name: str) -> str:
    """Return the region of an expression by its ARKit name, "other" where the name tells none."""
    canonical = canonical_name(expression_name)
    for prefix, region in _REGION_OF_PREFIX.items():
        if canonical.startswith(prefix):
            return region
    return "other"


def is_named(expression_name: str) -> bool:
    """Whether an expression is a named shape of range 0..1, not a numbered mode that may take any value."""
    return _UNNAMED.fullmatch(expression_name) is None


def checked_channels(channels: Sequence[str]) -> frozenset[str]:
    """Return the channels as a set.

    Raises:
        DataError: One of them does not exist.
    """
    for channel in channels:
        if channel not in CHANNELS:
            raise DataError(f"'{channel}' is no channel", remedy=f"Use some of {', '.join(CHANNELS)}")
    return frozenset(channels)


def checked_strength(strength: Mapping[str, float] | None) -> dict[str, float]:
    """Return the strength of every region, 1 where none is given.

    Raises:
        DataError: An unknown region, or a strength outside 0..1.
    """
    given = dict(strength or {})
    for region, value in given.items():
        if region not in REGIONS:
            raise DataError(f"'{region}' is no region", remedy=f"Use some of {', '.join(REGIONS)}")
        if not 0.0 <= value <= 1.0:
            raise DataError(f"strength of {region} is {value}, expected 0 to 1")
    return {region: float(given.get(region, 1.0)) for region in REGIONS}


def expression_mapping(source_names: Sequence[str], target_names: Sequence[str], *, is_same_model: bool) -> np.ndarray:
    """Return the matrix (E_target, E_source) that turns source weights into target weights, by name.

    A row of zeros is a target expression that nothing drives. ARKit's single shape drives both halves of a split one;
    two halves drive a single one with their mean. Numbered modes match within one model alone, because the third mode
    of one model has nothing to do with the third of another.

    Raises:
        DataError: No target expression is driven at all.
    """
    column_of = {canonical_name(name): column for column, name in enumerate(source_names)}
    whole_of = {half: whole for whole, halves in SPLIT_NAMES.items() for half in halves}
    matrix = np.zeros((len(target_names), len(source_names)))
    for row, name in enumerate(target_names):
        target = canonical_name(name)
        if not is_named(target) and not is_same_model:
            continue
        candidates = ((target,), (whole_of.get(target, ""),), SPLIT_NAMES.get(target, ("",)))
        for group in candidates:
            if all(candidate in column_of for candidate in group):
                matrix[row, [column_of[candidate] for candidate in group]] = 1.0 / len(group)
                break
    if not matrix.any():
        raise DataError(
            "no expression of the source has a counterpart in the target "
            f"(source: {_some(source_names)}; target: {_some(target_names)})",
            remedy="Track both clips with one face model, or leave the expression channel out",
        )
    return matrix


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (", ..." if len(names) > 3 else "")) or "none"
