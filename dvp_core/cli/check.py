"""`dvp check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.check import check_render


def check(
    frames: Input,
    output: Output,
    *,
    take: Path,
    clip: Path,
    unedited: Path,
    landmarks: Path | None = None,
    face_model: Path | None = None,
) -> dict[str, Any]:
    """Hold rendered frames against the keys: what is wrong, in which frames, and curves asked for and got.

    Exit codes: 0 nothing is wrong, 3 something is, 1 it could not be checked.

    Args:
        frames: Folder of frame.####.png, as rendered.
        output: Folder for check.html and check.json.
        take: The edited take whose passes the frames were rendered from.
        clip: The plate.
        unedited: The take as it was tracked.
        landmarks: The points the take was tracked from; with them frames are tracked again, which takes a minute.
        face_model: The takes' face model, where they may not carry their face.
    """
    with shown_progress() as progress:
        result = check_render(
            frames, take, clip, unedited, output, landmarks=landmarks, face_model=face_model, progress=progress
        )
    for fault in result["faults"]:
        sys.stderr.write(f"{fault['frames']}: {fault['kind']}: {fault['reason']}. {fault['remedy']}.\n")
    sys.stderr.write("" if result["faults"] else "Nothing is wrong.\n")
    return result
