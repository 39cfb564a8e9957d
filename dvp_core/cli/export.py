"""`dvp export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.exchange import export_take


def export(take: Input, output: Output, *, face_model: Path | None = None) -> dict[str, Any]:
    """Write a take for other tools; the ending chooses the kind.

    Args:
        take: The `*.take`.
        output: A .csv (Live Link Face), .tsv (every curve), .glb (glTF 2.0), .usda or .usdc (needs the extra usd).
        face_model: The take's face model, where the take may not carry its face.
    """
    figures = export_take(take, output, face_model=face_model)
    for name in ("left_out", "written_as_zero"):
        if figures.get(name):
            sys.stderr.write(f"{name.replace('_', ' ')}: {', '.join(figures[name])}\n")
    for note in figures.get("notes", ()):
        sys.stderr.write(f"{note}\n")
    return {"output": str(output), **figures}
