"""Points that ride on a face model, where a camera sees them, and how both change with a step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.maths.projection import project, project_jacobian
from dvp_core.tracking.states import FrameState, Layout, SharedState


@dataclass(frozen=True)
class SurfacePoints:
    """N points of a face as linear functions of its coefficients, head space, metres.

    Attributes:
        neutral: (N, 3).
        expression_basis: (N, 3, E).
        identity_basis: (N, 3, I).
    """

    neutral: np.ndarray
    expression_basis: np.ndarray
    identity_basis: np.ndarray

    def chosen(self, which: np.ndarray) -> SurfacePoints:
        """Return some of the points, by mask or numbers."""
        return SurfacePoints(self.neutral[which], self.expression_basis[which], self.identity_basis[which])

    def baked(self, identity: np.ndarray) -> SurfacePoints:
        """Return the points of one person, without identity modes."""
        return replace(
            self, neutral=self.neutral + self.identity_basis @ identity, identity_basis=self.identity_basis[..., :0]
        )

    def shifted(self, offsets_head: np.ndarray) -> SurfacePoints:
        """Return the points moved by constant offsets (N, 3)."""
        return replace(self, neutral=self.neutral + offsets_head)

    def at(self, expression: np.ndarray, identity: np.ndarray) -> np.ndarray:
        """Return the points (N, 3) in head space."""
        points = self.neutral + self.expression_basis @ expression
        return points + self.identity_basis @ identity if self.identity_basis.shape[2] else points


@dataclass(frozen=True)
class SeenPoints:
    """Surface points in front of a camera, with what is needed for derivatives.

    Attributes:
        points: The points themselves.
        layout: Places in the step.
        rotation: (3, 3) of the frame.
        rotated: (N, 3), the points rotated but not yet shifted.
        points_camera: (N, 3).
        points_px: (N, 2).
        camera: The camera.
    """

    points: SurfacePoints
    layout: Layout
    rotation: np.ndarray
    rotated: np.ndarray
    points_camera: np.ndarray
    points_px: np.ndarray
    camera: Camera

    def jacobian(self, rows_camera: np.ndarray) -> np.ndarray:
        """Return (N, K, P): derivatives by the step of K quantities a point, given theirs by the point in camera space.

        The point is exp(w) R p(expression, identity) + t, so a row a gives (R p) x a for w and a for t.

        Args:
            rows_camera: (N, K, 3).
        """
        point_count, row_count = rows_camera.shape[:2]
        result = np.zeros((point_count, row_count, self.layout.size))
        x, y, z = self.rotated.T[..., None]
        a, b, c = np.moveaxis(rows_camera, -1, 0)
        # As a cross product of rows, in half the time.
        result[..., 0], result[..., 1], result[..., 2] = y * c - z * b, z * a - x * c, x * b - y * a
        result[..., self.layout.translation] = rows_camera
        rows_head = rows_camera @ self.rotation
        np.matmul(rows_head, self.points.expression_basis, out=result[..., self.layout.expression])
        if self.layout.identity_count:
            result[..., self.layout.identity] = rows_head @ self.points.identity_basis
        return result

    def pixel_jacobian(self) -> np.ndarray:
        """Return (N, 2, P): derivatives of `points_px` by the step."""
        result = self.jacobian(project_jacobian(self.points_camera, self.camera))
        result[..., self.layout.focal] = (self.points_px - np.asarray(self.camera.principal_px))[..., None]
        return result


def see(points: SurfacePoints, state: FrameState, shared: SharedState, camera: Camera, layout: Layout) -> SeenPoints:
    """Return points as the camera sees them; the focal length is that of `shared`."""
    camera = replace(camera, focal_px=shared.focal_px)
    rotated = points.at(state.expression, shared.identity) @ state.rotation.T
    points_camera = rotated + state.translation_m
    points_px = project(points_camera, camera)
    return SeenPoints(points, layout, state.rotation, rotated, points_camera, points_px, camera)


def vertex_points(model: FaceModel, vertices: np.ndarray) -> SurfacePoints:
    """Return the model's vertices of the given numbers (N,) as surface points."""
    return SurfacePoints(
        neutral=model.vertices[vertices].astype(np.float64),
        expression_basis=np.ascontiguousarray(model.expression_basis[:, vertices].transpose(1, 2, 0), np.float64),
        identity_basis=np.ascontiguousarray(model.identity_basis[:, vertices].transpose(1, 2, 0), np.float64),
    )


def landmark_points(model: FaceModel) -> SurfacePoints:
    """Return the model's 68 landmarks as surface points."""
    corners = vertex_points(model, model.landmark_vertices.ravel())
    weights = model.landmark_barycentric.astype(np.float64)

    def mixed(values: np.ndarray) -> np.ndarray:
        return np.einsum("lc,lc...->l...", weights, values.reshape(*weights.shape, *values.shape[1:]))

    return SurfacePoints(mixed(corners.neutral), mixed(corners.expression_basis), mixed(corners.identity_basis))
