"""What a head hides of itself in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.face import evaluate, vertex_normals
from dvp_core.maths.projection import project
from dvp_core.raster import rasterize
from dvp_core.tracking.states import FrameState

IN_FRONT_M = 0.006  # how much nearer something must be to hide a point
LEAST_FACING = 0.2  # skin at a flatter angle is not read
STEP_PX = 8.0  # a jump of depth, in pixels


@dataclass(frozen=True)
class DepthPicture:
    """Depths of a head over a picture's pixels.

    Attributes:
        depth_m: (H, W), infinite where no head is.
        is_plain_skin: (H, W) whether skin is seen there well from the front, and no rim, eye or mouth nearby.
        origin_px: (2,) plate position of the upper left corner.
        pixel_size_px: Plate pixels a pixel is wide.
    """

    depth_m: np.ndarray
    is_plain_skin: np.ndarray
    origin_px: np.ndarray
    pixel_size_px: int

    def places(self, points_px: np.ndarray) -> np.ndarray:
        """Return plate positions (N, 2) in the picture's own pixels."""
        return (points_px - self.origin_px) / self.pixel_size_px

    def is_inside(self, places: np.ndarray, margin: float) -> np.ndarray:
        """Return (N,) whether places keep a margin to the picture's border."""
        height, width = self.depth_m.shape
        return ((places >= margin) & (places < np.array([width, height]) - margin)).all(axis=1)

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return depths (N,) at places."""
        x, y = self._cells(places)
        return self.depth_m[y, x]

    def is_open(self, places: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
        """Return (N,) whether nothing lies before points at these places and depths; a pixel's blur is forgiven."""
        height, width = self.depth_m.shape
        x, y = self._cells(places)
        nearest = np.full(len(places), -np.inf)
        for right in (-1, 0, 1):
            for down in (-1, 0, 1):
                seen = self.depth_m[np.clip(y + down, 0, height - 1), np.clip(x + right, 0, width - 1)]
                nearest = np.maximum(nearest, seen)
        return depth_m < nearest + IN_FRONT_M

    def is_seen(self, places: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
        """Return (N,) whether places at these depths lie in the picture with nothing before them."""
        return self.is_inside(places, 0.0) & (depth_m < self.at(places) + IN_FRONT_M)

    def is_plain(self, places: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
        """Return (N,) whether places at these depths are seen and surrounded by plain skin."""
        x, y = self._cells(places)
        return self.is_inside(places, 3.0) & self.is_plain_skin[y, x] & self.is_seen(places, depth_m)

    def _cells(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.depth_m.shape
        cells = np.clip(np.floor(places).astype(np.int64), 0, [width - 1, height - 1])
        return cells[:, 0], cells[:, 1]


def depth_picture(
    face: FaceModel,
    state: FrameState,
    camera: Camera,
    *,
    size: tuple[int, int],
    origin_px: np.ndarray,
    pixel_size_px: int,
    margin_px: int,
) -> DepthPicture:
    """Return the depths of a head over a window of the plate.

    Args:
        face: The person's face, without identity modes.
        state: The head.
        camera: The plate's camera.
        size: Height and width of the window in its own pixels.
        origin_px: (2,) its corner in the plate.
        pixel_size_px: Plate pixels a pixel is wide.
        margin_px: How far plain skin keeps from rims, eyes and mouth.
    """
    height, width = size
    head = evaluate(face, expression=state.expression)
    points = head @ state.rotation.T + state.translation_m
    raster = rasterize(
        (project(points, camera) - origin_px) / pixel_size_px, points[:, 2], face.triangles, width, height
    )
    normals = vertex_normals(head, face.triangles) @ state.rotation.T
    facing = -(normals * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    is_skin = face.region("face", "head", "neck") & (facing > LEAST_FACING)
    is_plain = is_skin[face.triangles].all(axis=1)[np.maximum(raster.triangle_ids, 0)] & (raster.triangle_ids >= 0)
    depth = np.where(raster.triangle_ids >= 0, raster.depth, np.inf)
    far = np.where(np.isfinite(depth), depth, 9.0)
    jump = _spread(far, 1, np.maximum) - _spread(far, 1, np.minimum)
    is_plain &= jump < STEP_PX * pixel_size_px * points[:, 2].mean() / camera.focal_px
    return DepthPicture(depth, _spread(is_plain, margin_px, np.minimum), origin_px, pixel_size_px)


def _spread(values: np.ndarray, reach: int, pick: np.ufunc) -> np.ndarray:
    """Return the largest or smallest value within `reach` pixels along both axes; the edge repeats."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        padded = np.pad(values, padding, mode="edge")
        length = values.shape[axis]
        values = pick.reduce([padded.take(range(k, k + length), axis=axis) for k in range(2 * reach + 1)])
    return values
