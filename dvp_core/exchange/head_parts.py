"""A face as other programs want it: the skin and two eyeballs as meshes of their own that move by themselves.

In the project an eyeball turns about a centre that moves with the expression. Told apart, that is a node that shifts by
the mean of what the expression does to its vertices, turns by the gaze, and is deformed by what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.maths.rotations import gaze_rotation, quaternion_wxyz_from_matrix, unwrapped_quaternions

SMALLEST_OFFSET_M = 1e-7
"""A deformation below a ten-thousandth of a millimetre counts as none."""

NAMES = ("face", "eye_left", "eye_right")


@dataclass(frozen=True)
class HeadPart:
    """A mesh of N vertices and T triangles; each vertex has one texture coordinate.

    Attributes:
        name: One of `NAMES`.
        source: (N,) the face model's vertex that each one is; seams of the texture double vertices.
        uv: (N, 2) float32, v up.
        triangles: (T, 3) numbers into the N vertices.
        origin_m: (3,) where the part's own origin lies in head space.
        offsets: (E, N, 3) float32, what each expression adds in the part's own space; E is 0 where nothing does.
        drift: (E, 3) what each expression adds to the origin.
    """

    name: str
    source: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray
    origin_m: np.ndarray
    offsets: np.ndarray
    drift: np.ndarray


def head_parts(face: FaceModel) -> list[HeadPart]:
    """Return the skin and the eyeballs that have polygons, at rest in head space."""
    owner = np.full(face.vertex_count, 0)
    for side, (start, stop) in enumerate(face.eye_ranges):
        owner[start:stop] = side + 1
    corners, corners_uv = face.triangles, _triangles_of(face.polygon_uv)
    whose = np.where((owner[corners] == owner[corners[:, :1]]).all(axis=1), owner[corners[:, 0]], 0)
    parts = []
    for number, name in enumerate(NAMES):
        chosen = whose == number
        if chosen.any():
            parts.append(_part(face, name, number - 1, corners[chosen], corners_uv[chosen]))
    return parts


def _triangles_of(polygons: np.ndarray) -> np.ndarray:
    """Return the polygons' triangles (T, 3) in the order of `FaceModel.triangles`."""
    pairs = np.stack([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    return pairs[pairs[:, 2] >= 0]


def _part(face: FaceModel, name: str, side: int, corners: np.ndarray, corners_uv: np.ndarray) -> HeadPart:
    width = max(len(face.uv), 1)
    keys, triangles = np.unique(corners.astype(np.int64) * width + corners_uv, return_inverse=True)
    source, place = keys // width, keys % width
    basis = face.expression_basis
    origin, drift = np.zeros(3), np.zeros((len(basis), 3))
    if side >= 0:
        start, stop = face.eye_ranges[side]
        origin = np.asarray(face.eye_centers[side], np.float64)
        drift = basis[:, start:stop].astype(np.float64).mean(axis=1)
    offsets = (basis[:, source] - drift[:, None]).astype(np.float32)
    offsets[np.abs(offsets).max(axis=2, initial=0.0) < SMALLEST_OFFSET_M] = 0.0
    if side >= 0 and not offsets.any():
        offsets = offsets[:0]
    return HeadPart(name, source, face.uv[place], triangles.reshape(-1, 3), origin, offsets, drift)


def origins_m(part: HeadPart, take: Take) -> np.ndarray:
    """Return where a part's origin lies in head space on each frame, (F, 3)."""
    return part.origin_m + take.expression.astype(np.float64) @ part.drift


def turns_wxyz(part: HeadPart, take: Take) -> np.ndarray | None:
    """Return an eyeball's turns (F, 4) in head space, None for the skin."""
    if part.name == NAMES[0]:
        return None
    gaze = take.gaze_rad[:, NAMES.index(part.name) - 1].astype(np.float64)
    matrices = np.stack([gaze_rotation(yaw, pitch) for yaw, pitch in gaze])
    return unwrapped_quaternions(quaternion_wxyz_from_matrix(matrices))
