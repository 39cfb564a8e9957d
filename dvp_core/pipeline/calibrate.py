"""Measures where MediaPipe sees its points on a face model: renders random people, detects, fits.

The people are drawn from the model itself, wide in pose and mild in turn; nothing of a real person is involved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.camera import Camera, Crop
from dvp_core.data.detector_table import DetectorTable, write_detector_table
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import MEDIAPIPE_OF_68, MEDIAPIPE_OUTLINE
from dvp_core.data.progress import Progress, no_progress
from dvp_core.face import evaluate, rotate_eyes
from dvp_core.face.expression_names import is_named
from dvp_core.landmarks.mediapipe_tasks import MediaPipeDetector
from dvp_core.maths.colour import srgb_encode
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import rotation_from_yaw_pitch_roll
from dvp_core.passes.render import render_pass_frame
from dvp_core.pipeline.model import load_face_model
from dvp_core.tracking.detector_fit import CalibrationSamples, fit_detector_table

SIZE_PX = 256
VIEWS_A_SUBJECT = 6
LEADING_MODES, LATER_SIGMA = 30, 0.5  # the first modes vary fully, the many small ones half
FACE_HEIGHT_M = 0.2
LEAST_SUBJECTS = 10
SKIN_POINTS = 468  # MediaPipe's points beyond are irises


@dataclass(frozen=True)
class _Pose:
    """One render's truth, as in `CalibrationSamples`, and the gaze of both eyes."""

    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    translation_m: np.ndarray
    focal_px: float
    gaze_rad: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """What a calibration made.

    Attributes:
        table: How the detector sees the face model.
        render_count: How many pictures were drawn.
        dropped_count: In how many of them the detector saw no face; these say nothing.
    """

    table: DetectorTable
    render_count: int
    dropped_count: int


def calibrate_detector(
    face_model: Path | str | None,
    output: Path | str,
    *,
    weights: Path | str | None = None,
    subject_count: int = 600,
    seed: int = 1,
    progress: Progress = no_progress,
) -> Calibration:
    """Measure MediaPipe on a face model and write the table.

    Args:
        face_model: A `*.face.npz`; the built-in face where None.
        output: The table to write.
        weights: MediaPipe's `face_landmarker.task`; its usual place where None.
        subject_count: How many people to draw, each seen six times.
        seed: Of the draw.
        progress: Told after every picture.

    Raises:
        DataError: Too few subjects, or MediaPipe cannot run.
    """
    if subject_count < LEAST_SUBJECTS:
        raise DataError(f"{subject_count} subjects say too little", remedy=f"draw {LEAST_SUBJECTS} at least")
    model = load_face_model(face_model)
    poses: list[_Pose] = []
    detector = MediaPipeDetector(None if weights is None else Path(weights))
    pictures = _pictures(model, subject_count, np.random.default_rng(seed), poses)
    seen: list[np.ndarray | None] = []
    for points in detector.detect_each(pictures):
        seen.append(points)
        progress("renders", len(seen), subject_count * VIEWS_A_SUBJECT)
    table = fit_detector_table(model, _samples(poses, seen), detector="mediapipe-478", numbers=chosen_points())
    write_detector_table(output, table)
    return Calibration(table, len(seen), sum(points is None for points in seen))


def chosen_points() -> np.ndarray:
    """Return MediaPipe's points that a table holds: lips, lids, brows, nose, outline, and every second of the rest."""
    named = np.concatenate([MEDIAPIPE_OF_68[17:].ravel(), MEDIAPIPE_OUTLINE, np.arange(0, SKIN_POINTS, 2)])
    return np.unique(named)


def _samples(poses: list[_Pose], seen: list[np.ndarray | None]) -> CalibrationSamples:
    kept = [number for number, points in enumerate(seen) if points is not None]
    if not kept:
        raise DataError("MediaPipe saw no face in any render", remedy="look at the face model in Blender first")
    return CalibrationSamples(
        subject=np.array(kept) // VIEWS_A_SUBJECT,
        identity=np.stack([poses[number].identity for number in kept]),
        expression=np.stack([poses[number].expression for number in kept]),
        rotation=np.stack([poses[number].rotation for number in kept]),
        translation_m=np.stack([poses[number].translation_m for number in kept]),
        focal_px=np.array([poses[number].focal_px for number in kept]),
        center_px=np.full(2, SIZE_PX / 2),
        points_px=np.stack([points for points in seen if points is not None]),
    )


def _pictures(
    model: FaceModel, subject_count: int, random: np.random.Generator, poses: list[_Pose]
) -> Iterator[np.ndarray]:
    """Yield pictures (H, W, 3) uint8 of random people, and append the truth of each to `poses`."""
    sigma = np.where(np.arange(model.identity_count) < LEADING_MODES, 1.0, LATER_SIGMA)
    for subject in range(subject_count):
        identity = random.normal(size=model.identity_count) * sigma * random.uniform(0.8, 1.1)
        face = model.baked(identity)
        reflectance = _random_skin(model, random)
        focal_px = SIZE_PX * random.uniform(1.3, 2.6)
        is_mild = subject % 2 == 1
        for _ in range(VIEWS_A_SUBJECT):
            pose = _random_pose(face, identity, focal_px, random, is_mild=is_mild)
            poses.append(pose)
            yield _picture(face, pose, reflectance, random)


def _random_skin(model: FaceModel, random: np.random.Generator) -> np.ndarray:
    reflectance = model.reflectance_mean.astype(np.float64)
    modes = random.normal(scale=0.6, size=len(model.reflectance_basis))
    reflectance = reflectance + np.tensordot(modes, model.reflectance_basis.astype(np.float64), axes=1)
    tone = random.uniform(0.25, 1.2) * np.array([1.0, random.uniform(0.85, 1.05), random.uniform(0.8, 1.1)])
    reflectance[model.region("face", "head", "neck")] *= tone
    return np.clip(reflectance, 0.01, 1.0)


def _random_pose(
    face: FaceModel, identity: np.ndarray, focal_px: float, random: np.random.Generator, *, is_mild: bool
) -> _Pose:
    angles = random.normal(size=3) * ([11.0, 6.0, 6.0] if is_mild else [20.0, 9.0, 7.0])
    rotation = OPENGL_CAMERA_FROM_CAMERA.T @ rotation_from_yaw_pitch_roll(*np.radians(angles).tolist())
    depth_m = focal_px * FACE_HEIGHT_M / (SIZE_PX * random.uniform(0.38, 0.7))
    aside = random.normal(size=2) * 0.06 * depth_m * SIZE_PX / focal_px
    middle = rotation @ face.vertices[face.region("face")].mean(axis=0)
    gaze = np.radians(random.normal(size=2) * [11.0, 7.0])
    expression = random_expression(face.expression_names, random, largest=0.45 if is_mild else 0.7)
    return _Pose(identity, expression, rotation, np.array([*aside, depth_m]) - middle, focal_px, np.stack([gaze, gaze]))


def random_expression(names: tuple[str, ...], random: np.random.Generator, *, largest: float) -> np.ndarray:
    """Return (E,) weights: a few shapes at a time, mostly alike on both sides, now and then closed eyes.

    Numbered modes are drawn as their own spread says, a little narrower.
    """
    expression = np.where(random.random(len(names)) < 0.2, random.uniform(0, largest, len(names)), 0.0)
    place = {name: number for number, name in enumerate(names)}
    is_even = random.random() < 0.8
    closed = random.uniform(0.7, 1.0) if random.random() < 0.12 else None
    for name, number in place.items():
        twin = place.get(name.removesuffix("Left") + "Right") if name.endswith("Left") else None
        if twin is None:
            continue
        if name.startswith("eyeBlink"):
            both = expression[number] * 0.3 if closed is None else closed
            expression[number] = expression[twin] = both
        elif name in ("mouthLeft", "jawLeft"):  # the other side's shape undoes this one
            expression[number if random.random() < 0.5 else twin] = 0.0
        elif is_even:
            expression[twin] = expression[number] * random.uniform(0.8, 1.2)
    is_numbered = np.array([not is_named(name) for name in names], dtype=bool)
    if is_numbered.any():
        return np.where(is_numbered, random.normal(scale=largest, size=len(names)), np.clip(expression, 0.0, 1.0))
    return np.clip(expression, 0.0, 1.0)


def _picture(face: FaceModel, pose: _Pose, reflectance: np.ndarray, random: np.random.Generator) -> np.ndarray:
    vertices = rotate_eyes(face, evaluate(face, expression=pose.expression), pose.gaze_rad)
    camera = Camera.centered(pose.focal_px, SIZE_PX, SIZE_PX)
    frame = render_pass_frame(
        face,
        vertices @ pose.rotation.T + pose.translation_m,
        camera,
        illumination_sh=_random_light(random),
        reflectance=reflectance,
        frame=0,
        crop=Crop(0, 0, SIZE_PX, SIZE_PX),
        take_sha256="",
        face_model_sha256="",
    )
    mask = frame.mask.astype(np.float64).reshape(SIZE_PX, SIZE_PX, 1)
    wall = random.uniform(0.02, 0.6, 3) * np.linspace(random.uniform(0.6, 1.0), 1.0, SIZE_PX)[:, None, None]
    linear = frame.color.astype(np.float64) * mask + wall * (1 - mask)
    noisy = 255 * srgb_encode(np.clip(linear, 0, 1)) + random.normal(scale=2.0, size=linear.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _random_light(random: np.random.Generator) -> np.ndarray:
    """Return (9, 3): mostly white light, mostly from above and the front."""
    light = np.zeros((9, 3))
    light[0] = random.uniform(0.8, 1.6) * np.array([1.0, random.uniform(0.9, 1.1), random.uniform(0.9, 1.1)])
    light[1:4] = random.normal(scale=0.35, size=(3, 1))
    if random.random() < 0.7:
        light[1:4] += np.array([[-0.25], [-0.35], [0.0]])
    light[4:] = random.normal(scale=0.08, size=(5, 1))
    return light
