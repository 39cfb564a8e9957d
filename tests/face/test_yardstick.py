"""How far the built-in face lies from ICT-FaceKit's neutral surface: a yardstick, never a source.

The built-in face is drawn from anatomical points and is not fitted to the reference; this file only measures.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.face_model import FaceModel
from dvp_core.face import built_in_face, import_ict, landmarks_68
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


def distances_mm(
    face: FaceModel, reference: FaceModel, *, rounds: int = 3, step: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) in mm of the face's region "face" to the reference's neutral skin, and the vertices' numbers (N,).

    The alignment starts from the 68 landmarks and is refined by closest points; it has seven degrees of freedom.
    `step` above one measures only every so many vertices.
    """
    numbers = np.flatnonzero(face.region("face"))[::step]
    skin = reference.triangles[reference.region("face", "head")[reference.triangles].all(axis=1)]
    start = similarity(landmarks_68(face, face.vertices), landmarks_68(reference, reference.vertices))
    points, some = face.vertices[numbers], face.vertices[numbers[::6]]
    scale, rotation, shift = start
    for _ in range(rounds):
        places = nearest_points(scale * some @ rotation.T + shift, reference.vertices, skin)
        scale, rotation, shift = similarity(some, places)
    moved = scale * points @ rotation.T + shift
    return np.linalg.norm(moved - nearest_points(moved, reference.vertices, skin), axis=1) * 1000.0, numbers


def test_the_measure_sees_through_a_similarity() -> None:
    face = built_in_face()
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved = replace(face, vertices=1.3 * face.vertices @ turn.T + (0.1, 0.2, 0.3))
    assert distances_mm(face, moved, rounds=1, step=8)[0].max() < 1e-4


def test_the_measure_sees_a_dent() -> None:
    face = built_in_face()
    nose = face.vertices - landmarks_68(face, face.vertices)[30]
    dent = np.exp(-np.sum(nose**2, axis=1) / 0.01**2)[:, None] * (0, 0, -0.008)
    assert distances_mm(face, replace(face, vertices=face.vertices + dent), rounds=1, step=8)[0].max() > 2.0


def test_built_in_face_lies_within_four_millimetres_of_ict(test_data: Path) -> None:
    reference = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    distance, _ = distances_mm(built_in_face(), reference)
    assert distance.mean() < 4.0


def test_similarity_recovers_a_known_motion() -> None:
    points = np.random.default_rng(5).normal(size=(20, 3))
    turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    scale, rotation, shift = similarity(points, 2.0 * points @ turn.T + (1, 2, 3))
    assert scale == pytest.approx(2.0)
    np.testing.assert_allclose(rotation, turn, atol=1e-12)
    np.testing.assert_allclose(shift, (1, 2, 3), atol=1e-12)
