"""How far the built-in face lies from a reference surface: the yardstick of the face's tests and docs.

It only measures. The built-in face is drawn from anatomical points and is never fitted to the reference.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face import landmarks_68
from dvp_core.face.built_in.landmarks import closest_weights


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and shift that carry points (N, 3) best onto others (Umeyama 1991)."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    u, singular, vt = np.linalg.svd(covariance)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    variance = np.mean(np.sum((source - source_mean) ** 2, axis=1))
    scale = float(np.trace(np.diag(singular) @ sign) / variance)
    return scale, rotation, target_mean - scale * rotation @ source_mean


def nearest_points(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The nearest places (N, 3) on a surface, searched among the triangles of the four nearest vertices."""
    incident: list[list[int]] = [[] for _ in range(len(vertices))]
    for number, triangle in enumerate(triangles):
        for vertex in triangle:
            incident[vertex].append(number)
    used = np.unique(triangles)
    squared = np.sum(vertices[used] ** 2, axis=1)[None] - 2.0 * points @ vertices[used].T
    near = used[np.argpartition(squared, 4, axis=1)[:, :4]]
    places = np.empty_like(points)
    for index, (point, vertex_numbers) in enumerate(zip(points, near, strict=True)):
        candidates = triangles[sorted({t for vertex in vertex_numbers for t in incident[vertex]})]
        weights, distance = closest_weights(vertices[candidates], point)
        best = int(distance.argmin())
        places[index] = weights[best] @ vertices[candidates[best]]
    return places


def distances_mm(face: FaceModel, reference: FaceModel, *, rounds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) in mm of the face's region "face" to the reference's neutral skin, and the vertices' numbers (N,).

    The alignment starts from the 68 landmarks and is refined by closest points; it has seven degrees of freedom.
    """
    numbers = np.flatnonzero(face.region("face"))
    skin = reference.triangles[reference.region("face", "head")[reference.triangles].all(axis=1)]
    start = similarity(landmarks_68(face, face.vertices), landmarks_68(reference, reference.vertices))
    points = face.vertices[numbers]
    scale, rotation, shift = start
    places = points
    for _ in range(rounds):
        moved = scale * points @ rotation.T + shift
        places = nearest_points(moved, reference.vertices, skin)
        scale, rotation, shift = similarity(points, places)
    moved = scale * points @ rotation.T + shift
    return np.linalg.norm(moved - nearest_points(moved, reference.vertices, skin), axis=1) * 1000.0, numbers
