"""Small square tiles of skin that ride on the face, and how a camera sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.maths.projection import project, project_jacobian
from dvp_core.tracking.appearance import SkinPatch, patch_around
from dvp_core.tracking.states import FrameState
from dvp_core.tracking.surface import SurfacePoints, vertex_points


@dataclass(frozen=True)
class SkinTiles:
    """N tiles on a person's skin.

    Attributes:
        vertices: (N,) vertices of the model that the tiles ride on.
        centers: Where the tiles' middles lie: the vertices, moved to where the skin turned out to be.
        sides: From each vertex to a neighbour: the direction that keeps a tile from spinning.
        patch: The vertices' normals under an expression.
    """

    vertices: np.ndarray
    centers: SurfacePoints
    sides: SurfacePoints
    patch: SkinPatch

    def chosen(self, which: np.ndarray) -> SkinTiles:
        """Return some of the tiles, by their numbers."""
        return SkinTiles(
            self.vertices[which],
            self.centers.chosen(which),
            self.sides.chosen(which),
            self.patch.chosen(which),
        )

    def shifted(self, offsets_head: np.ndarray) -> SkinTiles:
        """Return the tiles with their middles moved by (N, 3) metres."""
        return replace(self, centers=self.centers.shifted(offsets_head))


@dataclass(frozen=True)
class TileSights:
    """Tiles as one frame shows them.

    Attributes:
        frames_head: (N, 3, 3), rows are a tile's two sides and its normal, unit vectors in head space.
        centers_px: (N, 2).
        pixels_per_metre: (N, 2, 2), plate pixels by metres along the two sides.
        facing: (N,) cosine of the angle between normal and line of sight.
    """

    frames_head: np.ndarray
    centers_px: np.ndarray
    pixels_per_metre: np.ndarray
    facing: np.ndarray


def skin_tiles(face: FaceModel, vertices: np.ndarray) -> SkinTiles:
    """Return tiles on vertices (N,) of a person's face.

    Args:
        face: The face without identity modes.
        vertices: Numbers of vertices that belong to a triangle.
    """
    following = np.zeros(face.vertex_count, dtype=np.int64)
    for corner in range(3):
        following[face.triangles[:, corner]] = face.triangles[:, (corner + 1) % 3]
    here, there = vertex_points(face, vertices), vertex_points(face, following[vertices])
    sides = SurfacePoints(
        there.neutral - here.neutral, there.expression_basis - here.expression_basis, here.identity_basis
    )
    return SkinTiles(vertices, here, sides, patch_around(face, vertices))


def see_tiles(tiles: SkinTiles, state: FrameState, camera: Camera) -> TileSights:
    """Return the tiles as a camera sees them on a head."""
    none = np.zeros(tiles.centers.identity_basis.shape[2])
    normals = tiles.patch.normals_head(state.expression)
    first = tiles.sides.at(state.expression, none)
    first = first - normals * (first * normals).sum(axis=1, keepdims=True)
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    frames = np.stack([first, np.cross(normals, first), normals], axis=1)
    points = tiles.centers.at(state.expression, none) @ state.rotation.T + state.translation_m
    by_head = project_jacobian(points, camera) @ state.rotation
    facing = -((normals @ state.rotation.T) * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    return TileSights(frames, project(points, camera), by_head @ np.swapaxes(frames[:, :2], 1, 2), facing)
