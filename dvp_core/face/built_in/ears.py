"""The ears: rings around a flaring shell, from its root inside the head over the rim into the hollow.

An ear is a part of its own whose root lies under the skin; length 62 and breadth 35 after Farkas (1994).
"""

from __future__ import annotations

import itertools

import numpy as np

from dvp_core.face.built_in.parts import Part, bridge, fan, make_part

_CENTER = np.array((70.5, 20.0, -9.0))
_HALF_LENGTH, _HALF_BREADTH = 30.0, 17.0
_LEAN_BACK_DEG = 12.0
_POINTS = 24
# Rings: share of the outline, height above the ear's plane in mm.
_RINGS = ((0.62, -14.0), (0.86, -6.0), (1.0, -1.0), (0.97, 1.6), (0.88, 1.2), (0.80, -1.8), (0.64, 0.2), (0.50, -3.5))
_FLOOR = (0.26, -9.5)


def ear_left() -> Part:
    """The left ear, mm."""
    angle = np.arange(_POINTS) / _POINTS * 2.0 * np.pi
    up, back = np.sin(angle), np.cos(angle)
    # An egg with its blunt end up and its front flattened against the cheek.
    breadth = _HALF_BREADTH * (1.0 + 0.18 * up - 0.18 * (up < -0.3) * (-up - 0.3))
    outline = np.column_stack([_HALF_LENGTH * up, breadth * back * np.where(back < 0, 0.72, 1.0)])
    rings = [_ring(outline, share, height) for share, height in (*_RINGS, _FLOOR)]
    vertices = np.vstack([*rings, rings[-1].mean(axis=0, keepdims=True)])
    numbers = np.arange(len(rings) * _POINTS).reshape(len(rings), _POINTS)
    polygons = [bridge(first, second) for first, second in itertools.pairwise(numbers)]
    whole = np.vstack([*polygons, fan(numbers[-1], len(vertices) - 1)])
    flat = (vertices - _CENTER)[:, [2, 1]] / 400.0
    uv = np.column_stack([0.93 - flat[:, 0], 0.94 + 0.6 * flat[:, 1]])
    return make_part(vertices, whole, uv, "head")


def _ring(outline: np.ndarray, share: float, height: float) -> np.ndarray:
    """A ring (N, 3): the outline shrunk toward the ear's passage, lifted off a plane that flares backward."""
    passage = np.array((-2.0, -5.0))
    along, backward = (passage + share * (outline - passage)).T
    lean = np.radians(_LEAN_BACK_DEG)
    y = along * np.cos(lean) - backward * np.sin(lean) * 0.6
    z = -backward * np.cos(lean) - along * np.sin(lean)
    flare = 1.5 + 0.42 * (backward + 10.0) + 0.05 * along
    lobe = np.clip((-along - 14.0) / 14.0, 0.0, 1.0)
    x = flare + height * (1.0 - 0.75 * lobe * (height > -5.0))
    return _CENTER + np.column_stack([x, y, z])
