"""Clip to landmarks to take, and the dial that smooths it."""

from __future__ import annotations

from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

import dvp_core
from dvp_core.data.clip import FrameSource
from dvp_core.data.detector_table import read_detector_table
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks, write_landmarks
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.edit import DEFAULT_SMOOTHING, checked_smoothing, find_doubts, smooth
from dvp_core.landmarks import detector_named
from dvp_core.maths.lens import PlateCorrection
from dvp_core.pipeline import recipe
from dvp_core.pipeline.clips import part_of
from dvp_core.pipeline.consent import admitted_sha256
from dvp_core.pipeline.model import load_face_model
from dvp_core.pipeline.plate import corrected_points, corrected_source, correction_of, correction_settings
from dvp_core.tracking import TrackOptions, track
from dvp_core.tracking.batched.options import Batches, Device
from dvp_core.trust import Work
from dvp_core.video import open_clip
from dvp_core.video.cuts import find_cuts

DetectorName = Literal["auto", "mediapipe", "face-alignment"]


def find_landmarks(
    clip: Path | str,
    output: Path | str,
    *,
    detector: DetectorName = "auto",
    weights: Path | str | None = None,
    fps: Fraction | None = None,
    face: int = 0,
    progress: Progress = no_progress,
) -> LandmarkTrack:
    """Detect the facial points of every frame of a clip and write them as `*.landmarks.npz`.

    Args:
        clip: Movie, folder of pictures or `####` pattern.
        output: The `*.landmarks.npz`.
        detector: "auto" takes MediaPipe where its package and weights are at hand, else face-alignment.
        weights: The detector's weights, where its library does not find them itself.
        fps: Rate of pictures.
        face: Which face, where several are seen.
        progress: Told after every frame.
    """
    found = detector_named(detector, weights=weights, face=face).detect(open_clip(clip, fps=fps), progress=progress)
    write_landmarks(output, found)
    return found


def faces_seen_figures(found: LandmarkTrack) -> dict[str, Any]:
    """Return how many faces a detector saw, as plain numbers; nothing where it did not count them."""
    if found.faces_seen is None:
        return {}
    return {
        "faces_seen_at_once": int(found.faces_seen.max(initial=0)),
        "frames_with_several_faces": int((found.faces_seen > 1).sum()),
    }


def track_clip(
    clip: Path | str,
    output: Path | str,
    *,
    landmarks: Path | str | None = None,
    face_model: Path | str | None = None,
    options: TrackOptions | None = None,
    smoothing: float = DEFAULT_SMOOTHING,
    fps: Fraction | None = None,
    face: int = 0,
    frames: FrameRange | None = None,
    subject: str | None = None,
    consent: Path | str | None = None,
    detector: DetectorName = "auto",
    weights: Path | str | None = None,
    detector_table: Path | str | None = None,
    lens: Path | str | None = None,
    pixel_aspect: Fraction | None = None,
    device: Device = "cpu",
    progress: Progress = no_progress,
) -> Take:
    """Track a clip into a `*.take`, or return the one that stands there when nothing has changed.

    Args:
        clip: Movie, folder of pictures or `####` pattern.
        output: The `*.take`.
        landmarks: A `*.landmarks.npz` of the same clip; detected where not given.
        face_model: A `*.face.npz`; the built-in face where not given.
        options: How to track.
        smoothing: 0 (as measured) to 1; see `dvp_core.edit.smooth`. A clip that is tracked already is not tracked again
            for another value.
        fps: Rate of pictures.
        face: Which face, where several are seen.
        frames: A run of consecutive plate frames; the whole clip where not given.
        subject: Pseudonym of the person; the clip's name without its suffix where not given.
        consent: A consent record, which must allow it; the take carries its hash.
        detector: Which detector finds the points where no file is given.
        weights: The detector's weights.
        detector_table: How the detector sees the face model, from `calibrate_detector`; where not given the one that
            ships.
        lens: A lens file: the take is then one of the undistorted plate, and its focal length the lens's.
        pixel_aspect: Width of a plate's pixel divided by its height: the take is then one of square pixels.
        device: "cuda" fits the frames in batches on a graphics card; "cpu" one after the other.
        progress: Told as the work goes on.
    """
    source = open_clip(clip, fps=fps)
    hash_of_consent = admitted_sha256(consent, Work("track", clips_sha256=(source.clip.sha256,)))
    correction = correction_of(source.clip, lens, pixel_aspect)
    options = _with_focal_of(correction, options or TrackOptions())
    smoothing = checked_smoothing(smoothing)
    inputs = {
        "landmarks": landmarks,
        "face_model": face_model,
        "consent": consent,
        "lens": lens,
        "detector_table": detector_table,
    }
    settings: dict[str, Any] = {
        "clip_sha256": source.clip.sha256,
        "options": asdict(options),
        "smoothing": smoothing,
        "frames": None if frames is None else str(frames),
        "fps": str(source.clip.fps),
        "detector": detector,
        "face": face,
        "subject": subject,
        "plate": correction_settings(correction),
        "device": device,
    }
    steps = recipe.recipe_of("track", inputs, settings)
    if recipe.is_fresh(output, steps):
        progress("track", 1, 1)
        return read_take(output)
    if recipe.is_fresh(output, steps, but_for=["smoothing"]) and (before := read_take(output)).measured is not None:
        return _written(smooth(before, smoothing), output, steps)
    batches = _batches_on(device)
    given = given_points(source, landmarks)
    source = corrected_source(source, correction)
    if given is None:
        points = detector_named(detector, weights=weights, face=face).detect(source, progress=progress)
    else:
        points = corrected_points(given, correction)
    part, part_points = _selected(source, points, frames)
    take = track(
        part,
        part_points,
        load_face_model(face_model),
        options=options,
        cuts=find_cuts(part, progress=progress),
        table=None if detector_table is None else read_detector_table(detector_table),
        batches=batches,
        progress=progress,
    )
    take = replace(
        take,
        subject=subject or Path(clip).stem.strip("#."),
        consent_sha256=hash_of_consent,
        tool_version=dvp_core.__version__,
    )
    return _written(smooth(take, smoothing), output, steps)


def smooth_take(path: Path | str, output: Path | str, *, strength: float = DEFAULT_SMOOTHING) -> Take:
    """Write a take with its dial of smoothing turned, from what was measured; see `dvp_core.edit.smooth`.

    Args:
        path: The `*.take`.
        output: The `*.take` to write; may be the same.
        strength: 0 (as measured) to 1.
    """
    take = smooth(read_take(path), strength)
    write_take(output, take)
    return take


def _written(take: Take, output: Path | str, steps: dict[str, Any]) -> Take:
    write_take(output, take)
    recipe.record(output, steps)
    return take


def tracking_figures(take: Take) -> dict[str, Any]:
    """Return what a user wants to know of a tracked take, as plain numbers and words."""
    tracked = take.is_tracked
    return {
        "frame_count": take.frame_count,
        "frames_without_face": [int(take.frames.numbers[index]) for index in np.flatnonzero(~tracked)],
        "focal_px": round(take.camera.focal_px, 1),
        "landmark_error_px_median": round(float(np.median(take.landmark_error_px[tracked])), 3),
        "photometric_error_median": round(float(np.median(take.photometric_error[tracked])), 4),
        "doubtful_frames": [doubt.as_json() for doubt in find_doubts(take)],
    }


def track_options(*, focal_px: float | None = None, resolution_px: int = 256) -> TrackOptions:
    """Return the tracker's defaults with a user's wishes."""
    return TrackOptions(focal_px=focal_px, resolution_px=resolution_px)


def _batches_on(device: Device) -> Batches | None:
    """Return how frames are fitted on a device, None for the reference; a card that is missing is said at once."""
    if device == "cpu":
        return None
    from dvp_core.tracking.batched.device import torch_device  # loads torch

    torch_device(device)
    return Batches(device=device)


def _with_focal_of(correction: PlateCorrection | None, options: TrackOptions) -> TrackOptions:
    """Return the options with the lens's focal length, unless a user gives another."""
    if correction is None or correction.focal_px is None or options.focal_px is not None:
        return options
    return replace(options, focal_px=correction.focal_px)


def given_points(source: FrameSource, landmarks: Path | str | None) -> LandmarkTrack | None:
    """Return the points of a file, None where none is given.

    Raises:
        DataError: They are of another clip.
    """
    if landmarks is None:
        return None
    points = read_landmarks(landmarks)
    _check_fit(points, source, landmarks)
    return points


def _check_fit(points: LandmarkTrack, source: FrameSource, path: Path | str) -> None:
    clip = source.clip
    size = (clip.width_px, clip.height_px)
    if points.frame_count != clip.frame_count:
        raise DataError(
            f"holds {points.frame_count} frames, the clip {clip.frame_count}",
            where=path,
            remedy="Give the landmarks of this very clip, or leave them out to detect them",
        )
    if points.size_wh is not None and points.size_wh != size:
        raise DataError(f"is of a picture of {points.size_wh}, the clip is {size}", where=path)


def _selected(
    source: FrameSource, points: LandmarkTrack, frames: FrameRange | None
) -> tuple[FrameSource, LandmarkTrack]:
    """Cut clip and points to a run of plate frames."""
    if frames is None:
        return source, points
    part = part_of(source, frames)
    start = frames.first - source.clip.start_frame
    return part, points.part(start, start + len(frames))
