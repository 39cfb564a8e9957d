"""`dvp track`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from dvp_core.cli.arguments import Input, Output, aspect_of, consent_of, frames_of, rate_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.review import doubts_summary, review_tracking
from dvp_core.pipeline.track import DEFAULT_SMOOTHING, track_clip, track_options, tracking_figures


def track(
    clip: Input,
    output: Output,
    *,
    landmarks: Path | None = None,
    face_model: Path | None = None,
    focal_px: float | None = None,
    smoothing: float = DEFAULT_SMOOTHING,
    fps: str | None = None,
    face: int = 0,
    frames: str | None = None,
    resolution_px: int = 256,
    subject: str | None = None,
    consent: Path | None = None,
    detector: Literal["auto", "mediapipe", "face-alignment"] = "auto",
    weights: Path | None = None,
    detector_table: Path | None = None,
    lens: Path | None = None,
    pixel_aspect: str | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    overlay: Path | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Turn a clip into a take: the face, and for every frame its pose, expression, gaze and light.

    Args:
        clip: Movie, folder of pictures or `####` pattern.
        output: The `*.take` to write.
        landmarks: A `*.landmarks.npz` of the clip; detected where not given.
        face_model: A `*.face.npz`; the built-in face where not given.
        focal_px: Focal length in pixels; estimated where not given.
        smoothing: 0 (as measured) to 1; `dvp smooth` turns it later.
        fps: Rate of pictures, such as 25 or 30000/1001.
        face: Which face, where several are seen.
        frames: A run of frames such as 1-200.
        resolution_px: Side of the square that the network sees.
        subject: Pseudonym of the person; the clip's name where not given.
        consent: Consent record to name in the take.
        detector: Which detector finds the points.
        weights: The detector's weights.
        detector_table: How the detector sees the face model, from `dvp model calibrate`.
        lens: A lens file (JSON): track the undistorted plate.
        pixel_aspect: Width to height of a plate's pixel, such as 2:1: track square pixels.
        device: Where the frames are fitted; cuda needs a graphics card.
        overlay: A movie to write as well: the face drawn over the plate, as by `dvp overlay`.
        report: A folder to write as well: `index.html` with warnings, curves and pictures, as by `dvp report`.
    """
    with shown_progress() as progress:
        take = track_clip(
            clip,
            output,
            landmarks=landmarks,
            face_model=face_model,
            options=track_options(focal_px=focal_px, resolution_px=resolution_px),
            smoothing=smoothing,
            fps=rate_of(fps),
            face=face,
            frames=frames_of(frames),
            subject=subject,
            consent=consent_of(consent),
            detector=detector,
            weights=weights,
            detector_table=detector_table,
            lens=lens,
            pixel_aspect=aspect_of(pixel_aspect),
            device=device,
            progress=progress,
        )
        made = review_tracking(
            output,
            clip,
            overlay=overlay,
            report=report,
            landmarks=landmarks,
            face_model=face_model,
            lens=lens,
            pixel_aspect=aspect_of(pixel_aspect),
            progress=progress,
        )
    sys.stderr.write(doubts_summary(take))
    return {"take": str(output), **made, **tracking_figures(take)}
