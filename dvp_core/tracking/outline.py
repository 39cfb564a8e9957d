"""Where the face's outline lies on the model for a pose: the skin that turns away from the camera near the jaw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import JAW_68
from dvp_core.face import landmarks_68, vertex_normals
from dvp_core.tracking.states import FrameState, SharedState
from dvp_core.tracking.surface import SurfacePoints, vertex_points

REACH_M = 0.04  # how far from the model's own jaw point the outline may slide
EDGE_COSINE = 0.25  # skin within about 15 degrees of edge-on counts as outline


@dataclass(frozen=True)
class Outline:
    """The 17 outline points of one frame, and the directions (17, 2) across the outline in the picture."""

    points: SurfacePoints
    across: np.ndarray


@dataclass(frozen=True)
class OutlineFinder:
    """Candidates for outline points.

    Attributes:
        candidates: N points of the skin near the jaw.
        normals_head: (N, 3) of the face at rest.
        is_near: (17, N) whether a candidate may answer an outline point.
    """

    candidates: SurfacePoints
    normals_head: np.ndarray
    is_near: np.ndarray

    def find(self, jaw_px: np.ndarray, state: FrameState, shared: SharedState, camera: Camera) -> Outline:
        """Return for each detected outline point (17, 2) the nearest skin that is seen edge-on."""
        head = self.candidates.at(state.expression, shared.identity)
        points = head @ state.rotation.T + state.translation_m
        normals = self.normals_head @ state.rotation.T
        facing = np.abs((normals * points).sum(axis=1)) / np.linalg.norm(points, axis=1)
        places = shared.focal_px * points[:, :2] / points[:, 2:] + np.asarray(camera.principal_px)
        distance = np.linalg.norm(places[None] - jaw_px[:, None], axis=-1)
        unit = shared.focal_px * REACH_M / points[:, 2].mean()
        cost = distance / unit + np.where(facing > EDGE_COSINE, 4.0 * facing, 0.0) + np.where(self.is_near, 0.0, 100.0)
        best = cost.argmin(axis=1)
        across = normals[best, :2]
        length = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
        return Outline(self.candidates.chosen(best), across / length)


def outline_finder(model: FaceModel) -> OutlineFinder:
    """Return the candidates of a model: skin within reach of its jaw points."""
    skin = np.flatnonzero(model.region("face", "head", "neck"))
    jaw = landmarks_68(model, model.vertices)[JAW_68]
    distance = np.linalg.norm(model.vertices[skin][None] - jaw[:, None], axis=-1)
    near = skin[(distance < REACH_M).any(axis=0)]
    near = near[:: max(1, len(near) // 1500)]
    normals = vertex_normals(model.vertices, model.triangles)
    is_near = np.linalg.norm(model.vertices[near][None] - jaw[:, None], axis=-1) < REACH_M
    return OutlineFinder(vertex_points(model, near), normals[near], is_near)
