"""A stage for tests of the tracker: the built-in actor's face in any performance, with pictures, points and truth.

Pictures come from the project's own passes. Points come from detectors that are made up here and whose every fault is
known: where a point is hidden they guess, and outline points lie on the outline that is seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dvp_core.actor import actor_truth
from dvp_core.data.camera import Camera, Crop
from dvp_core.data.clip import Clip
from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import JAW_68, MEDIAPIPE_IRISES, MEDIAPIPE_OF_68
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.take import Take
from dvp_core.face import built_in_face, evaluate, landmarks_68, rotate_eyes, vertex_normals
from dvp_core.maths.colour import srgb_encode
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.projection import project
from dvp_core.maths.rotations import (
    angle_between_deg,
    matrix_from_quaternion_wxyz,
    matrix_from_rotation_vector,
    rotation_from_yaw_pitch_roll,
    rotation_vector_from_matrix,
)
from dvp_core.passes.render import render_pass_frame

SIDE, FOCAL_PX, DISTANCE_M = 192, 360.0, 0.75
NOISE_PX, GUESS_PX = 0.4, 1.6  # of points that are seen, and of those that are not
HIDDEN_M = 0.006  # a point this far behind what is drawn there is hidden
BAND_M = 0.004  # an outline point slides within this height of its own


@dataclass(frozen=True)
class DrawnClip:
    """A `FrameSource` of pictures in memory, which shows them over and over where the clip is longer."""

    clip: Clip
    pictures: tuple[np.ndarray, ...]

    def read(self, index: int) -> np.ndarray:
        return self.pictures[index % len(self.pictures)]

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        for index in range(start, self.clip.frame_count if stop is None else stop):
            yield self.read(index)


@dataclass(frozen=True)
class Performance:
    """What the head does: rotation (F, 3, 3) and translation (F, 3) to camera space, expression (F, E), gaze."""

    rotation: np.ndarray
    translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray


@dataclass(frozen=True)
class Stage:
    """A clip with its points, what was performed, and the person."""

    source: DrawnClip
    landmarks: LandmarkTrack
    performance: Performance
    face: FaceModel
    is_hidden: np.ndarray  # (F, 68)


def performance(
    turns_deg: np.ndarray, *, places_m: np.ndarray | None = None, expression: dict[str, np.ndarray] | None = None
) -> Performance:
    """Return a performance from yaw, pitch and roll (F, 3), the head's ways (F, 3) and curves of expressions."""
    model, count = built_in_face(), len(turns_deg)
    rotation = np.stack([OPENGL_CAMERA_FROM_CAMERA @ rotation_from_yaw_pitch_roll(*t) for t in np.radians(turns_deg)])
    weights = np.zeros((count, model.expression_count))
    for name, curve in (expression or {}).items():
        weights[:, model.expression_names.index(name)] = curve
    places = np.zeros((count, 3)) if places_m is None else places_m
    return Performance(rotation, places + np.array([0, 0, DISTANCE_M]), weights, np.zeros((count, 2, 2)))


def staged(what: Performance, *, size_wh: tuple[int, int] = (SIDE, SIDE), seed: int = 3) -> Stage:
    """Draw a performance and detect iBUG's 68 points in it."""
    random = np.random.default_rng(seed)
    truth = actor_truth()
    face = built_in_face().baked(truth.identity.astype(np.float64))
    camera = Camera.centered(FOCAL_PX, *size_wh)
    back = random.uniform(0.1, 0.6, (8, 8, 3)).repeat(40, axis=0).repeat(40, axis=1)[: size_wh[1], : size_wh[0]]
    pictures, points, hidden = [], [], []
    for index in range(len(what.rotation)):
        vertices = posed(face, what, index)
        picture, depth_m = drawn(face, vertices, camera, truth.reflectance, back)
        is_hidden = hidden_points(face, vertices, camera, depth_m)
        pictures.append(picture)
        hidden.append(is_hidden)
        points.append(detected(face, vertices, camera, is_hidden, random))
    count = len(pictures)
    clip = Clip("staged.mp4", "1" * 64, *size_wh, Fraction(25), 1001, count)
    ones = np.ones((count, 68), np.float32)
    track = LandmarkTrack(np.array(points), ones, np.ones(count, bool), size_wh, Fraction(25))
    return Stage(DrawnClip(clip, tuple(pictures)), track, what, face, np.array(hidden))


def posed(face: FaceModel, what: Performance, index: int) -> np.ndarray:
    """Return the vertices (V, 3) of a frame in camera space."""
    head = rotate_eyes(face, evaluate(face, expression=what.expression[index]), what.gaze_rad[index])
    return head @ what.rotation[index].T + what.translation_m[index]


def drawn(
    face: FaceModel, vertices: np.ndarray, camera: Camera, reflectance: np.ndarray, back: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (H, W, 3) uint8 of a posed face before a wall, and its depth in metres."""
    light = np.zeros((9, 3))
    light[0], light[2], light[3] = 2.8, -1.0, 0.7
    width, height = camera.width_px, camera.height_px
    side = max(width, height)
    frame = render_pass_frame(
        face,
        vertices,
        Camera(camera.focal_px, camera.principal_px, side, side),
        illumination_sh=light,
        reflectance=reflectance,
        frame=0,
        crop=Crop(0, 0, side, side),
        take_sha256="",
        face_model_sha256="",
    )
    covered = frame.mask.reshape(side, side, 1)[:height, :width] > 0.5
    linear = np.where(covered, frame.color[:height, :width], back)
    picture = (srgb_encode(np.clip(linear, 0, 1)) * 255).round().astype(np.uint8)
    return picture, frame.depth.reshape(side, side)[:height, :width]


def hidden_points(face: FaceModel, vertices: np.ndarray, camera: Camera, depth_m: np.ndarray) -> np.ndarray:
    """Return (68,) which points lie behind something else, or on skin that is turned away."""
    points = landmarks_68(face, vertices)
    normals = np.einsum(
        "pc,pcx->px", face.landmark_barycentric, vertex_normals(vertices, face.triangles)[face.landmark_vertices]
    )
    place = np.clip(project(points, camera), 0, [camera.width_px - 1, camera.height_px - 1]).astype(int)
    drawn_m = depth_m[place[:, 1], place[:, 0]]
    is_behind = (drawn_m > 0) & (points[:, 2] > drawn_m + HIDDEN_M)
    return is_behind | ((normals * points).sum(axis=1) > 0)


def detected(
    face: FaceModel, vertices: np.ndarray, camera: Camera, is_hidden: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return 68 points (68, 2) as a detector gives them: hidden ones guessed, those of the outline slid along it."""
    points = project(landmarks_68(face, vertices), camera)
    skin = np.flatnonzero(face.region("face"))
    places = project(vertices[skin], camera)
    height = face.vertices[skin, 1]
    outward = np.sign(points[30, 0] - points[[0, 16], 0].mean())  # where the nose points, the far cheek is the outline
    for number in np.flatnonzero(is_hidden[JAW_68]):
        own = landmarks_68(face, face.vertices)[number]
        band = np.flatnonzero(np.abs(height - own[1]) < BAND_M)
        points[number] = places[band[np.argmax(outward * places[band, 0])]]
    sigma = np.where(is_hidden, GUESS_PX, NOISE_PX)[:, None]
    return points + random.normal(size=points.shape) * sigma


def rotation_errors_deg(take: Take, rotation: np.ndarray, *, is_counted: np.ndarray | None = None) -> np.ndarray:
    """Return (F,) angles from the take's rotations to true ones, but for one constant offset: the shape's.

    The offset is that of the frames that count, by default those with a face.
    """
    found = matrix_from_quaternion_wxyz(take.head_rotation_wxyz.astype(np.float64))
    away = np.swapaxes(found, -1, -2) @ rotation
    seen = take.is_tracked if is_counted is None else is_counted
    for _ in range(20):
        found = found @ matrix_from_rotation_vector(rotation_vector_from_matrix(away)[seen].mean(axis=0))
        away = np.swapaxes(found, -1, -2) @ rotation
    return angle_between_deg(found, rotation)


def steps_deg(take: Take) -> np.ndarray:
    """Return (F - 1,) angles that the head turns from frame to frame."""
    turns = matrix_from_quaternion_wxyz(take.head_rotation_wxyz.astype(np.float64))
    return angle_between_deg(turns[:-1], turns[1:])


def made_up_table() -> DetectorTable:
    """Return how a detector of 478 points sees the built-in face that has its points just where iBUG's 68 are.

    Its further points lie on vertices of the skin, all errors are independent.
    """
    model = built_in_face()
    corners, weights = _dense_places()
    numbers = np.arange(len(corners))
    riding = corners[numbers, weights.argmax(axis=1)]

    def beyond(basis: np.ndarray) -> np.ndarray:
        """Return (D, 3, M) how a mode moves the points beyond what it moves their vertices."""
        moved = np.einsum("pc,mpcx->pxm", weights, basis[:, corners].astype(np.float64))
        return 1000 * (moved - basis[:, riding].astype(np.float64).transpose(1, 2, 0))

    places = np.einsum("pc,pcx->px", weights, model.vertices[corners])
    sigma_mm = 1000 * NOISE_PX * DISTANCE_M / FOCAL_PX
    return DetectorTable(
        detector="made-up-478",
        model_id=model.id,
        expression_names=model.expression_names,
        numbers=numbers,
        vertices=riding,
        offset_mm=1000 * (places - model.vertices[riding]),
        identity_mm=beyond(model.identity_basis),
        expression_mm=beyond(model.expression_basis),
        view_mm=np.zeros((len(numbers), 3, 6)),
        covariance_mm2=sigma_mm**2 * np.eye(2 * len(numbers)),
    )


def with_dense_points(stage: Stage, *, seed: int = 4) -> Stage:
    """Return the stage as a detector of 478 points sees it, see `made_up_table`; for turns without hidden points."""
    random = np.random.default_rng(seed)
    corners, weights = _dense_places()
    clip = stage.source.clip
    camera = Camera.centered(FOCAL_PX, clip.width_px, clip.height_px)
    depth_m = np.sqrt(stage.face.eye_radii**2 - stage.face.iris_radii**2)
    irises = stage.face.eye_centers + depth_m[:, None] * [0, 0, 1]
    points = np.zeros((clip.frame_count, 478, 2))
    for index in range(clip.frame_count):
        vertices = posed(stage.face, stage.performance, index)
        points[index, : len(corners)] = project(np.einsum("pc,pcx->px", weights, vertices[corners]), camera)
        seen = irises @ stage.performance.rotation[index].T + stage.performance.translation_m[index]
        points[index, MEDIAPIPE_IRISES] = project(seen, camera)[:, None]
    points += random.normal(size=points.shape) * NOISE_PX
    ones = np.ones(points.shape[:2], np.float32)
    return replace(stage, landmarks=replace(stage.landmarks, points_px=points, confidence=ones))


def _dense_places() -> tuple[np.ndarray, np.ndarray]:
    """Return corners (468, 3) and weights (468, 3) of the made-up detector's points on the built-in face."""
    face = built_in_face()
    front = np.flatnonzero(face.region("face") & (face.vertices[:, 2] > np.median(face.vertices[:, 2])))
    corners = np.repeat(front[np.linspace(0, len(front) - 1, 468).astype(int)][:, None], 3, axis=1)
    weights = np.tile([1.0, 0.0, 0.0], (468, 1))
    for number, (one, other) in enumerate(MEDIAPIPE_OF_68):
        for place in {int(one), int(other)}:
            corners[place] = face.landmark_vertices[number]
            weights[place] = face.landmark_barycentric[number]
    return corners, weights


def with_points(stage: Stage, points_px: np.ndarray, confidence: np.ndarray | None = None) -> Stage:
    """Return the stage with other points."""
    sure = stage.landmarks.confidence if confidence is None else confidence
    return replace(stage, landmarks=replace(stage.landmarks, points_px=points_px, confidence=sure))


def repeated(stage: Stage, frame_count: int) -> Stage:
    """Return the stage played over and over until it has so many frames."""
    order = np.arange(frame_count) % stage.source.clip.frame_count
    points = stage.landmarks
    longer = replace(
        points,
        points_px=points.points_px[order],
        confidence=points.confidence[order],
        is_detected=points.is_detected[order],
    )
    source = replace(stage.source, clip=replace(stage.source.clip, frame_count=frame_count))
    return replace(stage, source=source, landmarks=longer)
