"""`dvp batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, consent_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.batch import read_batch, run_batch
from dvp_core.pipeline.train import train_options


def batch(clips: Input, output: Output, *, minutes: float = 10.0, consent: Path | None = None) -> dict[str, Any]:
    """Run the whole line over a list of clips: track, train, perform, render, compose.

    A clip that fails does not stop the others; the same command run again does only what is missing.

    Args:
        clips: JSON list: {"version": 1, "clips": [{"name": "anna", "clip": "anna.mp4"}]}; each may also name
            landmarks, face_model, driver, edit and consent. Paths are relative to the list.
        output: Folder; each clip gets a folder in it.
        minutes: How long each generator is trained.
        consent: Record of consent for clips that name none.
    """
    entries = read_batch(clips)
    with shown_progress() as progress:
        results = run_batch(
            entries, output, options=train_options(minutes=minutes), consent=consent_of(consent), progress=progress
        )
    failed = {item.name: item.error for item in results if item.error is not None}
    return {
        "movies": {item.name: str(item.movie) for item in results if item.movie is not None},
        "failed": failed,
        "exit_code": 1 if failed else 0,
    }
