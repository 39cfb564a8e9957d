"""The one place where axes flip.

| space | +X | +Y | +Z | used by |
|---|---|---|---|---|
| head | subject's left | up | out of the face | face models, takes (glTF's axes) |
| camera | right | down | into the scene | everything that projects (OpenCV's axes) |
| OpenGL camera | right | up | towards the viewer | Blender's camera object, synthetic truth |
| Blender world | right | into the scene | up | scenes: the plate's camera stands at the origin looking along +Y |
| Blender head | subject's left | out of the back of the head | up | the rig at rest, facing Blender's front view |

Each matrix is a signed permutation, so converting and converting back is exact in any float format.
"""

from __future__ import annotations

import numpy as np

from dvp_core.maths.rotations import matrix_from_quaternion_wxyz, quaternion_wxyz_from_matrix

BLENDER_HEAD_FROM_HEAD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
BLENDER_WORLD_FROM_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
OPENGL_CAMERA_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])

HEAD_FROM_BLENDER_HEAD = BLENDER_HEAD_FROM_HEAD.T
CAMERA_FROM_BLENDER_WORLD = BLENDER_WORLD_FROM_CAMERA.T
BLENDER_WORLD_FROM_OPENGL_CAMERA = BLENDER_WORLD_FROM_CAMERA @ OPENGL_CAMERA_FROM_CAMERA.T


def blender_from_take_pose(rotation_camera_head: np.ndarray, translation_m: np.ndarray) -> np.ndarray:
    """Return (..., 4, 4) matrices that place the Blender head in the Blender world.

    Args:
        rotation_camera_head: (..., 3, 3) rotations from head to camera space.
        translation_m: (..., 3) translations of `T_camera_head`.
    """
    matrix = np.zeros((*rotation_camera_head.shape[:-2], 4, 4))
    matrix[..., :3, :3] = BLENDER_WORLD_FROM_CAMERA @ rotation_camera_head @ HEAD_FROM_BLENDER_HEAD
    matrix[..., :3, 3] = translation_m @ BLENDER_WORLD_FROM_CAMERA.T
    matrix[..., 3, 3] = 1.0
    return matrix


def take_pose_from_blender(matrix_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation (..., 3, 3) and translation (..., 3) of `T_camera_head`: undoes `blender_from_take_pose`."""
    rotation = CAMERA_FROM_BLENDER_WORLD @ matrix_world[..., :3, :3] @ BLENDER_HEAD_FROM_HEAD
    return rotation, matrix_world[..., :3, 3] @ CAMERA_FROM_BLENDER_WORLD.T


def head_pose_from_opengl(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return wxyz quaternions (..., 4) and translations (..., 3) of `T_camera_head` for OpenGL-camera poses."""
    rotation = OPENGL_CAMERA_FROM_CAMERA.T @ matrix[..., :3, :3]
    return quaternion_wxyz_from_matrix(rotation), matrix[..., :3, 3] @ OPENGL_CAMERA_FROM_CAMERA


def facing_camera_rotation_wxyz() -> np.ndarray:
    """Return the (4,) rotation of a head that looks straight into the camera, upright."""
    return quaternion_wxyz_from_matrix(OPENGL_CAMERA_FROM_CAMERA)


def relative_to_facing(rotation_wxyz: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) head rotations relative to looking straight into the camera, in head axes."""
    return OPENGL_CAMERA_FROM_CAMERA.T @ matrix_from_quaternion_wxyz(rotation_wxyz)


def opengl_pose_from_take_pose(rotation_wxyz: np.ndarray, translation_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quaternions (..., 4) and translations (..., 3) of the head in the axes of an OpenGL camera.

    A half turn about X only permutes a quaternion's components and flips signs, so float32 stays exact both ways; these
    are the channels of Blender's head bone.
    """
    w, x, y, z = np.moveaxis(rotation_wxyz, -1, 0)
    flips = np.diag(OPENGL_CAMERA_FROM_CAMERA).astype(translation_m.dtype)
    return np.stack([x, -w, z, -y], axis=-1), translation_m * flips


def take_pose_from_opengl_pose(rotation_wxyz: np.ndarray, translation_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quaternions and translations of `T_camera_head`, the inverse of `opengl_pose_from_take_pose`."""
    w, x, y, z = np.moveaxis(rotation_wxyz, -1, 0)
    flips = np.diag(OPENGL_CAMERA_FROM_CAMERA).astype(translation_m.dtype)
    return np.stack([-x, w, -z, y], axis=-1), translation_m * flips
