"""`dvp compose`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, consent_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.composed_frames import compose_shot
from dvp_core.pipeline.movie import Composition


def compose(
    frames: Input,
    output: Output,
    *,
    passes: Path,
    clip: Path,
    unedited: Path | None = None,
    face_model: Path | None = None,
    consent: Path | None = None,
    sound: Path | None = None,
) -> dict[str, Any]:
    """Set rendered frames into the whole plate: a labelled movie with the plate's sound, or a sequence.

    Args:
        frames: Folder of frame.####.png.
        output: The movie: .mp4, .mov or .mkv; or a sequence: `shot.####.png`, or `shot.####.exr` with its layers.
        passes: Folder of the passes the frames were rendered from.
        clip: The plate.
        unedited: The take as it was tracked, or the folder of its passes: what the edit leaves alone stays the plate's.
        face_model: The model that take was tracked with, where it carries no face.
        consent: Consent record to name in the label.
        sound: Sound file or movie to hear instead of the plate's sound, such as a dubbed voice.
    """
    with shown_progress() as progress:
        inputs = Composition(frames, passes, clip, unedited, face_model, consent_of(consent), sound)
        written = compose_shot(inputs, output, progress=progress)
    return {"composed": str(written)}
