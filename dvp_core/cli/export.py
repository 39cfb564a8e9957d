"""`dvp export`."""

from __future__ import annotations

import sys
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.exchange import export_take


def export(take: Input, output: Output) -> dict[str, Any]:
    """Write a take for other tools; the ending chooses the kind: .csv is Live Link Face's table.

    Args:
        take: The `*.take`.
        output: The file to write.
    """
    figures = export_take(take, output)
    for name in ("left_out", "written_as_zero"):
        if figures.get(name):
            sys.stderr.write(f"{name.replace('_', ' ')}: {', '.join(figures[name])}\n")
    return {"output": str(output), **figures}
