"""Identity modes: named anthropometric ones and smooth random ones of a Gaussian process.

The Gaussian process follows Luethi et al. 2018 (Gaussian Process Morphable Models): a multi-scale kernel, made
symmetric by adding its mirror image, and its low-rank eigenfunctions by the Nystroem method. Eyeballs move as rigid
balls and the lids with them, so that no identity cuts a lid with an eye.
"""

from __future__ import annotations

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.head import Head
from dvp_core.face.built_in.muscles import Muscles, push, smooth, turn_lids

PROCESS_MODE_COUNT = 32
# Length scale and standard deviation in mm: shape of the head, of its thirds, of single features.
_SCALES = ((90.0, 3.2), (45.0, 1.8), (24.0, 0.9))
# Of two mirrored points' variations this part is shared: faces are nearly symmetric.
_SYMMETRY = 0.92
_ANCHOR_COUNT = 240
_MIRROR = np.array((-1.0, 1.0, 1.0))


def identity_fields(muscles: Muscles) -> np.ndarray:
    """The basis (I, V, 3) in mm; one coefficient is one standard deviation."""
    head = muscles.head
    named = [_held_eyes(field, head) for field in _anthropometric(muscles)]
    named += _eye_shapes(muscles)
    return np.stack([*named, *(_held_eyes(field, head) for field in _process_modes(head))])


def _held_eyes(field: np.ndarray, head: Head) -> np.ndarray:
    """The field with each eyeball moved as one, and the lids blending from the eyeball's motion into the field."""
    held = field.copy()
    centers = (anatomy.EYE_CENTER, anatomy.EYE_CENTER * (-1, 1, 1))
    for center, (start, stop) in zip(centers, head.eye_ranges, strict=True):
        shift = field[start:stop].mean(axis=0)
        distance = np.linalg.norm((head.vertices - center) * (1.0, 1.15, 0.8), axis=1)
        weight = 1.0 - smooth(distance, 14.5, 26.0)
        held += weight[:, None] * (shift - held)
        held[start:stop] = shift
    return held


def _anthropometric(muscles: Muscles) -> list[np.ndarray]:
    """Size, widths, heights and features as one would measure them, most visible first."""
    vertices = muscles.head.vertices
    x, y, z = vertices.T
    zero = np.zeros_like(x)
    front = smooth(z, 10.0, 70.0)
    lower_face = smooth(-y, -5.0, 60.0)
    fields = [
        vertices * 0.03,
        np.stack([0.035 * x, zero, zero], axis=1),
        np.stack([zero, -4.0 * smooth(-y, -30.0, 80.0), zero], axis=1),
        np.stack([0.045 * x * lower_face * front, zero, zero], axis=1),
        np.stack([zero, zero, 2.5 * front * smooth(y, 30.0, 110.0)], axis=1),
    ]
    return fields + [_paired(muscles, moves) for moves in _FEATURES]


def _paired(muscles: Muscles, moves: tuple) -> np.ndarray:
    """A sum of free pushes on both sides; unlike a muscle's they also move lids, teeth and linings."""
    whole = np.zeros_like(muscles.head.vertices)
    for center, vector, radius in moves:
        for side in (1.0, -1.0) if center[0] else (1.0,):
            offset = (muscles.head.vertices - np.array(center) * (side, 1, 1)) / np.asarray(radius, dtype=float)
            weight = np.exp(-np.sum(offset**2, axis=1))
            whole += weight[:, None] * np.array(vector) * (side, 1, 1)
    return whole


# One standard deviation each, mm: (center, vector, radius), drawn on the left.
_FEATURES = (
    (((0, 0, 125), (0, 0, 3.0), (14, 20, 30)),),  # projection of the nose
    (((15, -4, 106), (1.8, 0, 0), (9, 10, 15)),),  # width of the nose
    (((0, 28, 110), (0, 0, 2.2), (8, 16, 20)),),  # height of the bridge
    (((0, -6, 120), (0, -2.5, 0), (16, 12, 30)),),  # length of the nose
    (((25, -34, 100), (2.6, 0, -1.0), (14, 10, 20)),),  # width of the mouth
    (((0, -27, 114), (0, 0.9, 1.4), (18, 6, 18)), ((0, -41, 112), (0, -1.1, 1.4), (18, 7, 18))),  # fullness of lips
    (((0, -68, 106), (0, 0, 4.0), (24, 18, 40)),),  # projection of the chin
    (((0, -78, 98), (0, -3.5, 0.5), (26, 22, 50)),),  # height of the chin
    (((48, -52, 45), (3.4, 0, 0), (30, 26, 40)),),  # width of the jaw's angle
    (((56, 10, 65), (2.6, 0, 1.6), (24, 18, 34)),),  # cheek bones
    (((42, -18, 88), (2.4, 0, 1.8), (22, 24, 30)),),  # fullness of the cheeks
    (((24, 57, 105), (0, 0, 1.8), (30, 9, 26)),),  # brow ridge
    (((28, 56, 104), (0, 1.9, 0), (28, 9, 24)),),  # height of the brows
    (((31, 35, 80), (1.5, 0, 0), (24, 22, 40)),),  # distance of the eyes
    (((31, 35, 80), (0, 0, 1.5), (22, 20, 34)),),  # depth of the eyes
    (((0, -110, 0), (0, 0, 0.01), (80, 30, 80)), ((50, -115, 5), (3.5, 0, 0), (40, 45, 60))),  # thickness of the neck
)


def _eye_shapes(muscles: Muscles) -> list[np.ndarray]:
    """Opening of the eyes, and the slant of their corners."""
    opening = turn_lids(muscles, upper=-0.09, lower=-0.05)
    slant = push(muscles, (45, 36, 82), (0, 1.4, 0), (9, 8, 14))
    return [field + field[muscles.head.mirror] * (-1, 1, 1) for field in (opening, slant)]


def _process_modes(head: Head) -> list[np.ndarray]:
    """Leading eigenfunctions of the symmetric multi-scale kernel, scaled to one standard deviation, mm."""
    anchors = head.vertices[_anchor_numbers(head)]
    straight, crossed = _kernels(anchors, anchors)
    at_anchors, at_mirrors = _kernels(head.vertices, anchors)
    # The matrix-valued kernel k(x, y) I + s k(x, My) M with the mirror M (Luethi et al. 2018, section 3.2) leaves the
    # three components apart: along X the crossed part counts negative.
    modes: list[tuple[float, np.ndarray]] = []
    for axis, sign in enumerate(_MIRROR):
        values, vectors = np.linalg.eigh(straight + sign * crossed)
        leading = np.argsort(values)[::-1][:PROCESS_MODE_COUNT]
        # Nystroem: an eigenfunction is the kernel to the anchors times the eigenvector over its eigenvalue.
        fields = (at_anchors + sign * at_mirrors) @ (vectors[:, leading] / np.sqrt(values[leading]))
        fields = fields * np.sign(fields[np.abs(fields).argmax(axis=0), np.arange(len(leading))])
        modes += [
            (float(value), np.outer(field, np.eye(3)[axis]))
            for value, field in zip(values[leading], fields.T, strict=True)
        ]
    modes.sort(key=lambda mode: -mode[0])
    return [field for _, field in modes[:PROCESS_MODE_COUNT]]


def _anchor_numbers(head: Head) -> np.ndarray:
    """Vertices spread over the face and, more thinly, the rest of the head: farthest-point sampling."""
    candidates = np.flatnonzero(head.is_region("face", "head", "neck"))
    points = head.vertices[candidates] * np.where(head.is_region("face")[candidates], 1.0, 0.55)[:, None]
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < _ANCHOR_COUNT:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return candidates[chosen]


def _kernels(points: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multi-scale Gaussian kernels (N, M) of points with anchors and with the anchors' mirror images, both halved."""
    straight = _scalar_kernel(points, anchors)
    return 0.5 * straight, 0.5 * _SYMMETRY * _scalar_kernel(points, anchors * _MIRROR)


def _scalar_kernel(points: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    squared = np.sum(points**2, axis=1)[:, None] + np.sum(anchors**2, axis=1)[None] - 2.0 * points @ anchors.T
    return np.sum([deviation**2 * np.exp(-squared / scale**2) for scale, deviation in _SCALES], axis=0)
