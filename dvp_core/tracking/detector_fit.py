"""Measures where a detector sees its points on a face model, from renders of the model whose truth is known.

Each point first gets the vertex it stays nearest to. How it departs from that vertex - always, with shape, with
expression, with the view - is a ridge regression over all renders; what is left, on subjects the regression did not
see, is the covariance of its errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.detector_table import DetectorTable, view_terms
from dvp_core.data.face_model import FaceModel
from dvp_core.face import vertex_normals
from dvp_core.tracking.surface import SurfacePoints, vertex_points
from dvp_core.tracking.terms.detector import metres_upright

# Expected departures: metres, or parts of how far a mode moves the vertex itself and the face on average.
OFFSET_M, VIEW_M = 0.006, 0.01
OWN_SHARE, IDENTITY_SHARE, EXPRESSION_SHARE = 0.5, 0.3, 0.15
NOISE_M = 0.0015
TURNED_AWAY, TURNED_AWAY_FACTOR = 0.2, 3.0  # points seen at a flat angle are this much worse
FOLD_COUNT = 2
OWN_ERROR_SHARE = 0.03  # of the variance: what of the errors is taken as each point's own
OUTLIER = 4.0  # robust deviations at which an error counts no further
CANDIDATE_COUNT = 5000


@dataclass(frozen=True)
class CalibrationSamples:
    """N renders and what a detector saw in them.

    Attributes:
        subject: (N,) whose face it is; errors of one subject go together.
        identity: (N, I).
        expression: (N, E).
        rotation: (N, 3, 3), head to camera space.
        translation_m: (N, 3).
        focal_px: (N,).
        center_px: (2,) principal point of all renders.
        points_px: (N, P, 2) detected points.
    """

    subject: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    translation_m: np.ndarray
    focal_px: np.ndarray
    center_px: np.ndarray
    points_px: np.ndarray


@dataclass(frozen=True)
class _Sight:
    """One point in all renders: its motions (N, 2, 3), what is missing (N, 2) and its expected error (N,), metres."""

    rows: np.ndarray
    missing_m: np.ndarray
    sigma_m: np.ndarray


def fit_detector_table(
    model: FaceModel, samples: CalibrationSamples, *, detector: str, numbers: np.ndarray
) -> DetectorTable:
    """Return the table of a detector's points on a model.

    Args:
        model: The face that was rendered.
        samples: The renders; their expressions and identities should vary well beyond what the table is used for.
        detector: The detector's name.
        numbers: (D,) which of the detector's points to keep.
    """
    vertices = nearest_vertices(model, samples, numbers)
    views = np.stack([view_terms(r, t) for r, t in zip(samples.rotation, samples.translation_m, strict=True)])
    known = np.concatenate([np.ones((len(views), 1)), samples.identity, samples.expression, views], axis=1)
    fold = np.unique(samples.subject, return_inverse=True)[1] % FOLD_COUNT
    departures = np.zeros((len(numbers), 3, known.shape[1]))
    errors = np.zeros((len(views), len(numbers), 2))
    normals = vertex_normals(model.vertices, model.triangles)[vertices]
    for place, number in enumerate(numbers):
        riding = vertex_points(model, vertices[place : place + 1])
        sight = _sight(riding, normals[place], samples, samples.points_px[:, number])
        spread = _expected_departures(model, riding, views.shape[1])
        for left_out in range(FOLD_COUNT):
            is_out = fold == left_out
            found = _regressed(sight, known, ~is_out, spread)
            errors[is_out, place] = (sight.missing_m - _moved(sight, known, found))[is_out]
        departures[place] = _regressed(sight, known, np.ones(len(fold), dtype=bool), spread)
    identity_end = 1 + model.identity_count
    expression_end = identity_end + model.expression_count
    return DetectorTable(
        detector=detector,
        model_id=model.id,
        expression_names=model.expression_names,
        numbers=numbers,
        vertices=vertices,
        offset_mm=1000 * departures[..., 0],
        identity_mm=1000 * departures[..., 1:identity_end],
        expression_mm=1000 * departures[..., identity_end:expression_end],
        view_mm=1000 * departures[..., expression_end:],
        covariance_mm2=1e6 * _covariance(errors, samples.rotation),
    )


def nearest_vertices(model: FaceModel, samples: CalibrationSamples, numbers: np.ndarray) -> np.ndarray:
    """Return (D,) for each of the detector's points the vertex of the face that stays nearest to it and visible."""
    candidates = np.flatnonzero(model.region("face"))
    candidates = candidates[:: max(1, len(candidates) // CANDIDATE_COUNT)]
    points = vertex_points(model, candidates)
    normals = vertex_normals(model.vertices, model.triangles)[candidates]
    total = np.zeros((len(numbers), len(candidates)))
    for index in range(0, len(samples.subject), max(1, len(samples.subject) // 1200)):
        head = points.at(samples.expression[index], samples.identity[index])
        camera = head @ samples.rotation[index].T + samples.translation_m[index]
        places = samples.focal_px[index] * camera[:, :2] / camera[:, 2:] + samples.center_px
        wanted = samples.points_px[index, numbers]
        squares = (wanted**2).sum(axis=1)[:, None] - 2 * wanted @ places.T + (places**2).sum(axis=1)
        metres = camera[:, 2].mean() / samples.focal_px[index]
        is_away = ((normals @ samples.rotation[index].T) * camera).sum(axis=1) > 0
        total += np.minimum(squares * metres**2, 0.02**2) + np.where(is_away, 0.003**2, 0.0)
    return candidates[total.argmin(axis=1)]


def _sight(riding: SurfacePoints, normal: np.ndarray, samples: CalibrationSamples, seen_px: np.ndarray) -> _Sight:
    """Compare one vertex with what the detector saw, (N, 2), in metres at the vertex's own distance."""
    head = riding.neutral + samples.expression @ riding.expression_basis[0].T
    head = head + samples.identity @ riding.identity_basis[0].T
    camera = np.einsum("nij,nj->ni", samples.rotation, head) + samples.translation_m
    slope = camera[:, :2] / camera[:, 2:]
    scale = samples.focal_px / camera[:, 2]
    missing = (seen_px - (samples.focal_px[:, None] * slope + samples.center_px)) / scale[:, None]
    flat = np.concatenate([np.tile(np.eye(2), (len(slope), 1, 1)), -slope[:, :, None]], axis=2)
    facing = -((samples.rotation @ normal) * camera).sum(axis=1) / np.linalg.norm(camera, axis=1)
    sigma = NOISE_M * np.where(facing > TURNED_AWAY, 1.0, TURNED_AWAY_FACTOR)
    return _Sight(flat @ samples.rotation, missing, sigma)


def _expected_departures(model: FaceModel, riding: SurfacePoints, view_count: int) -> np.ndarray:
    """Return (3, C) spreads of offset, identity, expression and view departures of one point."""
    skin = model.region("face")

    def spread(basis: np.ndarray, own: np.ndarray, share: float) -> np.ndarray:
        usual = np.sqrt((basis[:, skin].astype(np.float64) ** 2).sum(axis=2).mean(axis=1))
        return share * usual + OWN_SHARE * np.abs(own)

    return np.concatenate(
        [
            np.full((3, 1), OFFSET_M),
            spread(model.identity_basis, riding.identity_basis[0], IDENTITY_SHARE),
            spread(model.expression_basis, riding.expression_basis[0], EXPRESSION_SHARE),
            np.full((3, view_count), VIEW_M),
        ],
        axis=1,
    )


def _regressed(sight: _Sight, known: np.ndarray, which: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return departures (3, C) from the chosen renders: ridge regression with each departure's own expected size."""
    rows = sight.rows[which] / sight.sigma_m[which, None, None]
    missing = sight.missing_m[which] / sight.sigma_m[which, None]
    inputs = known[which]
    count = inputs.shape[1]
    normal = np.zeros((3, count, 3, count))
    for a in range(3):
        for b in range(a, 3):
            shared = (rows[:, :, a] * rows[:, :, b]).sum(axis=1)
            normal[a, :, b] = (inputs * shared[:, None]).T @ inputs
            normal[b, :, a] = normal[a, :, b].T
    right = (np.einsum("nka,nk->na", rows, missing).T @ inputs).ravel()
    scale = spread.ravel()
    system = normal.reshape(3 * count, 3 * count) * scale[:, None] * scale + np.eye(3 * count)
    return (np.linalg.solve(system, right * scale) * scale).reshape(3, count)


def _moved(sight: _Sight, known: np.ndarray, departures: np.ndarray) -> np.ndarray:
    return np.einsum("nkj,nj->nk", sight.rows, known @ departures.T)


def _covariance(errors_m: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Return (2 D, 2 D) of errors (N, D, 2) along the upright head's axes, outliers clipped, shrunk to its diagonal."""
    upright = np.stack([metres_upright(turn, 1.0, 1.0) for turn in rotation])
    flat = np.einsum("nab,ndb->nda", upright, errors_m).reshape(len(errors_m), -1)
    limit = OUTLIER * 1.4826 * np.median(np.abs(flat), axis=0)
    flat = np.clip(flat, -limit, limit)
    full = flat.T @ flat / len(flat)
    return (1 - OWN_ERROR_SHARE) * full + OWN_ERROR_SHARE * np.diag(np.diag(full))
