"""How much light comes into the mouth: between open lips some, behind closed ones none.

Teeth, gums, tongue and the mouth's lining lie in a cave whose one window is the gap between the lips. Lit like the skin
they would shine through closed lips as a light seam, and an open mouth would be red instead of dark. What is seen of
the window from a point behind it is taken as the product of the sines of the half-angles under which its height and its
width are seen: 1 at the lips, and in the depth the solid angle's fall with the square of the distance. Only sums,
products and roots, which every program rounds alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.face.landmark_map import LANDMARK_GROUPS
from dvp_core.raster.interpolation import blend_corners

INSIDE_MOUTH = ("mouth_socket", "gums", "tongue", "teeth")
"""Regions that the lips shade."""
NEAREST_M = 0.001
"""What lies nearer behind the lips, or before them, counts as so near: landmarks know the lips no better."""
_SMALLEST_M = 1e-9

_OUTER, _INNER = LANDMARK_GROUPS["lips_outer"], LANDMARK_GROUPS["lips_inner"]
_UPPER_EDGE, _LOWER_EDGE = _OUTER[2:5], _OUTER[8:11]
_RIGHT, _LEFT = _INNER[0], _INNER[4]
_UPPER, _LOWER = _INNER[1:4], _INNER[:4:-1]
"""Points over and under the gap, from the subject's right to the left."""


@dataclass(frozen=True)
class _Gap:
    """The window between the lips, metres.

    Attributes:
        center: (3,) its middle.
        across: (3,) unit vector to the subject's left.
        outward: (3,) unit vector out of the mouth.
        half_width: Corner to corner, half.
        half_height: Upper lip to lower lip, half; 0 where they meet.
        places: (5,) of points along the lips' line, along `across` from the middle.
        reach: (5,) how far out of the middle's plane these points lie.
    """

    center: np.ndarray
    across: np.ndarray
    outward: np.ndarray
    half_width: float
    half_height: float
    places: np.ndarray
    reach: np.ndarray


def mouth_light(face: FaceModel, vertices: np.ndarray) -> np.ndarray:
    """Return the share (V,) float64 of the light that comes to each vertex: 1 outside the mouth.

    Args:
        face: The face whose vertices these are.
        vertices: (V, 3) float64 as posed, in any right-handed space, metres.
    """
    share = np.ones(len(vertices))
    is_inside = face.region(*INSIDE_MOUTH)
    if not is_inside.any():
        return share
    gap = _gap_of(blend_corners(vertices, face.landmark_vertices, face.landmark_barycentric.astype(np.float64)))
    offsets = vertices[is_inside] - gap.center
    lips = np.interp(_dot(offsets, gap.across), gap.places, gap.reach)
    depth = np.maximum(lips - _dot(offsets, gap.outward), NEAREST_M)
    share[is_inside] = _sine(gap.half_height, depth) * _sine(gap.half_width, depth)
    return share


def _gap_of(landmarks: np.ndarray) -> _Gap:
    """Return the gap between the lips of 68 landmarks (68, 3)."""
    upper, lower = landmarks[_UPPER], landmarks[_LOWER]
    middles = np.concatenate([landmarks[[_RIGHT]], 0.5 * (upper + lower), landmarks[[_LEFT]]])
    center = middles[2]
    corner_to_corner = landmarks[_LEFT] - landmarks[_RIGHT]
    across = _unit(corner_to_corner)
    outward = _unit(np.cross(across, _sum(landmarks[_UPPER_EDGE]) - _sum(landmarks[_LOWER_EDGE])))
    height = _dot(_sum(upper - lower)[None] / len(upper), np.cross(outward, across))[0]
    return _Gap(
        center=center,
        across=across,
        outward=outward,
        half_width=0.5 * _length(corner_to_corner),
        half_height=0.5 * max(height, 0.0),
        places=_dot(middles - center, across),
        reach=_dot(middles - center, outward),
    )


def _sine(half_size: float, depth: np.ndarray) -> np.ndarray:
    """Sine of the half-angle under which a window of a half size is seen from the depth behind its middle."""
    return half_size / np.sqrt(half_size * half_size + depth * depth)


def _dot(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return points[:, 0] * direction[0] + points[:, 1] * direction[1] + points[:, 2] * direction[2]


def _sum(points: np.ndarray) -> np.ndarray:
    return points[0] + points[1] + points[2]


def _length(vector: np.ndarray) -> float:
    return float(np.sqrt(_dot(vector[None], vector)[0]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(_length(vector), _SMALLEST_M)
