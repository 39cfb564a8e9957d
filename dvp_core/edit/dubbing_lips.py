"""Lips in numbers: where they are on a take's own mesh, as linear functions of the expression's coefficients.

A blendshape face moves every point by a sum of coefficients times offsets, so gaps, widths and distances to the teeth
are lines in the coefficients, and asking for a contact is a small linear problem. Lengths are in face heights (bridge
of the nose to chin at rest), so that limits hold for a child and for any unit of the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.speech import LipShape
from dvp_core.edit.channels import canonical_name, is_named
from dvp_core.face.evaluation import landmarks_68

UPPER_LIP, LOWER_LIP = (61, 62, 63), (67, 66, 65)
"""Inner points of the lips that lie over each other, from right to left (see `landmark_map`)."""
_CORNERS = (48, 54)
_BRIDGE, _CHIN = 27, 8

CLOSED_GAP = (-0.02, 0.004)
"""Lips meet between these gaps: at a face height of 10 cm the upper one is 0.4 mm, a line; pressed lips overlap."""
TEETH_ABOVE = (-0.012, 0.1)
"""Height of the lower lip's inner rim over the edge of the upper teeth; a lip that stands higher touches them still."""
TEETH_IN_FRONT = (-0.015, 0.045)
"""Its distance in front of that edge: resting lips lie 4 % before it, a lip that is rolled in lies at it."""
ROUND_WIDTH = (0.7, 0.92)
"""Width of the mouth as a share of its width at rest."""
_MARGIN = 0.2
"""How far inside a range a correction aims, as a part of the range."""

_OPENING = ("jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDown", "mouthUpperUp")
_CLOSING = (*_OPENING, "mouthShrug", "mouthPress")
_BITING = (*_OPENING, "mouthShrugLower", "mouthRollLower")
_ROUNDING = ("mouthPucker", "mouthSmile", "mouthStretch", "mouthDimple")
_PREFIXES: dict[LipShape, tuple[str, ...]] = {"closed": _CLOSING, "teeth": _BITING, "round": _ROUNDING}
_GAP_WITHOUT_TEETH = (0.0, 0.025)
_STILL_SHARE = 0.05
_FRONT_TEETH_DEPTH = 0.2


@dataclass(frozen=True)
class LipRule:
    """R numbers that must lie in ranges: value = `at_zero` + `slope` . coefficients.

    Attributes:
        shape: What the lips do.
        slope: (R, E).
        at_zero: (R,) values with all coefficients at 0.
        low: (R,) least accepted value.
        high: (R,) largest accepted value.
        aim_low: (R,) least value that a correction leaves.
        aim_high: (R,) largest value that a correction leaves.
        is_free: (E,) bool, coefficients that may be changed for it.
    """

    shape: LipShape
    slope: np.ndarray
    at_zero: np.ndarray
    low: np.ndarray
    high: np.ndarray
    aim_low: np.ndarray
    aim_high: np.ndarray
    is_free: np.ndarray

    def values(self, expression: np.ndarray) -> np.ndarray:
        """Return the numbers (F, R) of coefficients (F, E)."""
        return self.at_zero + expression.astype(np.float64) @ self.slope.T

    def is_met(self, expression: np.ndarray) -> np.ndarray:
        """Return (F,) bool, whether all numbers lie in their ranges."""
        values = self.values(expression)
        return ((values >= self.low) & (values <= self.high)).all(axis=1)


@dataclass(frozen=True)
class _Points:
    """The 68 points with all coefficients at 0 (68, 3) and their offsets (E, 68, 3), in face heights."""

    height_m: float
    rest: np.ndarray
    offsets: np.ndarray

    def line(self, weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return slope (E,) and value at rest of a weighted sum of one coordinate."""
        return self.offsets[:, :, axis] @ weights, self.rest[:, axis] @ weights


def lip_rule(face: FaceModel, shape: LipShape, rest: np.ndarray) -> LipRule:
    """Return what a shape of the lips asks of a face's coefficients.

    - closed: the gap between the inner lips, at the middle and at both sides;
    - teeth: height of the lower lip's inner rim over the edge of the upper front teeth, and in the middle its distance
      before them; a face without teeth, or without a shape that opens its jaw, is asked for a small gap instead;
    - round: the distance of the corners of the mouth.

    Args:
        face: The take's own face.
        shape: What the lips do.
        rest: (E,) coefficients of the person at rest.

    Raises:
        DataError: The face names none of the expressions that move lips so.
    """
    is_free = np.array([canonical_name(name).startswith(_PREFIXES[shape]) for name in face.expression_names], np.bool_)
    is_free &= np.array([is_named(name) for name in face.expression_names], np.bool_)
    points = _landmark_points(face)
    if not is_free.any():
        raise DataError(
            f"the face model '{face.id}' names no expression that could bring its lips to '{shape}'",
            where="lip contacts",
            remedy="Dub without timings of speech, or with a take of a model with named expressions",
        )
    if shape == "closed":
        return _gap_rule(shape, points, CLOSED_GAP, is_free)
    if shape == "round":
        return _round_rule(points, rest, is_free)
    return _teeth_rule(face, points, is_free)


def lip_opening(face: FaceModel, expression: np.ndarray) -> np.ndarray:
    """Return the mean gap between the inner lips (F,) in face heights, for coefficients (F, E)."""
    slope, at_zero = _gaps(_landmark_points(face))
    return (at_zero + expression.astype(np.float64) @ slope.T).mean(axis=1)


def _landmark_points(face: FaceModel) -> _Points:
    rest = landmarks_68(face, face.vertices)
    height = float(rest[_BRIDGE, 1] - rest[_CHIN, 1])
    if height <= 0:
        raise DataError(f"the face model '{face.id}' has its chin above the bridge of its nose", where="lip contacts")
    offsets = np.array([landmarks_68(face, basis.astype(np.float64)) for basis in face.expression_basis])
    return _Points(height, rest / height, offsets / height)


def _gaps(points: _Points) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes (3, E) and values at rest (3,) of the gaps between upper and lower lip."""
    lines = [points.line(_difference(upper, lower), 1) for upper, lower in zip(UPPER_LIP, LOWER_LIP, strict=True)]
    return np.array([slope for slope, _ in lines]), np.array([value for _, value in lines])


def _difference(first: int, second: int) -> np.ndarray:
    weights = np.zeros(68)
    weights[first], weights[second] = 1.0, -1.0
    return weights


def _rule(
    shape: LipShape, lines: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray, is_free: np.ndarray
) -> LipRule:
    inside = _MARGIN * (high - low)
    return LipRule(shape, *lines, low, high, low + inside, high - inside, is_free)


def _gap_rule(shape: LipShape, points: _Points, limits: tuple[float, float], is_free: np.ndarray) -> LipRule:
    low, high = (np.full(len(UPPER_LIP), limit) for limit in limits)
    return _rule(shape, _gaps(points), low, high, is_free)


def _round_rule(points: _Points, rest: np.ndarray, is_free: np.ndarray) -> LipRule:
    slope, at_zero = points.line(_difference(_CORNERS[1], _CORNERS[0]), 0)
    width_at_rest = float(at_zero + slope @ rest)
    lines = slope[None] / width_at_rest, np.array([at_zero / width_at_rest])
    low, high = (np.array([limit]) for limit in ROUND_WIDTH)
    return _rule("round", lines, low, high, is_free)


def _teeth_rule(face: FaceModel, points: _Points, is_free: np.ndarray) -> LipRule:
    edge = _upper_teeth_edge(face, points)
    if edge is None:
        return _gap_rule("teeth", points, _GAP_WITHOUT_TEETH, is_free)
    above = [(lower, 1, edge[row, 1]) for row, lower in enumerate(LOWER_LIP)]
    own = [*above, (LOWER_LIP[1], 2, edge[1, 2])]  # lips pulled to one side are out of line in depth at their ends
    lines = [(points.line(np.eye(68)[lower], axis), from_edge) for lower, axis, from_edge in own]
    slope = np.array([line for (line, _), _ in lines])
    from_edge = np.array([value - from_edge for (_, value), from_edge in lines])
    low, high = (np.array([limit] * 3 + [last]) for limit, last in zip(TEETH_ABOVE, TEETH_IN_FRONT, strict=True))
    return _rule("teeth", (slope, from_edge), low, high, is_free)


def _upper_teeth_edge(face: FaceModel, points: _Points) -> np.ndarray | None:
    """Return the lowest points (3, 3) of the upper front teeth over each lower lip point, None where not told.

    Upper teeth are those that stay while the jaw opens.
    """
    teeth = np.flatnonzero(face.region("teeth"))
    jaws = [index for index, name in enumerate(face.expression_names) if canonical_name(name) == "jawOpen"]
    if not teeth.size or not jaws:
        return None
    motion = np.linalg.norm(face.expression_basis[jaws[0]][teeth], axis=1)
    upper = face.vertices[teeth[motion <= _STILL_SHARE * motion.max(initial=0.0)]] / points.height_m
    front = upper[upper[:, 2] > upper[:, 2].max(initial=-np.inf) - _FRONT_TEETH_DEPTH]
    if not len(front) or len(upper) == len(teeth):
        return None
    edges = []
    for lower in LOWER_LIP:
        distance = np.abs(front[:, 0] - points.rest[lower, 0])
        near = front[distance <= max(0.03, distance.min())]
        edges.append(near[np.argmin(near[:, 1])])
    return np.array(edges)
