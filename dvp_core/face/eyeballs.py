"""Spheres fitted to eyeballs that a model has, and eyeballs made for a model that has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IRIS_RADIUS_M = 0.006
EYEBALL_RADIUS_M = 0.012
# Angles from the optical axis at which the rings of a made eyeball lie: dense at pupil and iris edge.
_RINGS_DEG = (5.0, 9.0, 12.5, 18.0, 24.0, 27.5, 30.0, 32.5, 38.0, 48.0, 62.0, 80.0, 105.0, 140.0)
_SEGMENT_COUNT = 24


@dataclass(frozen=True)
class Ball:
    """A closed mesh of unit radius about the origin that looks along +Z.

    Attributes:
        vertices: (N, 3).
        triangles: (T, 3), counter-clockwise from outside.
    """

    vertices: np.ndarray
    triangles: np.ndarray


def unit_ball() -> Ball:
    """Return a sphere whose rings run around the optical axis, so that pupil and iris have round edges."""
    angle = np.arange(_SEGMENT_COUNT) / _SEGMENT_COUNT * 2.0 * np.pi
    polar = np.radians(_RINGS_DEG)[:, None]
    x, y = np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle)
    rings = np.stack([x, y, np.broadcast_to(np.cos(polar), x.shape)], axis=-1)
    vertices = np.vstack([rings.reshape(-1, 3), [(0, 0, 1), (0, 0, -1)]])
    numbers = np.arange(len(vertices) - 2).reshape(len(polar), _SEGMENT_COUNT)
    right = np.roll(numbers, -1, axis=1)
    front, back = len(vertices) - 2, len(vertices) - 1
    inner, outer = numbers[:-1].ravel(), numbers[1:].ravel()
    inner_right, outer_right = right[:-1].ravel(), right[1:].ravel()
    triangles = np.vstack(
        [
            np.column_stack([np.full(_SEGMENT_COUNT, front), numbers[0], right[0]]),
            np.column_stack([inner, outer, outer_right]),
            np.column_stack([inner, outer_right, inner_right]),
            np.column_stack([np.full(_SEGMENT_COUNT, back), right[-1], numbers[-1]]),
        ]
    )
    return Ball(vertices, triangles.astype(np.int32))


def without_cornea(shell: np.ndarray) -> np.ndarray:
    """The part of an eyeball's shell (N, 3) that is a sphere: the cornea bulges out of its front fifth."""
    low, high = shell[:, 2].min(), shell[:, 2].max()
    return shell[shell[:, 2] < low + 0.8 * (high - low)]


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (3,) and radius of the sphere nearest to points (N, 3), by linear least squares on |p|^2."""
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(system, np.sum(points**2, axis=1), rcond=None)[0]
    center = solution[:3]
    return center, float(np.sqrt(solution[3] + center @ center))
