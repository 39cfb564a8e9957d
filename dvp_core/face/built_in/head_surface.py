"""The skin as a smooth function: directions from inside the head to points on it, through the anatomical points.

A direction is (azimuth, elevation). Above the jaw rays leave one centre like a sphere's; below it they keep one slope
and their origin slides down the neck, so that chin, throat and neck are all seen once. The ray length is interpolated
by a cubic radial basis function with linear precision (Wendland 2004, ch. 8) over an egg-shaped template on which the
directions live without a seam or a pole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CENTER_Z = 10.0
LOWEST_ELEVATION_DEG = -45.0
_NECK_DEG_PER_MM = 0.9
_EGG_RADIUS = 100.0


@dataclass(frozen=True)
class HeadSurface:
    """A fitted surface: template points (N, 3), their weights (N,) and the linear part (4,); lengths in mm."""

    centers: np.ndarray
    weights: np.ndarray
    linear: np.ndarray

    def positions(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the skin, mm, along directions of any shape."""
        egg = _egg(azimuth_deg, elevation_deg)
        flat = egg.reshape(-1, 3)
        lengths = _kernel(flat, self.centers) @ self.weights + _polynomial(flat) @ self.linear
        return _along(azimuth_deg, elevation_deg, lengths.reshape(np.shape(azimuth_deg)))

    def front(self, x_mm: np.ndarray, y_mm: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the face at the given frontal places, by fixed-point iteration on the depth."""
        depth = np.full(np.shape(x_mm), 95.0)
        for _ in range(12):
            azimuth, elevation = directions(np.stack([x_mm, y_mm, depth], axis=-1))
            depth = 0.3 * depth + 0.7 * self.positions(azimuth, elevation)[..., 2]
        return np.stack([x_mm, y_mm, depth], axis=-1)


def fit_surface(points_mm: np.ndarray) -> HeadSurface:
    """The surface through points (N, 3), mm; nearly coinciding directions are allowed to differ a little."""
    azimuth, elevation = directions(points_mm)
    egg = _egg(azimuth, elevation)
    origin_y = np.where(elevation < LOWEST_ELEVATION_DEG, _neck_origin(elevation), 0.0)
    lengths = np.linalg.norm(points_mm - np.stack([0 * origin_y, origin_y, 0 * origin_y + CENTER_Z], axis=-1), axis=-1)
    count = len(egg)
    system = np.zeros((count + 4, count + 4))
    # A small ridge smooths contradictions between neighbouring points; it moves the skin by about 0.1 mm.
    system[:count, :count] = _kernel(egg, egg) + 2.0 * np.eye(count)
    system[:count, count:] = _polynomial(egg)
    system[count:, :count] = _polynomial(egg).T
    solution = np.linalg.solve(system, np.concatenate([lengths, np.zeros(4)]))
    return HeadSurface(egg, solution[:count], solution[count:])


def directions(points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and elevation in degrees of points (..., 3); azimuth grows to the subject's left."""
    x, y, z = np.moveaxis(points_mm, -1, 0)
    azimuth = np.degrees(np.arctan2(x, z - CENTER_Z))
    distance = np.hypot(x, z - CENTER_Z)
    elevation = np.degrees(np.arctan2(y, distance))
    slid = LOWEST_ELEVATION_DEG + (y + distance) * _NECK_DEG_PER_MM
    return azimuth, np.where(elevation < LOWEST_ELEVATION_DEG, slid, elevation)


def _neck_origin(elevation_deg: np.ndarray) -> np.ndarray:
    return np.minimum(elevation_deg - LOWEST_ELEVATION_DEG, 0.0) / _NECK_DEG_PER_MM


def _along(azimuth_deg: np.ndarray, elevation_deg: np.ndarray, length_mm: np.ndarray) -> np.ndarray:
    azimuth = np.radians(azimuth_deg)
    elevation = np.radians(np.maximum(elevation_deg, LOWEST_ELEVATION_DEG))
    across = length_mm * np.cos(elevation)
    y = _neck_origin(np.asarray(elevation_deg)) + length_mm * np.sin(elevation)
    return np.stack([across * np.sin(azimuth), y, CENTER_Z + across * np.cos(azimuth)], axis=-1)


def _egg(azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
    azimuth = np.radians(azimuth_deg)
    elevation = np.radians(np.maximum(elevation_deg, LOWEST_ELEVATION_DEG))
    height = np.sin(elevation) * _EGG_RADIUS + _neck_origin(np.asarray(elevation_deg))
    across = np.cos(elevation) * _EGG_RADIUS
    return np.stack([across * np.sin(azimuth), height, across * np.cos(azimuth)], axis=-1)


def _kernel(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    squared = np.sum(points**2, axis=1)[:, None] + np.sum(centers**2, axis=1)[None] - 2.0 * points @ centers.T
    return np.maximum(squared, 0.0) ** 1.5


def _polynomial(points: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(points)), points])
