"""The gaze image: eye openings white, irises as blue discs.

An iris is painted where the eyeball's own surface lies within the iris's radius of its axis *at rest*. The posed
eyeball carries that surface along, so the disc sits at the gaze, foreshortens with it, and is cut off by the lids like
everything else, whoever posed the eye: the tracker, an edit or a bone in Blender.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.passes.surface import VisibleSurface
from dvp_core.raster.interpolation import blend_corners

_WHITE = np.array([1.0, 1.0, 1.0], dtype=np.float32)
_BLUE = np.array([0.0, 0.0, 1.0], dtype=np.float32)


def gaze_image(surface: VisibleSurface, face: FaceModel) -> np.ndarray:
    """Return (H, W, 3) float32: white where an eyeball is seen, blue where its iris is.

    Args:
        surface: What is seen.
        face: The person's face; its eyeballs at rest look along +Z of head space.
    """
    colors = np.zeros((len(surface.corners), 3), dtype=np.float32)
    for (start, stop), center, iris_radius_m in zip(face.eye_ranges, face.eye_centers, face.iris_radii, strict=True):
        first_corner = surface.corners[:, 0]
        seen = np.flatnonzero((first_corner >= start) & (first_corner < stop))
        from_center = _at_pixels(surface, face.vertices - center, seen)
        off_axis = from_center[:, 0] ** 2 + from_center[:, 1] ** 2
        is_iris = (off_axis <= iris_radius_m**2) & (from_center[:, 2] > 0)
        colors[seen] = np.where(is_iris[:, None], _BLUE, _WHITE)
    return surface.picture(colors)


def _at_pixels(surface: VisibleSurface, attributes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    return blend_corners(attributes, surface.corners[pixels], surface.weights[pixels])
