"""Rigid transforms: rotate, then shift."""

from __future__ import annotations

import numpy as np

from dvp_core.maths.rotations import matrix_from_quaternion_wxyz


def transform_points(rotation: np.ndarray, translation: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (N, 3) rotated by a (3, 3) matrix, then shifted by (3,).

    The product is written out, so that it rounds alike whichever linear algebra library numpy was built with.
    """
    x, y, z = points[:, 0:1], points[:, 1:2], points[:, 2:3]
    return x * rotation[:, 0] + y * rotation[:, 1] + z * rotation[:, 2] + translation


def camera_from_head(rotation_wxyz: np.ndarray, translation_m: np.ndarray, points_head: np.ndarray) -> np.ndarray:
    """Return head-space points (N, 3) in camera space, by a take's head rotation and translation."""
    rotation = matrix_from_quaternion_wxyz(np.asarray(rotation_wxyz, np.float64))
    return transform_points(rotation, np.asarray(translation_m, np.float64), points_head)
