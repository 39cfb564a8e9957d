"""A small face and takes made in code, with everything moving."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import (
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
    unwrapped_quaternions,
)

NAMES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "cheekPuff")


def small_face(names: tuple[str, ...], eye_distance_m: float) -> FaceModel:
    """Two tetrahedra for eyes: enough for everything that asks a face for names and eye centres."""
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64) * 0.01
    centers = np.array([[eye_distance_m / 2, 0, 0.05], [-eye_distance_m / 2, 0, 0.05]])
    vertices = np.concatenate([corner + center for center in centers])
    count = len(vertices)
    return FaceModel(
        id="small",
        vertices=vertices,
        polygons=np.array([[0, 1, 2, -1], [4, 5, 6, -1]], np.int32),
        uv=np.zeros((1, 2), np.float32),
        polygon_uv=np.array([[0, 0, 0, -1], [0, 0, 0, -1]], np.int32),
        identity_basis=np.zeros((0, count, 3), np.float32),
        expression_basis=np.zeros((len(names), count, 3), np.float32),
        expression_names=names,
        reflectance_mean=np.full((count, 3), 0.5, np.float32),
        reflectance_basis=np.zeros((0, count, 3), np.float32),
        correspondence=np.zeros((count, 3), np.float32),
        region_ids=np.zeros(count, np.uint8),
        region_names=("face",),
        landmark_vertices=np.zeros((68, 3), np.int32),
        landmark_barycentric=np.full((68, 3), 1 / 3, np.float32),
        eye_centers=centers,
        eye_radii=np.full(2, 0.012),
        eye_ranges=np.array([[0, 4], [4, 8]], np.int32),
        iris_radii=np.full(2, 0.006),
    )


def build_take(
    *,
    seed: int = 0,
    frame_count: int = 40,
    names: tuple[str, ...] = NAMES,
    fps: Fraction = Fraction(25),
    eye_distance_m: float = 0.064,
    depth_m: float = 0.9,
    model_id: str = "small",
) -> Take:
    """A take whose head, face and eyes all wander, reproducibly."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0, 0.04, (frame_count, 3)), axis=0)
    rotation = multiply_quaternions(facing_camera_rotation_wxyz(), quaternion_wxyz_from_rotation_vector(steps))
    face = small_face(names, eye_distance_m)
    wander = np.cumsum(random.normal(0, 0.002, (frame_count, 3)), axis=0)
    return Take(
        subject=f"subject-{seed}",
        clip=Clip("clip.mp4", "0" * 64, 320, 240, fps, 1, frame_count),
        camera=Camera.centered(400, 320, 240),
        crop=Crop(40, 0, 240, 64),
        face=face,
        face_model_id=model_id,
        face_model_sha256="1" * 64,
        expression_names=names,
        identity=np.zeros(0, np.float32),
        reflectance=face.reflectance_mean,
        head_rotation_wxyz=unwrapped_quaternions(normalized(rotation)).astype(np.float32),
        head_translation_m=(wander + np.array([0.01, -0.02, depth_m])).astype(np.float32),
        expression=random.uniform(0, 1, (frame_count, len(names))).astype(np.float32),
        gaze_rad=random.normal(0, 0.1, (frame_count, 2, 2)).astype(np.float32),
        illumination_sh=random.normal(0, 1, (frame_count, 9, 3)).astype(np.float32),
        is_tracked=np.ones(frame_count, np.bool_),
        landmark_error_px=np.zeros(frame_count, np.float32),
        photometric_error=np.zeros(frame_count, np.float32),
    )


@pytest.fixture
def make_take():
    """The builder itself, so that a test may ask for several takes."""
    return build_take
