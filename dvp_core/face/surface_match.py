"""Finds for points of one face the same places on another: by landmarks first, then by the nearest surface.

The 68 points bring the faces together by a similarity, and a smooth warp takes what is left between them, so that
lips meet lips and lids meet lids; then each point goes to the nearest place of the surface that looks the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face.evaluation import landmarks_68, vertex_normals

# The points whose place means the same on every model; the rest of the jaw line slides along it.
STEADY_POINTS = np.array([8, *range(17, 68)])
SAME_WAY_COSINE = 0.5
FARTHEST_M = 0.010
_WARP_STIFFNESS_M = 0.002
_BLOCK = 512


@dataclass(frozen=True)
class Similarity:
    """points -> scale . rotation . points + shift.

    Attributes:
        scale: Positive.
        rotation: (3, 3).
        shift: (3,).
    """

    scale: float
    rotation: np.ndarray
    shift: np.ndarray

    def of_points(self, points: np.ndarray) -> np.ndarray:
        """Return points (..., 3) moved."""
        return self.of_vectors(points) + self.shift

    def of_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (..., 3) turned and scaled."""
        return self.scale * vectors @ self.rotation.T


def fit_similarity(source: np.ndarray, target: np.ndarray) -> Similarity:
    """Return the similarity that brings points (N, 3) nearest to others (Umeyama 1991, eq. 40-43)."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    from_source, from_target = source - source_mean, target - target_mean
    left, stretch, right = np.linalg.svd(from_target.T @ from_source)
    handedness = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ (handedness[:, None] * right)
    scale = float((stretch * handedness).sum() / (from_source**2).sum())
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


@dataclass(frozen=True)
class Warp:
    """An affine field plus a sum of distances to knots, which together move points (the biharmonic spline in space).

    Attributes:
        knots: (K, 3).
        knot_weights: (K, 3).
        shift: (3,).
        bend: (3, 3), applied from the right.
    """

    knots: np.ndarray
    knot_weights: np.ndarray
    shift: np.ndarray
    bend: np.ndarray

    def of_points(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 3) moved."""
        away = _distances(points, self.knots)
        return points + away @ self.knot_weights + self.shift + points @ self.bend


def fit_warp(knots: np.ndarray, offsets: np.ndarray) -> Warp:
    """Return the smoothest field with offsets (K, 3) at knots (K, 3).

    It gives way a little at the knots, because landmarks are placed by hand.
    """
    count = len(knots)
    system = np.zeros((count + 4, count + 4))
    system[:count, :count] = _distances(knots, knots) - _WARP_STIFFNESS_M * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), knots])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([offsets, np.zeros((4, 3))]))
    return Warp(knots, weights[:count], weights[count], weights[count + 1 :])


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances (N, K) of points (N, 3) to others (K, 3)."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2.0 * points @ others.T
    return np.sqrt(np.maximum(squares, 0.0))


@dataclass(frozen=True)
class Carrying:
    """From the source's head space to the target's, so that both faces at rest lie on each other.

    Attributes:
        similarity: Place, turn and size.
        warp: What is left between the landmarks.
    """

    similarity: Similarity
    warp: Warp

    def of_points(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 3) of the source's head space in the target's."""
        return self.warp.of_points(self.similarity.of_points(points))

    def of_motion(self, rest: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """Return how points at rest (N, 3) that move by fields (E, N, 3) move on the target.

        Both ends of a motion are carried: a lid that shuts the source's eye comes to rest on the target's other lid,
        however wide that eye is.
        """
        start = self.of_points(rest)
        return np.stack([self.of_points(rest + field) - start for field in motion])


@dataclass(frozen=True)
class SurfaceMatch:
    """N places that two faces share.

    Attributes:
        target_vertices: (N,) vertex numbers of the target.
        source_corners: (N, 3) vertex numbers of the source's triangle.
        source_weights: (N, 3) weights of these.
        carrying: From the source's head space to the target's.
        distance_m: (N,) left between both surfaces.
    """

    target_vertices: np.ndarray
    source_corners: np.ndarray
    source_weights: np.ndarray
    carrying: Carrying
    distance_m: np.ndarray


def carrying(source: FaceModel, target: FaceModel) -> Carrying:
    """Return how the source's face is brought onto the target's, both at rest."""
    marks, wanted = (landmarks_68(model, model.vertices)[STEADY_POINTS] for model in (source, target))
    similarity = fit_similarity(marks, wanted)
    moved = similarity.of_points(marks)
    return Carrying(similarity, fit_warp(moved, wanted - moved))


def match_surfaces(source: FaceModel, target: FaceModel, target_vertices: np.ndarray) -> SurfaceMatch:
    """Return the source's places of some of the target's vertices, both at rest; what finds no place is left out.

    Args:
        source: The face on which places are sought.
        target: The face whose vertices are given.
        target_vertices: (M,) their numbers.
    """
    onto_target = carrying(source, target)
    vertices = onto_target.of_points(source.vertices)
    skin = np.flatnonzero(source.region("face", "head", "neck") & _is_used(source))
    points = target.vertices[target_vertices]
    normals = vertex_normals(target.vertices, target.triangles)[target_vertices]
    nearest = skin[_nearest(points, normals, vertices[skin], vertex_normals(vertices, source.triangles)[skin])]
    corners, weights, distance = _on_surface(points, nearest, vertices, source.triangles)
    near = distance < FARTHEST_M
    return SurfaceMatch(target_vertices[near], corners[near], weights[near], onto_target, distance[near])


def _is_used(model: FaceModel) -> np.ndarray:
    """Whether each vertex (V,) is the corner of a triangle."""
    return np.bincount(model.triangles.ravel(), minlength=model.vertex_count) > 0


def _nearest(points: np.ndarray, normals: np.ndarray, others: np.ndarray, other_normals: np.ndarray) -> np.ndarray:
    """Return (N,) the number of the nearest other point whose normal looks the same way."""
    squares = (others**2).sum(axis=1)
    found = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        cost = squares - 2.0 * points[block] @ others.T
        cost += np.where(normals[block] @ other_normals.T < SAME_WAY_COSINE, 1.0, 0.0)
        found[block] = cost.argmin(axis=1)
    return found


def _on_surface(
    points: np.ndarray, nearest: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corners (N, 3), weights (N, 3) and distance (N,) of the nearest place on the triangles of a vertex."""
    fans = _fans(triangles, len(vertices))[nearest]  # (N, M), -1 where a vertex has fewer triangles
    corners = triangles[np.maximum(fans, 0)]
    weights = _clamped_barycentric(points[:, None], vertices[corners])
    places = np.einsum("nmc,nmcx->nmx", weights, vertices[corners])
    distance = np.linalg.norm(places - points[:, None], axis=-1)
    best = np.where(fans < 0, np.inf, distance).argmin(axis=1)
    rows = np.arange(len(points))
    return corners[rows, best], weights[rows, best], distance[rows, best]


def _fans(triangles: np.ndarray, vertex_count: int) -> np.ndarray:
    """Return for each vertex the numbers of its triangles (V, M), filled up with -1."""
    flat = triangles.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=vertex_count)
    starts = np.cumsum(counts) - counts
    fans = np.full((vertex_count, counts.max()), -1)
    place = np.arange(flat.size) - np.repeat(starts, counts)
    fans[flat[order], place] = order // 3
    return fans


def _clamped_barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return weights (..., 3) of points over triangles (..., 3, 3), those outside pulled in to the edge."""
    first, second = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    offset = points - corners[..., 0, :]
    a, b, c = (first * first).sum(-1), (first * second).sum(-1), (second * second).sum(-1)
    d, e = (offset * first).sum(-1), (offset * second).sum(-1)
    area = np.maximum(a * c - b * b, 1e-24)
    second_weight, third_weight = (c * d - b * e) / area, (a * e - b * d) / area
    weights = np.stack([1.0 - second_weight - third_weight, second_weight, third_weight], axis=-1)
    weights = np.maximum(weights, 0.0)
    return weights / weights.sum(axis=-1, keepdims=True)
