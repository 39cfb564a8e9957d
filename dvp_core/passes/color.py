"""The colour image: reflectance times light, computed at the vertices and blended over the pixels.

No shadow, no gloss, no texture: it tells the generator how the face is lit and turned; what skin looks like it learns
from the clip. Sums are written out instead of left to a matrix product, so that Blender's numpy gives the same bits.
"""

from __future__ import annotations

import numpy as np

from dvp_core.face.evaluation import vertex_normals
from dvp_core.maths.spherical_harmonics import sh_basis
from dvp_core.passes.surface import VisibleSurface

_LARGEST_HALF = 65504.0


def color_image(
    surface: VisibleSurface,
    vertices_camera: np.ndarray,
    triangles: np.ndarray,
    reflectance: np.ndarray,
    illumination_sh: np.ndarray,
) -> np.ndarray:
    """Return (H, W, 3) float32, scene-linear Rec.709, rounded to what a half holds.

    Args:
        surface: What is seen.
        vertices_camera: (V, 3) in camera space, metres.
        triangles: (T, 3) int32.
        reflectance: (V, 3) linear.
        illumination_sh: (9, 3) coefficients by colour, see `maths/spherical_harmonics.py`.
    """
    radiance = reflectance * light_at_vertices(vertices_camera, triangles, illumination_sh)
    # Rounded here, so that a picture straight from memory is the one that a file gives back.
    halves = np.clip(surface.blend(radiance), 0.0, _LARGEST_HALF).astype(np.float16)
    return surface.picture(halves)


def light_at_vertices(vertices_camera: np.ndarray, triangles: np.ndarray, illumination_sh: np.ndarray) -> np.ndarray:
    """Return the light (V, 3) arriving at each vertex, the sum over k of basis k times coefficient k."""
    basis = sh_basis(vertex_normals(vertices_camera, triangles))
    coefficients = np.asarray(illumination_sh, dtype=np.float64)
    light = basis[:, 0, None] * coefficients[0]
    for order in range(1, len(coefficients)):
        light += basis[:, order, None] * coefficients[order]
    return light
