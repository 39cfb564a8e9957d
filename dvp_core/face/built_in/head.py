"""The assembled neutral head in millimetres, with what the modes need to know about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.ears import ear_left
from dvp_core.face.built_in.head_surface import HeadSurface, fit_surface
from dvp_core.face.built_in.inner_parts import eyeball_left, mouth_parts
from dvp_core.face.built_in.parts import Part, join, mirrored
from dvp_core.face.built_in.skin import Skin, build_skin


@dataclass(frozen=True)
class Head:
    """The neutral head.

    Attributes:
        part: Skin, left eyeball, right eyeball, teeth, gums, tongue and ears, mm.
        skin: The skin's rings; its vertices are the first of `part`.
        surface: The smooth function the skin was sampled from.
        eye_ranges: (2, 2) first and one past the last vertex of the left and right eyeball.
        mirror: (V,) the number of each vertex's mirror image.
    """

    part: Part
    skin: Skin
    surface: HeadSurface
    eye_ranges: np.ndarray
    mirror: np.ndarray

    @property
    def vertices(self) -> np.ndarray:
        """(V, 3) in mm."""
        return self.part.vertices

    def is_region(self, *names: str) -> np.ndarray:
        """Mask (V,) of the named regions."""
        return np.isin(self.part.regions.astype(str), names)


def build_head() -> Head:
    """The neutral head from its anatomical points."""
    surface = fit_surface(anatomy.control_points())
    skin = build_skin(surface)
    eye, ear = eyeball_left(), ear_left()
    part = join([skin.part, eye, mirrored(eye), mouth_parts(), ear, mirrored(ear)])
    first, size = len(skin.part.vertices), len(eye.vertices)
    eye_ranges = np.array([[first, first + size], [first + size, first + 2 * size]])
    mirror = mirror_of(part.vertices, part.regions)
    # Rounding differs between the halves by nanometres; the mean of a vertex and its image is exactly symmetric.
    exact = 0.5 * (part.vertices + part.vertices[mirror] * (-1, 1, 1))
    return Head(replace(part, vertices=exact), skin, surface, eye_ranges, mirror)


def mirror_of(vertices: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The number (V,) of each vertex's mirror image, found by place; lips and teeth in contact stay apart by region.

    Raises:
        ValueError: A vertex has no mirror image within a micrometre.
    """
    _, names = np.unique(
        [str(name).replace("_left", "").replace("_right", "") for name in regions], return_inverse=True
    )
    place = np.column_stack([names * 1e4, vertices])
    image = place * (1, -1, 1, 1)
    order = np.lexsort(np.round(place, 3).T)
    image_order = np.lexsort(np.round(image + 0.0, 3).T)
    mirror = np.empty(len(vertices), dtype=np.int64)
    mirror[image_order] = order
    if np.abs(vertices[mirror] * (-1, 1, 1) - vertices).max() > 1e-3:
        raise ValueError("the head is not symmetric")
    return mirror
