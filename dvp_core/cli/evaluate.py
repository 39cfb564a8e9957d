"""`dvp evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, frames_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.evaluate import evaluate_generator


def evaluate(
    take: Input,
    output: Output,
    *,
    clip: Path,
    generator: Path,
    frames: str = "hold-out",
    face_model: Path | None = None,
    landmarks: Path | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Measure a generator on frames it has not seen, beside the nearest frame it has.

    Args:
        take: The `*.take` as tracked.
        output: Folder for report.json, report.png and report.html.
        clip: The movie the take was tracked from.
        generator: The `*.safetensors`, trained with --hold-out last-third.
        frames: hold-out for the last third, or frames such as 700-720.
        face_model: The take's face model, where the take may not carry its face.
        landmarks: The points the take was tracked from; with them the pictures are tracked again, which takes a minute.
        device: cpu or cuda.
    """
    with shown_progress() as progress:
        report = evaluate_generator(
            take,
            clip,
            generator,
            output,
            frames=None if frames == "hold-out" else frames_of(frames),
            face_model=face_model,
            landmarks=landmarks,
            device=device,
            progress=progress,
        )
    for name, scores in (("generator", report.generator), ("nearest training frame", report.nearest)):
        sys.stderr.write(f"{name}: {scores}\n")
    return {"report": str(output / "report.html"), **report.as_json()}
