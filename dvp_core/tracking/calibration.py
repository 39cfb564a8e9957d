"""Places a detector's points on the model: the detector's 'eye corner' is not the model's.

Each point gets a constant offset in head space from the key frames (and, for points of a dense detector, a vertex to
ride on first), so that a whole clip agrees on where its points lie on this person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import EYES_68, LIP_PAIRS_68
from dvp_core.face import evaluate, vertex_normals
from dvp_core.maths.projection import project, project_jacobian
from dvp_core.tracking.bundle import Bundle
from dvp_core.tracking.evidence import FramePoints, Rig
from dvp_core.tracking.states import Layout
from dvp_core.tracking.surface import SurfacePoints, see, vertex_points

LEAST_FACTOR, LARGEST_FACTOR = 0.5, 6.0
LID_OFFSET_SHARE = 0.3  # eyelids and inner lips may hardly be displaced: it would pass for an opening


def calibrated(
    rig: Rig, plain_ibug: SurfacePoints, model: FaceModel, bundle: Bundle, points: Sequence[FramePoints], camera: Camera
) -> Rig:
    """Return the rig with its points where the detector sees them, and factors from how well they then agree.

    Args:
        rig: The rig so far.
        plain_ibug: The model's 68 points without offsets.
        model: The face.
        bundle: Fitted key frames.
        points: Detected points of the key frames.
        camera: The plate's camera.
    """
    options = rig.options
    unit_px = options.sigma * points[0].eye_distance_px
    ibug_px = np.stack([frame.ibug_px for frame in points])
    allowed_m = np.full(68, options.offset_m)
    allowed_m[np.concatenate([EYES_68.ravel(), LIP_PAIRS_68.ravel()])] *= LID_OFFSET_SHARE
    ibug = _with_offsets(plain_ibug, ibug_px, allowed_m, unit_px, bundle, camera)
    factors = np.where(
        np.isinf(rig.ibug_factors), np.inf, np.maximum(_factors(ibug, ibug_px, unit_px, bundle, camera), 1)
    )
    dense_px = np.stack([frame.dense_px for frame in points])
    if not dense_px.shape[1]:
        return replace(rig, ibug=ibug, ibug_factors=factors)
    riding = vertex_points(model, _nearest_vertices(model, bundle, dense_px, camera))
    dense = _with_offsets(riding, dense_px, np.full(dense_px.shape[1], options.offset_m), unit_px, bundle, camera)
    dense_factors = options.dense_factor * _factors(dense, dense_px, unit_px, bundle, camera)
    return replace(rig, ibug=ibug, ibug_factors=factors, dense=dense, dense_factors=dense_factors)


def _nearest_vertices(model: FaceModel, bundle: Bundle, targets_px: np.ndarray, camera: Camera) -> np.ndarray:
    """Return for each of D detected points (K, D, 2) the visible skin vertex that stays nearest over the key frames."""
    skin = np.flatnonzero(model.region("face"))
    skin = skin[:: max(1, len(skin) // 4000)]
    total = np.zeros((targets_px.shape[1], len(skin)))
    camera = replace(camera, focal_px=bundle.shared.focal_px)
    for frame, wanted in zip(bundle.frames, targets_px, strict=True):
        vertices = evaluate(model, identity=bundle.shared.identity, expression=frame.expression)
        normals = vertex_normals(vertices, model.triangles)[skin] @ frame.rotation.T
        points = vertices[skin] @ frame.rotation.T + frame.translation_m
        is_turned_away = (normals * points).sum(axis=1) > 0
        places = project(points, camera)
        squares = (wanted**2).sum(axis=1)[:, None] - 2 * wanted @ places.T + (places**2).sum(axis=1)
        total += squares + np.where(is_turned_away, 100.0**2, 0.0)
    return skin[total.argmin(axis=1)]


def _with_offsets(
    points: SurfacePoints,
    targets_px: np.ndarray,
    allowed_m: np.ndarray,
    unit_px: float,
    bundle: Bundle,
    camera: Camera,
) -> SurfacePoints:
    """Return the points shifted to agree best with their targets (K, N, 2) over the key frames, offsets kept small."""
    layout = Layout(points.expression_basis.shape[2], points.identity_basis.shape[2])
    normal = np.tile(np.eye(3), (len(allowed_m), 1, 1)) / allowed_m[:, None, None] ** 2
    right = np.zeros((len(allowed_m), 3))
    for frame, wanted in zip(bundle.frames, targets_px, strict=True):
        seen = see(points, frame, bundle.shared, camera, layout)
        rows = project_jacobian(seen.points_camera, seen.camera) @ frame.rotation / unit_px
        missing = (wanted - seen.points_px) / unit_px
        # One stray frame must not drag a point: weights of a pseudo-Huber loss.
        weights = 1 / np.sqrt(1 + (missing**2).sum(axis=1) / 9.0)
        normal += np.einsum("n,nki,nkj->nij", weights, rows, rows)
        right += np.einsum("n,nki,nk->ni", weights, rows, missing)
    return points.shifted(np.linalg.solve(normal, right[..., None])[..., 0])


def _factors(
    points: SurfacePoints, targets_px: np.ndarray, unit_px: float, bundle: Bundle, camera: Camera
) -> np.ndarray:
    """Return (N,) typical errors over the key frames in units of a well-defined point's."""
    layout = Layout(points.expression_basis.shape[2], points.identity_basis.shape[2])
    errors = [
        np.linalg.norm(see(points, frame, bundle.shared, camera, layout).points_px - wanted, axis=1)
        for frame, wanted in zip(bundle.frames, targets_px, strict=True)
    ]
    return np.clip(np.median(errors, axis=0) / unit_px, LEAST_FACTOR, LARGEST_FACTOR)
