"""Fits the linear map from one model's expressions to another's, over the skin that both share.

Each source expression is a field of displacements. It is carried to the target's vertices (`surface_match.py`), and the
target's expressions that follow it best, there and at the landmarks, are found by least squares. A prior keeps them
from fighting each other: a numbered mode is expected at zero within its own standard deviation, a named shape at the
weight that its name alone would give it, and weights between named shapes stay in 0..1.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import ExpressionMap, MappedModel
from dvp_core.data.face_model import FaceModel
from dvp_core.face.expression_names import is_named, weights_by_name
from dvp_core.face.surface_match import STEADY_POINTS, match_surfaces

LARGEST_SAMPLE = 6000
FEWEST_PLACES = 200
# What the landmarks together count beside the whole surface: lids and lips are small and matter much.
LANDMARK_SHARE = 0.5
# What a departure of one from the expected weight costs, as root mean square over the face. A mode's own standard
# deviation is its spread, with a millimetre of noise at about a thousand independent places.
NUMBERED_COST_MM = 0.03
# A named shape has no such spread; it pays a share of its own motion.
NAMED_COST_SHARE = 0.3
_SMALLEST_COST_MM = 1e-3
_NEGLIGIBLE = 1e-3
_SWEEPS = 400


def fit_expression_map(source: FaceModel, target: FaceModel) -> ExpressionMap:
    """Return the map from the source's expressions to the target's.

    Raises:
        DataError: A model has no expressions, or the faces hardly meet.
    """
    for model in (source, target):
        if not model.expression_count:
            raise DataError(f"model '{model.id}' has no expressions", remedy="Import it with expressions")
    candidates = np.flatnonzero(target.region("face"))
    match = match_surfaces(source, target, candidates[:: 1 + len(candidates) // LARGEST_SAMPLE])
    if len(match.target_vertices) < FEWEST_PLACES:
        raise DataError(
            f"the faces of '{source.id}' and '{target.id}' meet at {len(match.target_vertices)} places only",
            remedy="Check the landmarks of both models",
        )
    weights = _areas(target)[match.target_vertices]
    weights /= weights.sum()
    wanted = 1e3 * match.carrying.of_motion(*_at(source, match.source_corners, match.source_weights))
    own = 1e3 * target.expression_basis[:, match.target_vertices].astype(np.float64)
    marks_wanted = 1e3 * match.carrying.of_motion(*_at_landmarks(source))
    matrix = _solved(
        np.concatenate([own, 1e3 * _at_landmarks(target)[1]], axis=1),
        np.concatenate([wanted, marks_wanted], axis=1),
        np.concatenate([weights, np.full(len(STEADY_POINTS), LANDMARK_SHARE / len(STEADY_POINTS))]),
        source,
        target,
    )
    left = np.tensordot(matrix.T, own, axes=1) - wanted
    return ExpressionMap(
        source=MappedModel(source.id, source.sha256, source.expression_names),
        target=MappedModel(target.id, target.sha256, target.expression_names),
        matrix=matrix,
        residual_mm=_spread(left, weights),
        motion_mm=_spread(wanted, weights),
    )


def _at(model: FaceModel, corners: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places (N, 3) of a model's surface at rest and their motions (E, N, 3), metres."""
    rest = np.einsum("nc,ncx->nx", weights, model.vertices[corners])
    return rest, np.einsum("nc,encx->enx", weights, model.expression_basis[:, corners])


def _at_landmarks(model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks that mean the same on every model, at rest (N, 3) and their motions (E, N, 3), metres."""
    return _at(model, model.landmark_vertices[STEADY_POINTS], model.landmark_barycentric[STEADY_POINTS])


def _areas(model: FaceModel) -> np.ndarray:
    """Return each vertex's share (V,) of the surface, so that dense parts of a mesh count no more than others."""
    corners = model.vertices[model.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return np.bincount(model.triangles.ravel(), weights=np.repeat(area, 3), minlength=model.vertex_count)


def _spread(fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the root mean square (S,) of fields (S, N, 3)."""
    return np.sqrt(np.einsum("snx,snx,n->s", fields, fields, weights))


def _solved(
    own: np.ndarray, wanted: np.ndarray, weights: np.ndarray, source: FaceModel, target: FaceModel
) -> np.ndarray:
    """Return the matrix (T, S) that minimises |own . matrix - wanted|^2 plus the prior, within its bounds."""
    is_named_target, is_named_source = (
        np.array([is_named(name) for name in model.expression_names]) for model in (target, source)
    )
    is_bounded = is_named_target[:, None] & is_named_source[None]
    is_comparable = is_bounded | (source.sha256 == target.sha256)
    expected = weights_by_name(source.expression_names, target.expression_names) * is_comparable
    root = np.sqrt(weights)[:, None]
    basis, goal = ((fields * root).reshape(len(fields), -1) for fields in (own, wanted))
    named_cost = np.maximum(NAMED_COST_SHARE * _spread(own, weights), _SMALLEST_COST_MM)
    cost = np.where(is_named_target, named_cost, NUMBERED_COST_MM) ** 2
    hessian, right = basis @ basis.T + np.diag(cost), basis @ goal.T + cost[:, None] * expected
    lower, upper = np.where(is_bounded, 0.0, -np.inf), np.where(is_bounded, 1.0, np.inf)
    found = np.clip(np.linalg.solve(hessian, right), lower, upper)
    if is_bounded.any():
        found = descended(hessian, right, found, lower, upper)
    return np.where(np.abs(found) < _NEGLIGIBLE, 0.0, found)


def descended(
    hessian: np.ndarray, right: np.ndarray, start: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """Return x (T, S) that minimises x' H x / 2 - x' r in every column within bounds (T, S), row by row in turns."""
    found = start.copy()
    for _ in range(_SWEEPS):
        before = found.copy()
        for row in range(len(hessian)):
            slope = hessian[row] @ found - right[row]
            found[row] = np.clip(found[row] - slope / hessian[row, row], lower[row], upper[row])
        if np.abs(found - before).max() < 1e-6:
            break
    return found
