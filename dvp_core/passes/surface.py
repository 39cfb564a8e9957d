"""What the crop's camera sees of a posed face: the common ground of the conditioning images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.maths.projection import project
from dvp_core.raster import Backend, Raster, rasterize
from dvp_core.raster.interpolation import blend_corners


@dataclass(frozen=True)
class VisibleSurface:
    """The N pixels that see the face, row by row, and where on it.

    Attributes:
        is_covered: (H, W) bool.
        pixels: (N,) numbers of these pixels, row by row.
        corners: (N, 3) int32, vertices of the triangle that is seen.
        weights: (N, 3) float64, perspective-correct.
        depth_m: (N,) float64.
    """

    is_covered: np.ndarray
    pixels: np.ndarray
    corners: np.ndarray
    weights: np.ndarray
    depth_m: np.ndarray

    def blend(self, attributes: np.ndarray) -> np.ndarray:
        """Return vertex attributes (V, C) at the seen pixels, (N, C) float64."""
        return blend_corners(attributes, self.corners, self.weights)

    def picture(self, values: np.ndarray) -> np.ndarray:
        """Return values (N,) or (N, C) as a picture (H, W) or (H, W, C) float32, zero elsewhere."""
        picture = np.zeros((self.is_covered.size, *values.shape[1:]), dtype=np.float32)
        picture[self.pixels] = values
        return picture.reshape(*self.is_covered.shape, *values.shape[1:])


def see_surface(
    vertices_camera: np.ndarray, triangles: np.ndarray, crop_camera: Camera, *, backend: Backend = "auto"
) -> VisibleSurface:
    """Return what the camera sees of a mesh; triangles turned away are left out, so that no shell shows its inside.

    Args:
        vertices_camera: (V, 3) in camera space, metres.
        triangles: (T, 3) int32, counter-clockwise from outside.
        crop_camera: Camera whose picture is the crop.
        backend: Which version of the rasteriser draws; all give the same picture.
    """
    raster = rasterize(
        project(vertices_camera, crop_camera),
        vertices_camera[:, 2],
        triangles,
        crop_camera.width_px,
        crop_camera.height_px,
        is_culling=True,
        backend=backend,
    )
    return _seen(raster, triangles)


def _seen(raster: Raster, triangles: np.ndarray) -> VisibleSurface:
    is_covered = raster.is_covered
    pixels = np.flatnonzero(is_covered)
    seen_triangles = np.take(raster.triangle_ids.ravel(), pixels)
    return VisibleSurface(
        is_covered=is_covered,
        pixels=pixels,
        corners=np.take(triangles, seen_triangles, axis=0),
        weights=np.take(raster.barycentric.reshape(-1, 3), pixels, axis=0),
        depth_m=np.take(raster.depth.ravel(), pixels),
    )
