"""A small face and take made in code, so that the add-on is tested without any model or clip."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.face_model import FaceModel
from dvp_core.data.take import Take, with_compact_face
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, normalized, quaternion_wxyz_from_rotation_vector

ROWS, COLUMNS = 9, 12
NAMES = ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawOpen", "eyeBlinkLeft")


def sphere(center, radius, start):
    """Return vertices, polygons and uv of a ball with triangles at its poles, numbered from `start`."""
    polar = np.linspace(0.02, np.pi - 0.02, ROWS)[:, None]
    around = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)[None, :]
    unit = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around, np.sin(polar) * np.cos(around)], axis=-1
    )
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    right = np.roll(number, -1, axis=1)
    quads = np.stack([number[:-1], number[1:], right[1:], right[:-1]], axis=-1).reshape(-1, 4)
    fan = np.arange(1, COLUMNS - 1)
    caps = [np.stack([0 * fan, fan, fan + 1, -1 - start + 0 * fan], axis=1)]
    last = (ROWS - 1) * COLUMNS
    caps.append(np.stack([0 * fan + last, fan + 1 + last, fan + last, -1 - start + 0 * fan], axis=1))
    polygons = np.concatenate([quads, *caps]) + start
    uv = np.stack([np.broadcast_to(around, unit.shape[:2]) / 7, np.broadcast_to(polar, unit.shape[:2]) / 4], axis=-1)
    return np.asarray(center) + radius * unit.reshape(-1, 3), polygons, uv.reshape(-1, 2)


def small_face(*, seed=1):
    """Return a ball with two eyeballs in front and five random, smooth expressions."""
    random = np.random.default_rng(seed)
    centers = np.array([[0.032, 0.03, 0.08], [-0.032, 0.03, 0.08]])
    parts = [sphere((0, 0, 0), 0.1, 0)]
    count = ROWS * COLUMNS
    parts += [sphere(center, 0.025, (1 + side) * count) for side, center in enumerate(centers)]
    vertices = np.concatenate([part[0] for part in parts])
    polygons = np.concatenate([part[1] for part in parts]).astype(np.int32)
    basis = (0.01 * random.normal(size=(len(NAMES), len(vertices), 3))).astype(np.float32)
    basis[:, count:] = 0
    region_ids = np.repeat(np.array([0, 1, 2], np.uint8), count)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    colors = random.uniform(0.2, 0.8, vertices.shape).astype(np.float32)
    return with_compact_face(
        FaceModel(
            id="small",
            vertices=vertices,
            polygons=polygons,
            uv=np.concatenate([part[2] for part in parts]).astype(np.float32),
            polygon_uv=polygons.copy(),
            identity_basis=np.zeros((0, len(vertices), 3), np.float32),
            expression_basis=basis,
            expression_names=NAMES,
            reflectance_mean=colors,
            reflectance_basis=np.zeros((0, len(vertices), 3), np.float32),
            correspondence=((vertices - low) / (high - low)).astype(np.float32),
            region_ids=region_ids,
            region_names=("face", "eyeball_left", "eyeball_right"),
            landmark_vertices=np.zeros((68, 3), np.int32),
            landmark_barycentric=np.full((68, 3), 1 / 3, np.float32),
            eye_centers=centers,
            eye_radii=np.array([0.025, 0.025]),
            eye_ranges=np.array([[count, 2 * count], [2 * count, 3 * count]], np.int32),
            iris_radii=np.array([0.008, 0.008]),
        )
    )


def small_take(*, face=None, frame_count=6, seed=2, start_frame=1001, clip=None):
    """Return a take that moves in every channel, with a principal point off the middle and an odd frame rate."""
    random = np.random.default_rng(seed)
    face = face if face is not None else small_face()
    clip = clip or Clip("plate.mp4", "0" * 64, 320, 180, Fraction(30000, 1001), start_frame, frame_count)
    count = clip.frame_count
    turns = quaternion_wxyz_from_rotation_vector(0.3 * random.normal(size=(count, 3)))
    rotation = normalized(multiply_quaternions(facing_camera_rotation_wxyz()[None], turns))
    light = 0.1 * random.normal(size=(count, 9, 3))
    light[:, 0] += 2.5
    return Take(
        subject="Ada",
        clip=clip,
        camera=Camera(401.7, (163.3, 88.9), clip.width_px, clip.height_px),
        crop=Crop(95, 20, 140, 96),
        face=face,
        face_model_id="small",
        face_model_sha256=face.sha256,
        expression_names=face.expression_names,
        identity=np.zeros(0, np.float32),
        reflectance=face.reflectance_mean,
        head_rotation_wxyz=rotation.astype(np.float32),
        head_translation_m=(np.array([0.01, 0.0, 0.7]) + 0.02 * random.normal(size=(count, 3))).astype(np.float32),
        expression=random.uniform(0, 1, (count, face.expression_count)).astype(np.float32),
        gaze_rad=(0.3 * random.normal(size=(count, 2, 2))).astype(np.float32),
        illumination_sh=light.astype(np.float32),
        is_tracked=np.ones(count, np.bool_),
        landmark_error_px=np.zeros(count, np.float32),
        photometric_error=np.zeros(count, np.float32),
        tool_version="test",
    )


def without_face(take):
    """Return the take as a licence that forbids carrying the face leaves it."""
    return replace(take, face=None)
