"""The rim of the face against what lies behind it: cheek, jaw and ear before wall or neck, read from the picture.

Smooth skin has no pattern, but its rim has an edge. Where the head turns, rims from many sides bound the shape as a
visual hull does (Laurentini 1994); what a rim's point says is only how far across the rim the edge lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import EYES_68, MOUTH_68
from dvp_core.face import evaluate, landmarks_68, vertex_normals
from dvp_core.maths.projection import project
from dvp_core.tracking.picture import Picture
from dvp_core.tracking.states import FrameState
from dvp_core.tracking.visibility import DepthPicture

REACH_PX, SIDE_PX = 7, 4  # how far an edge is looked for, and how much of either side is compared
SPACING_PX = 5.0
BEHIND_M = 0.02  # what lies beyond the rim is at least this much deeper
LEAST_CONTRAST, LEAST_SHARPNESS, NOISE = 0.06, 2.5, 0.03  # natural logarithm of linear brightness
DARK = 0.01
ABOVE_EYES_M = 0.02
ROUND_LIPS_M = 0.012


@dataclass(frozen=True)
class Rim:
    """Points of one frame's rim.

    Attributes:
        vertices: (R,) vertices of the model.
        targets_px: (R, 2) where the picture's edge lies.
        across: (R, 2) unit vectors across the rim, outwards.
    """

    vertices: np.ndarray
    targets_px: np.ndarray
    across: np.ndarray


@dataclass(frozen=True)
class RimFinder:
    """The model's edges that may be a rim.

    Attributes:
        triangles: (T, 3) of the model.
        edges: (E, 2) vertices.
        sides: (E, 2) the triangles on both sides.
    """

    triangles: np.ndarray
    edges: np.ndarray
    sides: np.ndarray


def rim_finder(model: FaceModel) -> RimFinder:
    """Return a model's edges of cheeks, jaw and ears.

    Above the eyes there may be hair, the neck bends by itself, and behind the lips lie teeth that nobody knows.
    """
    points, heights = landmarks_68(model, model.vertices), model.vertices[:, 1]
    usable = model.region("face") | (model.region("head") & (heights > points[MOUTH_68, 1].mean()))
    usable &= heights < points[EYES_68.ravel(), 1].mean() + ABOVE_EYES_M
    to_lips = np.linalg.norm(model.vertices[:, None] - points[MOUTH_68], axis=-1).min(axis=1)
    usable &= to_lips > ROUND_LIPS_M
    corners = model.triangles
    edges = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    owners = np.tile(np.arange(len(corners)), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, owners = edges[order], owners[order]
    first = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1) & usable[edges[1:]].all(axis=1))
    return RimFinder(corners, edges[first], np.stack([owners[first], owners[first + 1]], axis=1))


def find_rim(
    finder: RimFinder, face: FaceModel, state: FrameState, camera: Camera, picture: Picture, depth: DepthPicture
) -> Rim:
    """Return the rim of a head in a frame, where the picture has a clear edge near it.

    Args:
        finder: The model's edges.
        face: The person's face, without identity modes.
        state: Where the head is thought to be.
        camera: The plate's camera.
        picture: The frame.
        depth: The head's depths in that picture.
    """
    head = evaluate(face, expression=state.expression)
    points = head @ state.rotation.T + state.translation_m
    places = depth.places(project(points, camera))
    vertices = _rim_vertices(finder, points, places, depth)
    normals = vertex_normals(head, finder.triangles)[vertices] @ state.rotation.T
    across = normals[:, :2] / np.maximum(np.linalg.norm(normals[:, :2], axis=1, keepdims=True), 1e-9)
    is_outer = depth.at(places[vertices] + SIDE_PX * across) > points[vertices, 2] + BEHIND_M
    vertices, across = vertices[is_outer], across[is_outer]
    kept = _thinned(places[vertices])
    vertices, across = vertices[kept], across[kept]
    shift, is_clear = _edges(picture, project(points[vertices], camera), across)
    targets = project(points[vertices], camera) + across * shift[:, None]
    return Rim(vertices[is_clear], targets[is_clear], across[is_clear])


def _rim_vertices(finder: RimFinder, points: np.ndarray, places: np.ndarray, depth: DepthPicture) -> np.ndarray:
    """Return vertices between a triangle that is seen from its front and one that is not, in the open."""
    a, b, c = (points[finder.triangles[:, corner]] for corner in range(3))
    is_front = (np.cross(b - a, c - a) * a).sum(axis=1) < 0
    turning = is_front[finder.sides[:, 0]] != is_front[finder.sides[:, 1]]
    vertices = np.unique(finder.edges[turning, 0])
    vertices = vertices[depth.is_inside(places[vertices], REACH_PX + SIDE_PX)]
    return vertices[depth.is_open(places[vertices], points[vertices, 2])]


def _thinned(places: np.ndarray) -> np.ndarray:
    """Return numbers of points that keep their distance from each other, in a repeatable random order."""
    kept: list[int] = []
    for number in np.random.default_rng(len(places)).permutation(len(places)):
        if not kept or (np.linalg.norm(places[kept] - places[number], axis=1) > SPACING_PX).all():
            kept.append(int(number))
    return np.array(kept, dtype=np.int64)


def _edges(picture: Picture, places_px: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (R,) plate pixels from each place to the sharpest edge across the rim, and whether it is clear.

    An edge divides its surroundings into two sides that differ from each other more than within themselves.
    """
    reach, side = REACH_PX, SIDE_PX
    along = np.arange(-reach - side, reach + side + 1) * picture.pixel_size_px
    line = places_px[:, None] + along[None, :, None] * across[:, None]
    colours, _ = picture.sample(line.reshape(-1, 2))
    profile = np.log(colours.reshape(*line.shape[:2], 3) + DARK)
    sharpness = []
    for middle in range(side, side + 2 * reach + 1):
        inner, outer = profile[:, middle - side : middle], profile[:, middle + 1 : middle + 1 + side]
        contrast = np.linalg.norm(inner.mean(axis=1) - outer.mean(axis=1), axis=-1)
        within = (inner.var(axis=1) + outer.var(axis=1)).sum(axis=-1)
        sharpness.append(np.where(contrast > LEAST_CONTRAST, contrast / np.sqrt(within + NOISE**2), 0.0))
    table = np.stack(sharpness, axis=1)
    best = table.argmax(axis=1)
    rows, inside = np.arange(len(table)), np.clip(best, 1, 2 * reach - 1)
    before, peak, after = table[rows, inside - 1], table[rows, inside], table[rows, inside + 1]
    bend = before - 2 * peak + after
    finer = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    shift = (inside - reach + np.clip(finer, -0.5, 0.5)) * picture.pixel_size_px
    return shift, (best == inside) & (peak > LEAST_SHARPNESS)
