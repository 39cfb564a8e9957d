"""Rotations as unit quaternions (w, x, y, z), matrices and rotation vectors.

All functions take any leading batch shape. Near the identity the closed forms divide zero by zero; each then takes a
series whose unsafe input is replaced before it is used.
"""

from __future__ import annotations

import numpy as np

_SMALL = 1e-8


def normalized(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors (..., n) scaled to unit length."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def matrix_from_quaternion_wxyz(quaternion_wxyz: np.ndarray) -> np.ndarray:
    """Return rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(normalized(np.asarray(quaternion_wxyz, np.float64)), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def quaternion_wxyz_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Return unit quaternions (..., 4) with w >= 0 of rotation matrices (..., 3, 3)."""
    m = np.asarray(matrix, np.float64)
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four forms, each exact; the one with the largest divisor is the stable one.
    squares = np.stack([1 + d0 + d1 + d2, 1 + d0 - d1 - d2, 1 - d0 + d1 - d2, 1 - d0 - d1 + d2], axis=-1)
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    p, q, r = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    forms = np.stack(
        [
            np.stack([squares[..., 0], a, b, c], axis=-1),
            np.stack([a, squares[..., 1], p, q], axis=-1),
            np.stack([b, p, squares[..., 2], r], axis=-1),
            np.stack([c, q, r, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = squares.argmax(axis=-1)[..., None, None]
    chosen = normalized(np.take_along_axis(forms, best, axis=-2)[..., 0, :])
    return np.where(chosen[..., :1] < 0, -chosen, chosen)


def multiply_quaternions(a_wxyz: np.ndarray, b_wxyz: np.ndarray) -> np.ndarray:
    """Return the Hamilton product (..., 4): the rotation that does `b`, then `a`."""
    aw, ax, ay, az = np.moveaxis(a_wxyz, -1, 0)
    bw, bx, by, bz = np.moveaxis(b_wxyz, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate_quaternion(quaternion_wxyz: np.ndarray) -> np.ndarray:
    """Return the inverse rotations (..., 4)."""
    return quaternion_wxyz * np.array([1, -1, -1, -1], dtype=quaternion_wxyz.dtype)


def quaternion_wxyz_from_rotation_vector(vector_rad: np.ndarray) -> np.ndarray:
    """Return unit quaternions (..., 4) of rotation vectors (..., 3): axis times angle (the exponential map)."""
    angle = np.linalg.norm(vector_rad, axis=-1, keepdims=True)
    is_small = angle < _SMALL
    safe_angle = np.where(is_small, 1.0, angle)
    scale = np.where(is_small, 0.5 - angle**2 / 48, np.sin(safe_angle / 2) / safe_angle)
    return np.concatenate([np.cos(angle / 2), scale * vector_rad], axis=-1)


def rotation_vector_from_quaternion_wxyz(quaternion_wxyz: np.ndarray) -> np.ndarray:
    """Return rotation vectors (..., 3) of at most pi length (the logarithmic map)."""
    shortest = np.where(quaternion_wxyz[..., :1] < 0, -quaternion_wxyz, quaternion_wxyz)
    sine = np.linalg.norm(shortest[..., 1:], axis=-1, keepdims=True)
    is_small = sine < _SMALL
    safe_sine = np.where(is_small, 1.0, sine)
    scale = np.where(is_small, 2.0, 2 * np.arctan2(safe_sine, shortest[..., :1]) / safe_sine)
    return scale * shortest[..., 1:]


def matrix_from_rotation_vector(vector_rad: np.ndarray) -> np.ndarray:
    """Return rotation matrices (..., 3, 3) of rotation vectors (..., 3)."""
    return matrix_from_quaternion_wxyz(quaternion_wxyz_from_rotation_vector(vector_rad))


def rotation_vector_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Return rotation vectors (..., 3) of rotation matrices (..., 3, 3)."""
    return rotation_vector_from_quaternion_wxyz(quaternion_wxyz_from_matrix(matrix))


def cross_matrix(vectors: np.ndarray) -> np.ndarray:
    """Return the (..., 3, 3) matrices M of vectors v (..., 3) for which M u is the cross product of v and u."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    return np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), (0, 1), (-2, -1))


def slerp(a_wxyz: np.ndarray, b_wxyz: np.ndarray, fraction: np.ndarray | float) -> np.ndarray:
    """Return unit quaternions (..., 4) on the shortest arc from `a` (fraction 0) to `b` (fraction 1)."""
    step = rotation_vector_from_quaternion_wxyz(multiply_quaternions(conjugate_quaternion(a_wxyz), b_wxyz))
    part = quaternion_wxyz_from_rotation_vector(step * np.asarray(fraction, np.float64)[..., None])
    return multiply_quaternions(a_wxyz, part)


def unwrapped_quaternions(quaternions_wxyz: np.ndarray) -> np.ndarray:
    """Return the sequence (F, 4) with signs such that neighbours never lie on opposite sides of the sphere."""
    steps = np.sum(quaternions_wxyz[1:] * quaternions_wxyz[:-1], axis=1)
    signs = np.cumprod(np.concatenate([[1.0], np.where(steps < 0, -1.0, 1.0)]))
    return quaternions_wxyz * signs[:, None].astype(quaternions_wxyz.dtype)


def rotation_from_yaw_pitch_roll(yaw_rad: float, pitch_rad: float, roll_rad: float) -> np.ndarray:
    """Return the (3, 3) rotation of a head in head space: roll about +Z, then pitch, then yaw about +Y.

    Yaw is positive towards +X (the subject's left), pitch positive up, roll positive towards the subject's right
    shoulder (the top of the head moves to -X).
    """
    return (
        matrix_from_rotation_vector(np.array([0.0, yaw_rad, 0.0]))
        @ matrix_from_rotation_vector(np.array([-pitch_rad, 0.0, 0.0]))
        @ matrix_from_rotation_vector(np.array([0.0, 0.0, roll_rad]))
    )


def yaw_pitch_roll_rad(rotation: np.ndarray) -> np.ndarray:
    """Return yaw, pitch, roll (..., 3) of rotations (..., 3, 3), the inverse of `rotation_from_yaw_pitch_roll`."""
    forward = rotation[..., :, 2]
    yaw = np.arctan2(forward[..., 0], forward[..., 2])
    pitch = np.arcsin(np.clip(forward[..., 1], -1.0, 1.0))
    roll = np.arctan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)


def gaze_rotation(yaw_rad: float, pitch_rad: float) -> np.ndarray:
    """Return the (3, 3) rotation that turns an eyeball looking along +Z to a gaze in head space."""
    return rotation_from_yaw_pitch_roll(yaw_rad, pitch_rad, 0.0)


def angle_between_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the angles (...) in degrees between rotation matrices (..., 3, 3)."""
    relative = np.swapaxes(a, -1, -2) @ b
    return np.degrees(np.linalg.norm(rotation_vector_from_matrix(relative), axis=-1))
