"""`track`: from a clip and its points to a take. The order of work stands here; the work itself stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvp_core.data.clip import FrameSource
from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_definitions import iris_points, lid_lines
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.measurement import Measurement
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take, with_compact_face
from dvp_core.face.detectors import detector_table, fits
from dvp_core.maths.rotations import normalized, quaternion_wxyz_from_matrix, unwrapped_quaternions
from dvp_core.tracking.ahead import ahead
from dvp_core.tracking.batched.options import Batches
from dvp_core.tracking.bridging import bridged
from dvp_core.tracking.eye_sight import EyeSight, eye_pair, sight_of_eyes
from dvp_core.tracking.frames import FittedFrame, fit_frame
from dvp_core.tracking.framing import framed
from dvp_core.tracking.gaze import CLOSED, gaze_of_frames, openings
from dvp_core.tracking.options import TrackOptions
from dvp_core.tracking.plates import prepared_plates
from dvp_core.tracking.setup import KnownClip, clip_points, known_person
from dvp_core.tracking.states import FrameState, Layout

UNSEEN_SIGMA = 1.0  # of anything in a frame without a face: as good as unknown
LICENCE_FORBIDS_CARRYING = ("flame", "bfm")


@dataclass(frozen=True)
class Curves:
    """A performance as arrays over frames, as in a take but in float64.

    `sigma` (F, 6 + E) holds the deviations of rotation, translation and expression in the order of `Layout`.
    """

    rotation_wxyz: np.ndarray
    translation_m: np.ndarray
    expression: np.ndarray
    gaze_rad: np.ndarray
    illumination_sh: np.ndarray
    landmark_error_px: np.ndarray
    photometric_error: np.ndarray
    sigma: np.ndarray
    gaze_sigma_rad: np.ndarray


def track(
    source: FrameSource,
    landmarks: LandmarkTrack,
    model: FaceModel,
    *,
    options: TrackOptions | None = None,
    cuts: Sequence[int] = (),
    table: DetectorTable | None = None,
    batches: Batches | None = None,
    progress: Progress = no_progress,
) -> Take:
    """Return the take of a clip: the person's face, and every frame's pose, expression, gaze and light.

    Frames without a face are marked and their parameters interpolated. Nothing is smoothed: the take's curves are those
    of its measurement, and `dvp_core.edit.smooth` turns the dial.

    Args:
        source: The clip's pictures.
        landmarks: Points of every frame, iBUG's 68 or MediaPipe's 478.
        model: The face model.
        options: How to track.
        cuts: Indices of the frames that begin a new shot; nothing is carried over a cut.
        table: How the detector sees this face model; the one that ships, where there is one, if None.
        batches: Fit the frames many at a time, as a graphics card does; None: one after the other, the reference.
        progress: Told of "key frames", "shape", "skin" and "frames".

    Raises:
        DataError: The points are of another clip, no frame shows a face, or the batches' device is not there.
    """
    options = options or TrackOptions()
    landmarks = _finite(landmarks)
    _check(source, landmarks)
    if batches is not None:
        from dvp_core.tracking.batched.device import torch_device  # loads torch

        torch_device(batches.device)
    points = clip_points(landmarks)
    table = _table_of(landmarks, model, table)
    person = known_person(source, points, landmarks.is_detected, model, options, progress, table=table)
    clip = KnownClip(source, landmarks, points, person, cuts)
    return _take(clip, model, _tracked(clip, batches, progress), options.resolution_px)


def _table_of(landmarks: LandmarkTrack, model: FaceModel, given: DetectorTable | None) -> DetectorTable | None:
    """Return the table to use; none for a detector without one."""
    if given is not None and not fits(given, model):
        raise DataError(
            f"the detector's table is of '{given.model_id}' and does not fit the face model '{model.id}'",
            remedy="make one by `dvp model calibrate` from this very model",
        )
    if landmarks.point_count == 68:
        return None
    return detector_table(model) if given is None else given


def _finite(landmarks: LandmarkTrack) -> LandmarkTrack:
    """Return the track in which a frame whose points are not all finite has no face, as in a file."""
    is_finite = np.isfinite(landmarks.points_px).all(axis=(1, 2)) & np.isfinite(landmarks.confidence).all(axis=1)
    return replace(
        landmarks,
        points_px=np.where(is_finite[:, None, None], landmarks.points_px, 0.0),
        confidence=np.where(is_finite[:, None], landmarks.confidence, np.float32(0.0)),
        is_detected=landmarks.is_detected & is_finite,
    )


def _check(source: FrameSource, landmarks: LandmarkTrack) -> None:
    clip = source.clip
    if landmarks.frame_count != clip.frame_count:
        raise DataError(
            f"there are points for {landmarks.frame_count} frames, the clip has {clip.frame_count}",
            where=clip.file_name,
            remedy="give the landmarks of this very clip, or let them be detected",
        )
    if not landmarks.is_detected.any():
        raise DataError(
            "no face was found in any frame",
            where=clip.file_name,
            remedy="check that the clip shows one face, larger than about 60 pixels and not in profile throughout",
        )


def _tracked(clip: KnownClip, batches: Batches | None, progress: Progress) -> Curves:
    """Fit every frame that shows a face; bridge the others."""
    if batches is None:
        fitted, sights = follow(clip, progress)
    else:
        from dvp_core.tracking.batched.conductor import follow_in_batches  # loads torch

        fitted, sights = follow_in_batches(clip, batches, progress)
    is_open = (openings(clip.points.ibug_px) > CLOSED) & clip.landmarks.is_detected[:, None]
    gaze, gaze_sigma = np.zeros((clip.frame_count, 2, 2)), np.full((clip.frame_count, 2, 2), UNSEEN_SIGMA)
    seen = sorted(sights)
    gaze[seen], gaze_sigma[seen] = gaze_of_frames(
        eye_pair(clip.person.face), [sights[index] for index in seen], is_open[seen]
    )
    gaze_sigma[~is_open] = UNSEEN_SIGMA
    return _curves(fitted, _bridged_eyes(gaze, is_open, clip.cuts), gaze_sigma, clip.cuts)


def follow(clip: KnownClip, progress: Progress) -> tuple[dict[int, FittedFrame], dict[int, EyeSight]]:
    """Fit one frame after the other; return them and what is seen of their eyes, by index."""
    person, landmarks, problem = clip.person, clip.landmarks, clip.person.problem
    fitted: dict[int, FittedFrame] = {}
    sights: dict[int, EyeSight] = {}
    eyes, lids_px, irises_px = eye_pair(person.face), lid_lines(landmarks), iris_points(landmarks)
    before: FrameState | None = None
    light = person.light
    for prepared in ahead(prepared_plates(clip)):
        index = prepared.index
        progress("frames", index, clip.frame_count)
        if index in clip.cuts:
            before, light = None, person.light
        if not landmarks.is_detected[index]:
            before = None
            continue
        result = fit_frame(problem, clip.points.frame(index), prepared.pictures, before=before, light=light)
        fitted[index], before, light = result, result.state, result.illumination_sh
        detected_px = None if irises_px is None else irises_px[index]
        sights[index] = sight_of_eyes(
            prepared.plate, eyes, result.state, lids_px[index], problem.camera, irises_px=detected_px
        )
    progress("frames", clip.frame_count, clip.frame_count)
    return fitted, sights


def _bridged_eyes(gaze_rad: np.ndarray, is_open: np.ndarray, cuts: Sequence[int]) -> np.ndarray:
    """Return gaze (F, 2, 2) in which a closed eye looks where it looks before and after; one never open looks ahead."""
    sides = [
        bridged(gaze_rad[:, side], is_open[:, side], cuts) if is_open[:, side].any() else np.zeros((len(gaze_rad), 2))
        for side in range(2)
    ]
    return np.stack(sides, axis=1)


def _curves(fitted: dict[int, FittedFrame], gaze: np.ndarray, gaze_sigma: np.ndarray, cuts: Sequence[int]) -> Curves:
    """Lay fitted frames out over time, frames without a face interpolated between their neighbours in the shot."""
    frames = sorted(fitted)
    results = [fitted[frame] for frame in frames]
    frame_count = len(gaze)
    is_fitted = np.isin(np.arange(frame_count), frames)

    def over_time(values: Sequence[np.ndarray]) -> np.ndarray:
        spread = np.zeros((frame_count, *np.shape(values[0])))
        spread[frames] = values
        return bridged(spread, is_fitted, cuts)

    sigma = np.full((frame_count, len(results[0].sigma)), UNSEEN_SIGMA)
    sigma[frames] = [r.sigma for r in results]
    rotations = unwrapped_quaternions(quaternion_wxyz_from_matrix(np.stack([r.state.rotation for r in results])))
    return Curves(
        rotation_wxyz=normalized(over_time(list(rotations))),
        translation_m=over_time([r.state.translation_m for r in results]),
        expression=over_time([r.state.expression for r in results]),
        gaze_rad=gaze,
        illumination_sh=over_time([r.illumination_sh for r in results]),
        landmark_error_px=over_time([np.array(r.landmark_error_px) for r in results]),
        photometric_error=over_time([np.array(r.photometric_error) for r in results]),
        sigma=sigma,
        gaze_sigma_rad=gaze_sigma,
    )


def _take(known: KnownClip, model: FaceModel, curves: Curves, resolution_px: int) -> Take:
    clip, person, is_detected = known.source.clip, known.person, known.landmarks.is_detected
    measured = _measured(curves)
    is_carried = not model.id.lower().startswith(LICENCE_FORBIDS_CARRYING)
    return Take(
        subject=clip.file_name.rsplit(".", 1)[0],
        clip=clip,
        camera=person.problem.camera,
        crop=framed(clip, known.points.ibug_px[is_detected], resolution_px),
        face=with_compact_face(person.face) if is_carried else None,
        face_model_id=model.id,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        identity=person.identity.astype(np.float32),
        reflectance=person.reflectance.astype(np.float32),
        head_rotation_wxyz=measured.head_rotation_wxyz,
        head_translation_m=measured.head_translation_m,
        expression=measured.expression,
        gaze_rad=measured.gaze_rad,
        illumination_sh=curves.illumination_sh.astype(np.float32),
        is_tracked=is_detected.copy(),
        landmark_error_px=curves.landmark_error_px.astype(np.float32),
        photometric_error=curves.photometric_error.astype(np.float32),
        measured=measured,
        shot_starts=tuple(clip.start_frame + int(cut) for cut in known.cuts),
    )


def _measured(curves: Curves) -> Measurement:
    """Return the curves as a take's measurement."""
    sigma = curves.sigma.astype(np.float32)
    return Measurement(
        head_rotation_wxyz=curves.rotation_wxyz.astype(np.float32),
        head_translation_m=curves.translation_m.astype(np.float32),
        expression=curves.expression.astype(np.float32),
        gaze_rad=curves.gaze_rad.astype(np.float32),
        rotation_sigma_rad=sigma[:, Layout.rotation],
        translation_sigma_m=sigma[:, Layout.translation],
        expression_sigma=sigma[:, Layout.translation.stop :],
        gaze_sigma_rad=curves.gaze_sigma_rad.astype(np.float32),
    )
