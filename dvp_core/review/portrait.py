"""The person as the tracker understood them: the head at rest from three sides, in colour and in shape alone."""

from __future__ import annotations

import cv2
import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.maths.colour import srgb_encode
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.maths.spherical_harmonics import ambient_light
from dvp_core.passes.color import color_image
from dvp_core.passes.surface import see_surface

SIDES = ("from the subject's right", "from the front", "from the subject's left")
_YAWS_RAD = np.radians([50.0, 0.0, -50.0])
_DISTANCE_M = 1.2
_AMBIENT, _FROM_FRONT = 0.5, 1.3
_GROUND = 0.12
_GREY = 0.55
_FILLED = 0.92
_FINER = 3  # drawn at that many times the size, so that edges are soft


def portraits(take: Take, *, size_px: int = 340) -> tuple[np.ndarray, np.ndarray]:
    """Return the neutral head from three sides, with its reflectance and in grey: two (size, 3 size, 3) uint8.

    Args:
        take: With its face.
        size_px: Side of each of the three pictures.

    Raises:
        DataError: The take carries no face.
    """
    if take.face is None:
        raise DataError(f"carries no face ('{take.face_model_id}')", where="take", remedy="Give it by --face-model")
    grey = np.full_like(take.reflectance, _GREY)
    coloured = [_seen(take, take.reflectance, float(yaw), size_px) for yaw in _YAWS_RAD]
    plain = [_seen(take, grey, float(yaw), size_px) for yaw in _YAWS_RAD]
    return np.concatenate(coloured, axis=1), np.concatenate(plain, axis=1)


def _seen(take: Take, reflectance: np.ndarray, yaw_rad: float, size_px: int) -> np.ndarray:
    """Return the head turned by a yaw before a camera that shows all of its face."""
    face = take.face
    assert face is not None  # `portraits` has checked
    middle = 0.5 * (face.vertices.min(axis=0) + face.vertices.max(axis=0))
    extent_m = float(np.linalg.norm(np.ptp(face.vertices, axis=0)[[0, 1]])) / np.sqrt(2.0)
    rotation = OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(yaw_rad, 0.0, 0.0)
    vertices = (face.vertices - middle) @ rotation.T + np.array([0.0, 0.0, _DISTANCE_M])
    drawn_px = _FINER * size_px
    camera = Camera.centered(_FILLED * drawn_px * _DISTANCE_M / (1.2 * extent_m), drawn_px, drawn_px)
    surface = see_surface(vertices, face.triangles, camera)
    light = ambient_light(_AMBIENT)
    light[2] = -_FROM_FRONT  # along -z: out of the picture, where the viewer is
    linear = color_image(surface, face, vertices, reflectance, light)
    linear[~surface.is_covered] = _GROUND
    picture = np.rint(255 * np.clip(srgb_encode(linear), 0.0, 1.0)).astype(np.uint8)
    return cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_AREA)
