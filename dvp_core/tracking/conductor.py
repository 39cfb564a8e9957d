"""`track`: from a clip and its points to a take. The order of work stands here; the work itself stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from dvp_core.data.clip import FrameSource
from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take, with_compact_face
from dvp_core.face.detectors import detector_table, fits
from dvp_core.tracking.batched.options import Batches
from dvp_core.tracking.curves import Curves, empty_curves, without_gaps
from dvp_core.tracking.following import FollowedFrame, eyes_of_clip, follow, in_groups
from dvp_core.tracking.framing import framed
from dvp_core.tracking.gaze import CLOSED, FRAMES_AT_ONCE, gaze_of_frames, openings
from dvp_core.tracking.options import TrackOptions
from dvp_core.tracking.setup import KnownClip, clip_points, known_person

LICENCE_FORBIDS_CARRYING = ("flame", "bfm")


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
        progress: Told of "key frames", "shape", "skin", "eyes" and "frames".

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
    return _take(clip, model, tracked_curves(clip, batches, progress), options.resolution_px)


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
    if is_finite.all():
        return landmarks
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


def tracked_curves(clip: KnownClip, batches: Batches | None = None, progress: Progress = no_progress) -> Curves:
    """Fit every frame that shows a face, with its gaze; bridge the others."""
    is_seen = clip.landmarks.is_detected
    is_open = (openings(clip.points.ibug_px) > CLOSED) & is_seen[:, None]
    eyes = eyes_of_clip(clip, is_open, progress)
    curves = empty_curves(clip.frame_count, clip.person.face.expression_count)
    for group in in_groups(_followed(clip, batches, progress), FRAMES_AT_ONCE):
        for frame in group:
            curves.put(frame.index, frame.fitted)
        indices = [frame.index for frame in group]
        gaze = gaze_of_frames(eyes, [frame.sight for frame in group])
        curves.gaze_rad[indices], curves.gaze_sigma_rad[indices] = gaze
    return without_gaps(curves, is_seen, is_open, clip.cuts)


def _followed(clip: KnownClip, batches: Batches | None, progress: Progress) -> Iterator[FollowedFrame]:
    if batches is None:
        return follow(clip, progress)
    from dvp_core.tracking.batched.conductor import follow_in_batches  # loads torch

    return follow_in_batches(clip, batches, progress)


def _take(known: KnownClip, model: FaceModel, curves: Curves, resolution_px: int) -> Take:
    clip, person, is_detected = known.source.clip, known.person, known.landmarks.is_detected
    measured = curves.measurement()
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
        illumination_sh=curves.illumination_sh,
        is_tracked=is_detected.copy(),
        landmark_error_px=curves.landmark_error_px,
        photometric_error=curves.photometric_error,
        measured=measured,
        shot_starts=tuple(clip.start_frame + int(cut) for cut in known.cuts),
    )
