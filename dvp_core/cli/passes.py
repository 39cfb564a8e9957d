"""`dvp passes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, frames_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.passes import export_passes


def passes(
    take: Input,
    output: Output,
    *,
    frames: str | None = None,
    face_model: Path | None = None,
    generator: Path | None = None,
) -> dict[str, Any]:
    """Render a take's conditioning passes, one multilayer EXR a frame; frames already there are kept.

    Args:
        take: The `*.take`.
        output: Folder for `passes.####.exr`.
        frames: Such as 1-30,40,50-60x2; all where not given.
        face_model: The take's face model, where the take may not carry its face.
        generator: Render through this generator's crop: for the further takes that it was trained on.
    """
    with shown_progress() as progress:
        folder = export_passes(
            take, output, frames=frames_of(frames), face_model=face_model, generator=generator, progress=progress
        )
    return {"passes": str(output), "frames": str(folder.frames)}
