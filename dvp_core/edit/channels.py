"""Names of what can be edited: channels, face regions, and how one set of expressions drives another.

This file knows names alone; what is done with the values lies in `transfer.py` and `apply.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap
from dvp_core.data.take import Take
from dvp_core.face.expression_names import canonical_name, is_named, weights_by_name

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


def region_of(expression_name: str) -> str:
    """Return the region of an expression by its ARKit name, "other" where the name tells none."""
    canonical = canonical_name(expression_name)
    for prefix, region in _REGION_OF_PREFIX.items():
        if canonical.startswith(prefix):
            return region
    return "other"


def parameter_regions(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return names of parameters (`dvp_core.data.coverage.parameter_names`) by region, in the order of `REGIONS`."""
    found: dict[str, list[str]] = {region: [] for region in REGIONS}
    for name in names:
        group, rest = name.split(".", 1)
        found[region_of(rest) if group == "expression" else group].append(name)
    return {region: tuple(members) for region, members in found.items() if members}


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
        DataError: A model has numbered modes and the other is another model, or no target expression is driven at all.
    """
    numbered = [name for name in (*source_names, *target_names) if not is_named(name)]
    if numbered and not is_same_model:
        raise DataError(
            f"the takes are of different face models, and a number such as '{numbered[0]}' means nothing to another "
            f"model (source: {_some(source_names)}; target: {_some(target_names)})",
            remedy="Fit a map with 'dvp model map' and give it with --map, or leave the expression channel out",
        )
    matrix = weights_by_name(source_names, target_names)
    if not matrix.any():
        raise DataError(
            "no expression of the source has a counterpart in the target "
            f"(source: {_some(source_names)}; target: {_some(target_names)})",
            remedy="Fit a map with 'dvp model map' and give it with --map, or leave the expression channel out",
        )
    return matrix


def expressions_driven(source: Take, target: Take, expression_map: ExpressionMap | None) -> np.ndarray:
    """Return the matrix (E_target, E_source) from the source's weights to the target's: a map's, or by name.

    Raises:
        DataError: The map leads between other models, or names do not do without one.
    """
    if expression_map is None:
        is_same_model = source.face_model_id == target.face_model_id
        return expression_mapping(source.expression_names, target.expression_names, is_same_model=is_same_model)
    for end, model, take in (("from", expression_map.source, source), ("to", expression_map.target, target)):
        if model.sha256 != take.face_model_sha256 or model.expression_names != take.expression_names:
            raise DataError(
                f"the map leads {end} the face model '{model.id}' ({model.sha256[:12]}), the take of "
                f"{take.clip.file_name} is of '{take.face_model_id}' ({take.face_model_sha256[:12]})",
                where="--map",
                remedy="Fit a map between the models of these two takes with 'dvp model map'",
            )
    return expression_map.matrix


def strengths_of_rows(
    matrix: np.ndarray, source_names: Sequence[str], target_names: Sequence[str], strengths: Mapping[str, float]
) -> np.ndarray:
    """Return the strength (E_target,) of every target expression.

    One whose own name tells a region has that region's. One whose name tells none has those of the source's
    expressions that drive it, each by its share.
    """
    share = np.abs(matrix)
    total = np.maximum(share.sum(axis=1), 1e-12)
    from_source = share @ np.array([strengths[region_of(name)] for name in source_names]) / total
    own = np.array([strengths[region_of(name)] for name in target_names])
    is_told = np.array([region_of(name) != "other" for name in target_names], dtype=bool)
    return np.where(is_told | ~matrix.any(axis=1), own, from_source)


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (", ..." if len(names) > 3 else "")) or "none"
