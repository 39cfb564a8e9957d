"""`dvp report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, aspect_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.review import write_report


def report(
    take: Input,
    output: Output,
    *,
    clip: Path,
    landmarks: Path | None = None,
    face_model: Path | None = None,
    lens: Path | None = None,
    pixel_aspect: str | None = None,
) -> dict[str, Any]:
    """Write a page about a take: what is doubtful and what to do, curves over time, the worst frames, the head.

    Args:
        take: The `*.take`.
        output: Folder for `index.html`, which holds everything.
        clip: The clip the take was tracked from.
        landmarks: The `*.landmarks.npz` of the clip, to see the detector's points in the pictures.
        face_model: The take's face model, where the take may not carry its face.
        lens: The lens file the clip was tracked with.
        pixel_aspect: The pixel aspect the clip was tracked with.
    """
    with shown_progress() as progress:
        path = write_report(
            take,
            clip,
            output,
            landmarks=landmarks,
            face_model=face_model,
            lens=lens,
            pixel_aspect=aspect_of(pixel_aspect),
            progress=progress,
        )
    return {"report": str(path)}
