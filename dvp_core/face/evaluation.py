"""Turns the coefficients of a face model into vertices, normals and landmarks.

Everything here is plain arithmetic on the arrays of `FaceModel`: it knows no camera, no pixel and no model by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dvp_core.data.face_model import FaceModel
from dvp_core.maths.rigid import transform_points
from dvp_core.maths.rotations import gaze_rotation


def evaluate(model: FaceModel, *, identity: ArrayLike | None = None, expression: ArrayLike | None = None) -> np.ndarray:
    """Vertices (V, 3) in head space, metres: mean + identity . identity_basis + expression . expression_basis.

    Args:
        model: The face.
        identity: (I,) coefficients in standard deviations; None is the mean face.
        expression: (E,) weights, 0..1 for named shapes; None is the neutral face.
    """
    vertices = np.array(model.vertices, dtype=np.float64)
    for coefficients, basis in ((identity, model.identity_basis), (expression, model.expression_basis)):
        if coefficients is not None:
            vertices += blend(coefficients, basis)
    return vertices


def blend(coefficients: ArrayLike, basis: np.ndarray) -> np.ndarray:
    """Sum of basis fields (N, V, 3) weighted by (N,) coefficients, as (V, 3) float64.

    Fields of weight zero are not read, which is what makes single expressions cheap. The sum is written out, because a
    matrix product rounds as the machine's linear algebra library likes: Blender, a farm worker and this process shall
    agree in every bit.
    """
    weights = np.asarray(coefficients, dtype=np.float32)
    if weights.shape != (len(basis),):
        raise ValueError(f"expected {len(basis)} coefficients, got an array of shape {weights.shape}")
    total = np.zeros(basis.shape[1:], dtype=np.float64)
    for number in np.flatnonzero(weights):
        total += basis[number] * weights[number]
    return total


def eye_centers(model: FaceModel, vertices_head: np.ndarray) -> np.ndarray:
    """Eyeball centres (2, 3) of a deformed face, left then right: the model's own moved as its eyeballs moved."""
    centers = np.array(model.eye_centers, dtype=np.float64)
    for side, (start, stop) in enumerate(model.eye_ranges):
        centers[side] += np.mean(vertices_head[start:stop] - model.vertices[start:stop], axis=0)
    return centers


def rotate_eyes(model: FaceModel, vertices_head: np.ndarray, gaze_rad: ArrayLike) -> np.ndarray:
    """A copy of `vertices_head` (V, 3) with both eyeballs turned about their centres.

    Args:
        model: The face the vertices belong to; it names the eyeballs' vertices.
        vertices_head: (V, 3) in head space, metres.
        gaze_rad: (2, 2), [left eye, right eye] x [yaw, pitch] in head space.
    """
    gaze = np.asarray(gaze_rad, dtype=np.float64)
    turned = np.array(vertices_head, dtype=np.float64)
    for side, center in enumerate(eye_centers(model, turned)):
        start, stop = model.eye_ranges[side]
        rotation = gaze_rotation(gaze[side, 0], gaze[side, 1])
        turned[start:stop] = transform_points(rotation, center, turned[start:stop] - center)
    return turned


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), the area-weighted mean of the triangles that meet in a vertex; +Z where none does."""
    x, y, z = np.ascontiguousarray(vertices.T)
    first, second, third = np.ascontiguousarray(triangles.T)
    # One axis at a time: the same sums as a cross product of rows, in half the time.
    ax, ay, az = (np.take(places, second) - np.take(places, first) for places in (x, y, z))
    bx, by, bz = (np.take(places, third) - np.take(places, first) for places in (x, y, z))
    areas = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    flat = triangles.ravel()
    sums = np.stack([np.bincount(flat, weights=np.repeat(area, 3), minlength=len(vertices)) for area in areas], axis=1)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    normals = sums / np.maximum(lengths, 1e-30)
    normals[lengths[:, 0] < 1e-20] = (0.0, 0.0, 1.0)
    return normals


def landmarks_68(model: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """The 68 landmarks (68, 3) on `vertices` (V, 3), in the space of the vertices.

    The order is iBUG's (Multi-PIE's) and is written out in `dvp_core.face.landmark_map`.
    """
    weights = np.asarray(model.landmark_barycentric, dtype=np.float64)
    return np.einsum("lc,lcx->lx", weights, vertices[model.landmark_vertices])
