"""The colour image: reflectance times light, computed at the vertices and blended over the pixels.

No shadow but the lips' upon the mouth, no gloss, no texture: it tells the generator how the face is lit and turned;
what skin looks like it learns from the clip. Sums are written out instead of left to a matrix product, so that
Blender's numpy gives the same bits.
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face.evaluation import vertex_normals
from dvp_core.maths.spherical_harmonics import sh_basis
from dvp_core.passes.mouth_light import mouth_light
from dvp_core.passes.surface import VisibleSurface

_LARGEST_HALF = 65504.0


def color_image(
    surface: VisibleSurface,
    face: FaceModel,
    vertices_camera: np.ndarray,
    reflectance: np.ndarray,
    illumination_sh: np.ndarray,
) -> np.ndarray:
    """Return (H, W, 3) float32, scene-linear Rec.709, rounded to what a half holds.

    Args:
        surface: What is seen.
        face: The face that is posed.
        vertices_camera: (V, 3) in camera space, metres.
        reflectance: (V, 3) linear.
        illumination_sh: (9, 3) coefficients by colour, see `maths/spherical_harmonics.py`.
    """
    radiance = np.zeros(vertices_camera.shape)
    is_seen = np.zeros(len(vertices_camera), dtype=bool)
    is_seen[surface.corners] = True
    first, second, third = face.triangles.T
    around = face.triangles[is_seen[first] | is_seen[second] | is_seen[third]]
    normals = vertex_normals(vertices_camera, around)[is_seen]
    light = light_of_normals(normals, illumination_sh) * mouth_light(face, vertices_camera)[is_seen, None]
    radiance[is_seen] = reflectance[is_seen] * light
    # Rounded here, so that a picture straight from memory is the one that a file gives back.
    halves = np.clip(surface.blend(radiance), 0.0, _LARGEST_HALF).astype(np.float16)
    return surface.picture(halves)


def light_of_normals(normals: np.ndarray, illumination_sh: np.ndarray) -> np.ndarray:
    """Return the light (N, 3) at unit normals (N, 3): the sum over k of basis k times coefficient k (9, 3)."""
    basis = np.ascontiguousarray(sh_basis(normals).T)
    coefficients = np.asarray(illumination_sh, dtype=np.float64)
    light = np.zeros((3, len(normals)))
    for order in range(len(coefficients)):
        for channel in range(3):
            light[channel] += basis[order] * coefficients[order, channel]
    return light.T
