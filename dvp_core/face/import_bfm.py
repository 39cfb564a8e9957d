"""Makes a `FaceModel` of the arrays of a Basel Face Model (Paysan et al. 2009, Gerig et al. 2018).

Its files are read by `dvp_core.pipeline.bfm_files`, which needs libraries that Blender lacks. A Basel face is one skin
that runs over its eyes: here the skin within each eye's landmarks is pressed in, and a made eyeball is set before it,
so that gaze can be seen. Everything else keeps the source's vertices, their order and its formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.face.assembly import (
    SKIN_REGION_NAMES,
    as_polygons,
    check_upright,
    checked_mode_count,
    cylindrical_uv,
    skin_regions,
)
from dvp_core.face.correspondence import correspondence_of
from dvp_core.face.eyeballs import EYEBALL_RADIUS_M, IRIS_RADIUS_M, Ball, unit_ball
from dvp_core.face.landmark_file import read_landmark_places
from dvp_core.face.reflectance import PaintedFace, paint

LEFT_EYE, RIGHT_EYE = slice(42, 48), slice(36, 42)
REGION_NAMES = (*SKIN_REGION_NAMES, "eye_socket", "eyeball_left", "eyeball_right")
EYEBALLS = REGION_NAMES.index("eyeball_left")
_BEHIND_LIDS_M = 0.001
_PRESSED_IN_M = 0.006
_LID_EDGE_M = 0.002
_EYE_DEPTH_M = 0.02
_NEAR_NOSE_M = 0.02
_LANDMARK_REMEDY = "Give --landmarks: a text of the 68 points' vertex numbers, counted from 0, in iBUG's order"


@dataclass(frozen=True)
class BfmArrays:
    """A Basel Face Model in head space and metres, every mode one standard deviation.

    Attributes:
        id: "bfm-2009" or "bfm-2017".
        vertices: (V, 3), mean shape and mean expression.
        triangles: (T, 3) int32.
        identity: (I, V, 3).
        expression: (E, V, 3); none where the source has none.
        colour: (V, 3), linear Rec.709.
        colour_modes: (R, V, 3), linear Rec.709.
    """

    id: str
    vertices: np.ndarray
    triangles: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    colour: np.ndarray
    colour_modes: np.ndarray


def bfm_face_model(
    bfm: BfmArrays, *, landmarks: Path | str | None, identity_modes: int | None = None, where: Path | str
) -> FaceModel:
    """A Basel Face Model as a face model: its V vertices, then a left and a right eyeball.

    Args:
        bfm: Its arrays.
        landmarks: File that says where the 68 points lie; see `landmark_file.py`.
        identity_modes: How many identity modes to keep, the strongest first; None keeps all.
        where: The model's file, for errors.

    Raises:
        DataError: No landmarks, or some that make no face.
    """
    if landmarks is None:
        raise DataError("no places of the 68 landmarks are given", where=where, remedy=_LANDMARK_REMEDY)
    places = read_landmark_places(landmarks, bfm.triangles, len(bfm.vertices))
    marks = places.on(bfm.vertices)
    check_upright(marks, landmarks)
    count = checked_mode_count(identity_modes, len(bfm.identity), where)
    ball, eyes = unit_ball(), (LEFT_EYE, RIGHT_EYE)
    centers = np.stack([_eye_center(marks[eye]) for eye in eyes])
    skin, regions = _opened(bfm, marks)
    vertices = np.concatenate([skin, *(ball.vertices * EYEBALL_RADIUS_M + center for center in centers)])
    triangles = _with_balls(_outward(bfm, marks[30]), ball, len(skin))
    regions = np.concatenate([regions, np.repeat([EYEBALLS, EYEBALLS + 1], len(ball.vertices))]).astype(np.uint8)
    starts = len(skin) + len(ball.vertices) * np.arange(3)
    iris_radii = np.full(2, IRIS_RADIUS_M)
    painted = PaintedFace(vertices, regions, REGION_NAMES, marks, centers, iris_radii)
    reflectance_mean, reflectance_basis = _with_painted_eyes(bfm, painted)
    eye_motion = [
        np.stack([places.on(mode)[eye].mean(axis=0) for mode in bfm.identity[:count]])[:, None] for eye in eyes
    ]
    uv, triangle_uv = cylindrical_uv(vertices, triangles)
    return FaceModel(
        id=bfm.id,
        vertices=vertices,
        polygons=as_polygons(triangles),
        uv=uv,
        polygon_uv=as_polygons(triangle_uv),
        identity_basis=_with_ball_motion(bfm.identity[:count], eye_motion, ball),
        expression_basis=_with_ball_motion(bfm.expression, [np.zeros((len(bfm.expression), 1, 3))] * 2, ball),
        expression_names=tuple(f"expression_{number:03d}" for number in range(len(bfm.expression))),
        reflectance_mean=reflectance_mean,
        reflectance_basis=reflectance_basis,
        correspondence=correspondence_of(vertices),
        region_ids=regions,
        region_names=REGION_NAMES,
        landmark_vertices=places.vertices,
        landmark_barycentric=places.barycentric,
        eye_centers=centers,
        eye_radii=np.full(2, EYEBALL_RADIUS_M),
        eye_ranges=np.column_stack([starts[:2], starts[1:]]).astype(np.int32),
        iris_radii=iris_radii,
    )


def _eye_center(outline: np.ndarray) -> np.ndarray:
    """Centre (3,) of an eyeball that lies a millimetre behind the lids' four points; outline (6, 3)."""
    lids = outline[[1, 2, 4, 5]]
    center = outline.mean(axis=0)
    aside_squared = ((lids - center)[:, :2] ** 2).sum(axis=1)
    height = np.sqrt(np.maximum(EYEBALL_RADIUS_M**2 - aside_squared, 0.0))
    center[2] = (lids[:, 2] - height).mean() - _BEHIND_LIDS_M
    return center


def _opened(bfm: BfmArrays, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The skin (V, 3) with what lies between the lids pressed in, and its regions (V,)."""
    opened, regions = bfm.vertices.copy(), skin_regions(bfm.vertices, marks, bfm.triangles)
    for eye in (LEFT_EYE, RIGHT_EYE):
        inside = depth_in_outline(bfm.vertices, marks[eye])
        share = np.clip(inside / _LID_EDGE_M, 0.0, 1.0)
        opened[:, 2] -= _PRESSED_IN_M * share * share * (3.0 - 2.0 * share)
        regions[inside > 0] = REGION_NAMES.index("eye_socket")
    return opened, regions


def depth_in_outline(vertices: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """How far (V,) vertices lie within an eye's outline (M, 3), convex and seen from the front; negative outside."""
    edges = np.roll(outline, -1, axis=0) - outline
    to_vertex = vertices[:, None, :2] - outline[None, :, :2]
    across = edges[:, 0] * to_vertex[..., 1] - edges[:, 1] * to_vertex[..., 0]
    area = np.sum(outline[:, 0] * np.roll(outline[:, 1], -1) - outline[:, 1] * np.roll(outline[:, 0], -1))
    depth = (np.sign(area) * across / np.hypot(edges[:, 0], edges[:, 1])).min(axis=1)
    is_near = np.abs(vertices[:, 2] - outline[:, 2].mean()) < _EYE_DEPTH_M
    return np.where(is_near, depth, -1.0)


def _outward(bfm: BfmArrays, nose: np.ndarray) -> np.ndarray:
    """The triangles (T, 3), turned so that the nose faces forward: editions differ in their order of corners."""
    corners = bfm.vertices[bfm.triangles]
    is_near = np.linalg.norm(corners.mean(axis=1) - nose, axis=1) < _NEAR_NOSE_M
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return bfm.triangles if normals[is_near, 2].sum() >= 0 else bfm.triangles[:, ::-1]


def _with_balls(triangles: np.ndarray, ball: Ball, skin_count: int) -> np.ndarray:
    shifts = (skin_count, skin_count + len(ball.vertices))
    return np.concatenate([triangles, *(ball.triangles + shift for shift in shifts)]).astype(np.int32)


def _with_ball_motion(modes: np.ndarray, motion: list[np.ndarray], ball: Ball) -> np.ndarray:
    """Modes (N, V, 3) with both eyeballs' behind them, each moved as one by (N, 1, 3); float32."""
    balls = [np.repeat(each, len(ball.vertices), axis=1) for each in motion]
    return np.concatenate([modes, *balls], axis=1).astype(np.float32)


def _with_painted_eyes(bfm: BfmArrays, painted: PaintedFace) -> tuple[np.ndarray, np.ndarray]:
    """The model's own colours on its skin and painted ones on the eyeballs, with the modes of both."""
    skin_count = len(bfm.vertices)
    eye_mean, eye_modes = paint(painted)
    eye_modes = eye_modes[np.abs(eye_modes[:, skin_count:]).max(axis=(1, 2)) > 0].copy()
    eye_modes[:, :skin_count] = 0.0
    mean = np.concatenate([bfm.colour, eye_mean[skin_count:]]).astype(np.float32)
    still = np.zeros((len(bfm.colour_modes), len(mean) - skin_count, 3))
    return mean, np.concatenate([np.concatenate([bfm.colour_modes, still], axis=1), eye_modes]).astype(np.float32)
