"""From a clip's points and a model to the person: key frames, shape, lens, calibrated points, reflectance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dvp_core.data.camera import Camera
from dvp_core.data.clip import FrameSource
from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import (
    EYES_68,
    MEDIAPIPE_IRISES,
    MEDIAPIPE_OF_68,
    MEDIAPIPE_OUTLINE,
    ibug_points,
    iris_points,
    lid_lines,
)
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress
from dvp_core.face import landmarks_68
from dvp_core.face.expression_names import is_named
from dvp_core.tracking.appearance import PersonAppearance, estimated_appearance, skin_patch
from dvp_core.tracking.bundle import Bundle, BundleProblem, fit_bundle
from dvp_core.tracking.calibration import calibrated
from dvp_core.tracking.condensing import condensed
from dvp_core.tracking.detector import calibrated_detector
from dvp_core.tracking.evidence import FramePoints, Rig, first_factors
from dvp_core.tracking.first_pose import first_pose
from dvp_core.tracking.frames import FramePictures, FrameProblem, fit_frame
from dvp_core.tracking.key_frames import well_spread_frames
from dvp_core.tracking.options import PhotometricOptions, TextureOptions, TrackOptions
from dvp_core.tracking.outline import OutlineFinder, outline_finder
from dvp_core.tracking.picture import window_of_plate
from dvp_core.tracking.skin_bundle import KeyPictures, KnownTiles, fit_skin_bundle
from dvp_core.tracking.stages import BUNDLE_STAGES
from dvp_core.tracking.states import ExpressionRange, SharedState
from dvp_core.tracking.surface import landmark_points, vertex_points
from dvp_core.tracking.terms.temporal import Motion
from dvp_core.tracking.texture import texture_of_plate

# MediaPipe's points that are none of iBUG's 68, no iris and no outline.
BEYOND_68 = np.setdiff1d(
    np.arange(478), np.concatenate([MEDIAPIPE_OF_68.ravel(), MEDIAPIPE_OUTLINE, MEDIAPIPE_IRISES.ravel()])
)


@dataclass(frozen=True)
class ClipPoints:
    """A detector's points as the tracker uses them, sorted frame by frame as they are asked for.

    Attributes:
        track: As the detector gave them.
        ibug_px: (F, 68, 2).
        eye_distance_px: Median distance of the outer eye corners where the face is turned least away.
    """

    track: LandmarkTrack
    ibug_px: np.ndarray
    eye_distance_px: float

    @property
    def is_dense(self) -> bool:
        """Whether there are more than iBUG's 68."""
        return self.track.point_count > 68

    def frame(self, index: int) -> FramePoints:
        """Return one frame's points: iBUG's 68, those beyond them without irises and outline, and all as they came."""
        points_px, sure = self.track.points_px[index], self.track.confidence[index]
        if not self.is_dense:
            return FramePoints(self.ibug_px[index], points_px[:0], self.eye_distance_px, sure)
        ibug_sure = sure[MEDIAPIPE_OF_68].min(axis=1)
        return FramePoints(self.ibug_px[index], points_px[BEYOND_68], self.eye_distance_px, ibug_sure, points_px, sure)

    def eyes(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return one frame's lids (2, 2, 9, 2), see `lid_lines`, and irises (2, 2), None where there are none."""
        frame = self.track.part(index, index + 1)
        irises_px = iris_points(frame)
        return lid_lines(frame)[0], None if irises_px is None else irises_px[0]


@dataclass(frozen=True)
class Person:
    """What the key frames told.

    Attributes:
        identity: (I,).
        face: The person's face, without identity modes.
        reflectance: (V, 3).
        problem: What is needed to fit frames.
        light: (9, 3), the key frames' mean light.
    """

    identity: np.ndarray
    face: FaceModel
    reflectance: np.ndarray
    problem: FrameProblem
    light: np.ndarray


@dataclass(frozen=True)
class KnownClip:
    """A clip whose person is known, ready to be followed frame by frame.

    Attributes:
        source: The pictures.
        landmarks: The detector's points.
        points: The same, sorted.
        person: What the key frames told.
        cuts: Indices of the frames that begin a new shot.
    """

    source: FrameSource
    landmarks: LandmarkTrack
    points: ClipPoints
    person: Person
    cuts: Sequence[int] = ()

    @property
    def frame_count(self) -> int:
        """Frames of the clip."""
        return self.source.clip.frame_count


def clip_points(track: LandmarkTrack) -> ClipPoints:
    """Return a detector's points sorted into iBUG's 68 and the rest."""
    ibug = ibug_points(track)
    corners = ibug[:, [EYES_68[0, 3], EYES_68[1, 0]]][track.is_detected]
    distance = float(np.percentile(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1), 75))
    return ClipPoints(track, ibug, distance)


def known_person(
    source: FrameSource,
    points: ClipPoints,
    is_detected: np.ndarray,
    model: FaceModel,
    options: TrackOptions,
    progress: Progress,
    *,
    table: DetectorTable | None,
) -> Person:
    """Return shape, lens and reflectance of the person in a clip.

    Args:
        source: The clip's pictures.
        points: The detector's points.
        is_detected: (F,).
        model: The face.
        options: How to track.
        progress: Told of "key frames", "shape" and "skin".
        table: How the detector sees this model; None finds out from the clip.
    """
    clip = source.clip
    usual_px = options.focal_px or options.priors.usual_focal * max(clip.width_px, clip.height_px)
    camera = Camera.centered(usual_px, clip.width_px, clip.height_px)
    keys = well_spread_frames(points.ibug_px, is_detected, options.key_frame_count)
    key_points = [points.frame(int(key)) for key in keys]
    # Points that were never measured on the model leave its depth open, and tiles on a wrong depth turn wrongly.
    texture = None if table is None else options.texture
    pictures = _key_pictures(source, keys, key_points, options.photometric, texture, progress)
    points_problem, bundle = _fitted_bundle(model, key_points, camera, options, progress, table)
    known = None
    if texture is not None and pictures is not None:
        bundle, known = fit_skin_bundle(
            points_problem,
            bundle,
            model,
            pictures,
            texture,
            has_focal=options.focal_px is None,
            progress=progress,
        )
    rig = points_problem.rig
    camera = replace(camera, focal_px=bundle.shared.focal_px)
    face = model.baked(bundle.shared.identity)
    rig = replace(
        rig,
        ibug=rig.ibug.baked(bundle.shared.identity),
        dense=rig.dense.baked(bundle.shared.identity),
        detector=None if rig.detector is None else rig.detector.baked(bundle.shared.identity),
        outline=None if points.is_dense else _baked_outline(rig, bundle),
    )
    appearance = estimated_appearance(face, bundle.frames, pictures.pictures, camera) if pictures else None
    problem = _frame_problem(rig, camera, face, appearance, known, options, clip.fps)
    if pictures is not None and known is None and options.photometric is not None:
        for _ in range(options.photometric.round_count):
            appearance = _sharpened(problem, bundle, key_points, pictures)
            problem = _frame_problem(rig, camera, face, appearance, None, options, clip.fps)
    light = appearance.lights.mean(axis=0) if appearance else np.zeros((9, 3))
    reflectance = appearance.reflectance if appearance else face.reflectance_mean
    return Person(bundle.shared.identity, face, reflectance, problem, light)


def expression_sigma(model: FaceModel, options: TrackOptions) -> np.ndarray:
    """Return (E,) spreads of the model's expressions.

    Lids that follow the gaze look like half a blink; kept narrow, they leave blinks to the blinks. Numbered modes have
    a spread of their own.
    """
    is_lid_of_gaze = np.array([name.startswith("eyeLook") for name in model.expression_names], dtype=bool)
    named = options.priors.expression_sigma * np.where(is_lid_of_gaze, options.priors.eye_look_share, 1.0)
    return np.where(_is_numbered(model), options.priors.numbered_sigma, named)


def expression_range(model: FaceModel, options: TrackOptions) -> ExpressionRange:
    """Return where the model's expressions may lie: named shapes in 0..1, numbered modes on both sides of zero."""
    reach = options.priors.numbered_reach
    is_numbered = _is_numbered(model)
    return ExpressionRange(np.where(is_numbered, -reach, 0.0), np.where(is_numbered, reach, 1.0))


def _is_numbered(model: FaceModel) -> np.ndarray:
    return np.array([not is_named(name) for name in model.expression_names], dtype=bool)


def _fitted_bundle(
    model: FaceModel,
    points: Sequence[FramePoints],
    camera: Camera,
    options: TrackOptions,
    progress: Progress,
    table: DetectorTable | None,
) -> tuple[BundleProblem, Bundle]:
    """Return the key frames' bundle as the points tell it, and its problem."""
    plain = landmark_points(model)
    nothing = vertex_points(model, np.zeros(0, dtype=np.int64))
    finder = outline_finder(model)
    detector = None if table is None else calibrated_detector(model, table, stray_m=options.landmarks.stray_m)
    rig = Rig(plain, first_factors(options.landmarks), nothing, np.zeros(0), finder, options.landmarks, detector)
    rest = landmarks_68(model, model.vertices)[17:]
    frames = tuple(first_pose(rest, frame.ibug_px[17:], camera, model.expression_count) for frame in points)
    bundle = Bundle(frames, SharedState(np.zeros(model.identity_count), camera.focal_px))
    sigma, within = expression_sigma(model, options), expression_range(model, options)
    problem = BundleProblem(rig, points, camera, camera.focal_px, sigma, options.priors, within)
    for number, stage in enumerate(BUNDLE_STAGES):
        progress("shape", number, len(BUNDLE_STAGES))
        used = replace(stage, has_focal=stage.has_focal and options.focal_px is None)
        bundle = fit_bundle(problem, bundle, used)
        if stage.is_calibrating and detector is None:
            problem = replace(problem, rig=calibrated(problem.rig, plain, model, bundle, points, camera))
    progress("shape", len(BUNDLE_STAGES), len(BUNDLE_STAGES))
    return problem, bundle


def _baked_outline(rig: Rig, bundle: Bundle) -> OutlineFinder | None:
    finder = rig.outline
    return None if finder is None else replace(finder, candidates=finder.candidates.baked(bundle.shared.identity))


def _key_pictures(
    source: FrameSource,
    keys: np.ndarray,
    points: Sequence[FramePoints],
    photometric: PhotometricOptions | None,
    texture: TextureOptions | None,
    progress: Progress,
) -> KeyPictures | None:
    """Return the key frames' pictures, None where neither colours nor patterns are used."""
    if photometric is None:
        return None
    seen: list[FramePictures] = []
    for number, (key, frame) in enumerate(zip(keys, points, strict=True)):
        progress("key frames", number, len(keys))
        seen.append(frame_pictures(source.read(int(key)), frame, photometric, texture))
    progress("key frames", len(keys), len(keys))
    return KeyPictures([each.colours for each in seen], [each.texture for each in seen if each.texture is not None])


def _sharpened(
    problem: FrameProblem, bundle: Bundle, points: Sequence[FramePoints], pictures: KeyPictures
) -> PersonAppearance:
    """Return the reflectance after the key frames were moved to agree about it; at first their errors blur it."""
    assert problem.person is not None
    moved = [
        fit_frame(problem, frame, FramePictures(picture, None), before=None, start=start, light=light).state
        for frame, picture, start, light in zip(
            points, pictures.pictures, bundle.frames, problem.person.lights, strict=True
        )
    ]
    return estimated_appearance(problem.face, moved, pictures.pictures, problem.camera)


def frame_pictures(
    plate: np.ndarray, points: FramePoints, photometric: PhotometricOptions, texture: TextureOptions | None
) -> FramePictures:
    """Return the part of a plate around a frame's points, shrunk for the colour term, and its pattern where asked."""
    colours = window_of_plate(plate, points.ibug_px, across_px=photometric.across_px)
    if texture is None:
        return FramePictures(colours, None)
    return FramePictures(colours, texture_of_plate(plate, points.ibug_px, across_px=texture.across_px))


def _frame_problem(
    rig: Rig,
    camera: Camera,
    face: FaceModel,
    appearance: PersonAppearance | None,
    known: KnownTiles | None,
    options: TrackOptions,
    fps: Fraction,
) -> FrameProblem:
    speed = 25.0 / float(fps)
    usual = options.motion
    motion = Motion(
        usual.rotation_rad * speed,
        usual.translation_m * speed,
        np.where(_is_numbered(face), usual.numbered, usual.expression) * speed,
    )
    patch = skin = None
    if appearance is not None and options.photometric is not None:
        patch = skin_patch(face, appearance.spread, options.photometric.vertex_count)
        skin = vertex_points(face, patch.vertices)
    sigma = expression_sigma(face, options)
    if rig.detector is not None and rig.detector.ways_m is None:
        rig = replace(rig, detector=condensed(rig.detector, camera, motion, sigma))
    push, within = options.priors.expression_push, expression_range(face, options)
    return FrameProblem(
        face, rig, camera, sigma, push, within, motion, appearance, patch, skin, options.photometric, known
    )
