"""`dvp demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Output, consent_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.demo import DemoOptions, run_demo


def demo(
    *,
    clip: Path | None = None,
    landmarks: Path | None = None,
    face_model: Path | None = None,
    consent: Path | None = None,
    output: Output = Path("out/demo"),
    minutes: float = 4.0,
    workers: int = 2,
) -> dict[str, Any]:
    """Run everything on the built-in actor, or on your clip: track, train, edit in Blender, render, compose.

    Leaves result.mp4, contact.png, edited.blend and report.json. Interrupted, the same command goes on where it stood.

    Args:
        clip: Your clip; the built-in actor where not given.
        landmarks: Its landmarks; detected where not given.
        face_model: A `*.face.npz`; the built-in face where not given.
        consent: Consent record of the person in your clip.
        output: Folder of the results.
        minutes: How long the generator is trained.
        workers: Farm workers on this machine.
    """
    options = DemoOptions(
        output=output,
        clip=clip,
        landmarks=landmarks,
        face_model=face_model,
        consent=consent_of(consent),
        minutes=minutes,
        workers=workers,
    )
    with shown_progress() as progress:
        return run_demo(options, progress=progress)
