"""Turns the performance and a face model into numbers in a take's conventions, and into landmarks.

No Blender here: the picture is rendered from these numbers and from nothing else.
"""

from __future__ import annotations

import numpy as np

from dvp_core.actor import ActorTruth
from dvp_core.data.camera import Camera
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.face.evaluation import evaluate, landmarks_68
from dvp_core.face.expression_names import SPLIT_NAMES
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.projection import project
from dvp_core.maths.rigid import camera_from_head
from dvp_core.maths.rotations import (
    normalized,
    quaternion_wxyz_from_matrix,
    rotation_from_yaw_pitch_roll,
    unwrapped_quaternions,
)
from tools.built_in_actor.performance import FPS, Performance

SIZE_PX = 256
FOCAL_PX = 600.0
DISTANCE_M = 0.88
EYE_HEIGHT_PX = 106.0
IDENTITY_SEED, REFLECTANCE_SEED = 20, 5
NECK_FROM_EYES_M = np.array([0.0, -0.125, -0.085])
"""Where the neck turns, in head axes from the middle between the eyeballs."""


def actor_camera(size_px: int = SIZE_PX) -> Camera:
    """Return the camera at a picture size; the clip's own is 256 pixels."""
    return Camera.centered(FOCAL_PX * size_px / SIZE_PX, size_px, size_px)


def actor_identity(model: FaceModel) -> np.ndarray:
    """Return coefficients (I,) of a face that is clearly not the mean one."""
    values = np.random.default_rng(IDENTITY_SEED).normal(0.0, 0.9, model.identity_count)
    return np.clip(values, -1.7, 1.7).astype(np.float32)


def actor_reflectance(model: FaceModel) -> np.ndarray:
    """Return skin, lip, brow and iris colours (V, 3), linear."""
    values = np.random.default_rng(REFLECTANCE_SEED).normal(0.0, 0.55, len(model.reflectance_basis))
    colours = model.reflectance_mean + np.tensordot(values.astype(np.float32), model.reflectance_basis, axes=1)
    return np.clip(colours, 0.005, 0.95).astype(np.float32)


def actor_truth_of(model: FaceModel, performance: Performance) -> ActorTruth:
    """Return everything the clip shows."""
    identity = actor_identity(model)
    rotation, translation = _head_pose(model.baked(identity), performance)
    camera = actor_camera()
    expression = _expression(model, performance)
    landmarks = np.stack(
        [
            project(camera_from_head(turn, shift, landmarks_68(model, shape)), camera)
            for turn, shift, shape in zip(
                rotation,
                translation,
                (evaluate(model, identity=identity, expression=weights) for weights in expression),
                strict=True,
            )
        ]
    )
    return ActorTruth(
        camera=camera,
        fps=FPS,
        face_model_id=model.id,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        identity=identity,
        reflectance=actor_reflectance(model),
        head_rotation_wxyz=rotation,
        head_translation_m=translation,
        expression=expression,
        gaze_rad=np.radians(performance.gaze_deg).astype(np.float32),
        landmarks_px=landmarks.astype(np.float32),
    )


def _head_pose(face: FaceModel, performance: Performance) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (F, 4) and translations (F, 3) of a head that turns about its neck."""
    eyes_head = face.eye_centers.mean(axis=0)
    neck_head = eyes_head + NECK_FROM_EYES_M
    eyes_camera = np.array([0.0, (EYE_HEIGHT_PX - SIZE_PX / 2) / FOCAL_PX * DISTANCE_M, DISTANCE_M])
    neck_camera = eyes_camera + OPENGL_CAMERA_FROM_CAMERA @ NECK_FROM_EYES_M
    turns = np.stack([rotation_from_yaw_pitch_roll(*angles) for angles in np.radians(performance.head_deg)])
    rotation = OPENGL_CAMERA_FROM_CAMERA @ turns
    shifted_neck = neck_camera + performance.head_shift_m @ OPENGL_CAMERA_FROM_CAMERA.T
    quaternions = unwrapped_quaternions(normalized(quaternion_wxyz_from_matrix(rotation)))
    return quaternions.astype(np.float32), (shifted_neck - rotation @ neck_head).astype(np.float32)


def _expression(model: FaceModel, performance: Performance) -> np.ndarray:
    whole_of = {half: whole for whole, halves in SPLIT_NAMES.items() for half in halves}
    curves = performance.expression
    zeros = np.zeros(len(performance.times_s))
    columns = [curves.get(name, curves.get(whole_of.get(name, ""), zeros)) for name in model.expression_names]
    return np.stack(columns, axis=1).astype(np.float32)


def detector_landmarks(truth: ActorTruth, *, seed: int = 9) -> LandmarkTrack:
    """Return the landmarks with the errors of a detector: each point lies a little off, and trembles.

    The standing error is 0.5 px (1.2 px along the outline of the face, where detectors differ most), the trembling
    0.25 px and correlated over about three frames.
    """
    random = np.random.default_rng(seed)
    standing_px = random.normal(0.0, 0.5, (68, 2))
    standing_px[:17] *= 2.4
    trembling_px = random.normal(0.0, 0.25, truth.landmarks_px.shape)
    for frame in range(1, truth.frame_count):
        trembling_px[frame] = 0.7 * trembling_px[frame - 1] + np.sqrt(1 - 0.7**2) * trembling_px[frame]
    points_px = truth.landmarks_px.astype(np.float64) + standing_px + trembling_px
    return LandmarkTrack(
        points_px=points_px,
        confidence=np.ones(points_px.shape[:2], np.float32),
        is_detected=np.ones(truth.frame_count, np.bool_),
        size_wh=(truth.camera.width_px, truth.camera.height_px),
        fps=truth.fps,
    )
