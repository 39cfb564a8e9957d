"""`dvp overlay`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, aspect_of, frames_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.review import overlay_movie


def overlay(
    take: Input,
    output: Output,
    *,
    clip: Path,
    landmarks: Path | None = None,
    face_model: Path | None = None,
    frames: str | None = None,
    lens: Path | None = None,
    pixel_aspect: str | None = None,
) -> dict[str, Any]:
    """Draw a take's face, points, gaze and errors over its plate, as a movie to check the tracking by.

    Args:
        take: The `*.take`.
        output: The movie to write: .mp4, .mov or .mkv.
        clip: The clip the take was tracked from.
        landmarks: The `*.landmarks.npz` of the clip, to see the detector's points beside the model's.
        face_model: The take's face model, where the take may not carry its face.
        frames: A run of frames such as 1-200.
        lens: The lens file the clip was tracked with.
        pixel_aspect: The pixel aspect the clip was tracked with.
    """
    with shown_progress() as progress:
        path = overlay_movie(
            take,
            clip,
            output,
            landmarks=landmarks,
            face_model=face_model,
            frames=frames_of(frames),
            lens=lens,
            pixel_aspect=aspect_of(pixel_aspect),
            progress=progress,
        )
    return {"overlay": str(path)}
