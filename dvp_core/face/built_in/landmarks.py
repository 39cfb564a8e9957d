"""Where the 68 landmarks lie on the built-in face: some are vertices of the rings, the rest points on its triangles."""

from __future__ import annotations

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.head import Head
from dvp_core.face.built_in.skin import BORDER_RING, CONTACT_RING, MARGIN_RING
from dvp_core.face.landmark_map import mirrored_landmarks

# Places (x, y, z) of the bridge and the base of the nose; the left half of the base.
_BRIDGE = ((0, 38, 105.5), (0, 26, 112.5), (0, 14, 120), (0, 2, 128.5))
_BASE = ((0, -11, 112), (6.5, -11, 111), (13.5, -10.5, 108.5))
# Places along a lid from the outer corner, 0..1, of the two landmarks between the corners.
_LID_PLACES = (0.36, 0.66)
_LIP_PLACES_MM = (14.0, 6.0)
_INNER_LIP_PLACE_MM = 9.0
_TIE_MM = 1e-5
_DECIMALS = 4


def place_landmarks(head: Head, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (68, 3) and barycentric weights (68, 3) of the landmarks in iBUG's order."""
    vertices = np.zeros((68, 3), dtype=np.int32)
    weights = np.tile(np.array((1.0, 0.0, 0.0)), (68, 1))
    for index, number in _ring_landmarks(head).items():
        vertices[index] = number
    skin = np.isin(triangles, np.flatnonzero(head.is_region("face", "head"))).all(axis=1)
    outer = triangles[skin]
    places = np.round(head.vertices, 3)
    image = mirrored_landmarks()
    for index, target in _surface_targets(head).items():
        vertices[index], weights[index] = nearest_on_triangles(places, outer, np.round(target, 3))
        # The other side takes the mirrored corners: the quads' diagonals are not symmetric, the landmarks are.
        if image[index] != index:
            vertices[image[index]], weights[image[index]] = head.mirror[vertices[index]], weights[index]
    return vertices, weights.astype(np.float32)


def _surface_targets(head: Head) -> dict[int, np.ndarray]:
    """Places of the landmarks of the left half and the middle that are no vertices, mm."""
    targets: dict[int, np.ndarray] = {}
    for step, point in enumerate(anatomy.JAW_LINE):
        targets[8 + step] = np.array(point, dtype=float)
    brow = np.array(anatomy.BROW, dtype=float)
    for step, point in enumerate(head.surface.front(brow[:, 0], brow[:, 1])):
        targets[22 + step] = point
    for step, point in enumerate(_BRIDGE):
        targets[27 + step] = np.array(point, dtype=float)
    for step, point in enumerate(_BASE):
        targets[33 + step] = np.array(point, dtype=float)
    return targets


def _ring_landmarks(head: Head) -> dict[int, int]:
    """Landmarks that are vertices: the lid margins and the lips."""
    left, right = (rings[MARGIN_RING] for rings in head.skin.eye_rings)
    half = len(left) // 2
    first, second = (round(place * half) for place in _LID_PLACES)
    numbers = {
        **dict(zip(range(42, 48), left[[half, second, first, 0, -first, -second]], strict=True)),
        **dict(zip((39, 38, 37, 36, 41, 40), right[[half, second, first, 0, -first, -second]], strict=True)),
    }
    border, contact = head.skin.mouth_rings[BORDER_RING], head.skin.mouth_rings[CONTACT_RING]
    numbers |= {48: border[len(border) // 2], 54: border[0], 60: contact[len(contact) // 2], 64: contact[0]}
    wide, near = _LIP_PLACES_MM
    for index, x in zip(range(49, 54), (-wide, -near, 0.0, near, wide), strict=True):
        numbers[index] = _at_x(head, border, x, is_upper=True)
        numbers[108 - index] = _at_x(head, border, x, is_upper=False)
    for index, x in zip((61, 62, 63), (-_INNER_LIP_PLACE_MM, 0.0, _INNER_LIP_PLACE_MM), strict=True):
        numbers[index] = _at_x(head, contact, x, is_upper=True)
        numbers[128 - index] = _at_x(head, contact, x, is_upper=False)
    return {index: int(number) for index, number in numbers.items()}


def _at_x(head: Head, ring: np.ndarray, x_mm: float, *, is_upper: bool) -> int:
    """The vertex of a lip ring's upper or lower half that is nearest to a frontal place."""
    half = len(ring) // 2
    part = ring[1:half] if is_upper else ring[half + 1 :]
    return int(part[np.abs(head.vertices[part, 0] - x_mm).argmin()])


def nearest_on_triangles(
    vertices: np.ndarray, triangles: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The triangle (3,) nearest to a point (3,) and the nearest place's barycentric weights (3,) in it."""
    weights, distance = closest_weights(vertices[triangles], target)
    # Of triangles that share the nearest edge the first counts, however the last bits fall on this machine.
    best = int(np.flatnonzero(distance < distance.min() + _TIE_MM)[0])
    rounded = np.round(weights[best], _DECIMALS)
    rounded[rounded.argmax()] += 1.0 - rounded.sum()
    return triangles[best], rounded


def closest_weights(corners: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric weights (T, 3) of the point of each triangle (T, 3, 3) nearest to a point, and its distance (T,).

    The plane's foot where it lies inside, else the best of the three edges.
    """
    candidates = [_plane_weights(corners, target)]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, second] - corners[:, first]
        along = np.sum((target - corners[:, first]) * edge, axis=1) / np.maximum(np.sum(edge**2, axis=1), 1e-12)
        weights = np.zeros((len(corners), 3))
        weights[:, second] = np.clip(along, 0.0, 1.0)
        weights[:, first] = 1.0 - weights[:, second]
        candidates.append(weights)
    stacked = np.stack(candidates)
    places = np.einsum("ntc,tcx->ntx", stacked, corners)
    distance = np.linalg.norm(places - target, axis=2)
    distance[(stacked < -1e-9).any(axis=2)] = np.inf
    best = distance.argmin(axis=0)
    rows = np.arange(len(corners))
    return stacked[best, rows], distance[best, rows]


def _plane_weights(corners: np.ndarray, target: np.ndarray) -> np.ndarray:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    w = target - corners[:, 0]
    uu, uv, vv = (np.sum(a * b, axis=1) for a, b in ((u, u), (u, v), (v, v)))
    wu, wv = np.sum(w * u, axis=1), np.sum(w * v, axis=1)
    area = np.maximum(uu * vv - uv * uv, 1e-18)
    second, third = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    return np.column_stack([1.0 - second - third, second, third])
