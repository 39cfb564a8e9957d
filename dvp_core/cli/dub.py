"""`dvp dub`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from dvp_core.cli.arguments import Input
from dvp_core.pipeline.dub import dub_take


def dub(
    actor: Input,
    dubber: Input,
    output: Input,
    *,
    speech: Path | None = None,
    sound: Path | None = None,
    expression_map: Annotated[Path | None, tyro.conf.arg(name="map")] = None,
    face_model: Path | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Give an actor the mouth of a dubbing performer where somebody speaks; all else stays the actor's own.

    Args:
        actor: The actor's `*.take`.
        dubber: The dubbing performer's `*.take`, which begins with the same frame.
        output: The `*.take` to write.
        speech: What is spoken when: a Praat `*.TextGrid`, or the `*.json` of Rhubarb Lip Sync; lips keep its contacts.
        sound: The dubbed voice, a sound file or movie: its sync is measured; without timings it tells speech.
        expression_map: For takes of different face models: what `dvp model map` wrote.
        face_model: The actor's face model, where the take may not carry its face.
        report: A JSON to write with stretches, contacts and sync.
    """
    result = dub_take(
        actor,
        dubber,
        output,
        speech=speech,
        sound=sound,
        expression_map=expression_map,
        face_model=face_model,
        report=report,
    )
    sys.stderr.writelines(f"{sentence}\n" for sentence in result["words"])
    return result
