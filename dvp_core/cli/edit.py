"""`dvp edit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.perform import edit_take


def edit(
    take: Input,
    output: Output,
    *,
    curves: Path | None = None,
    smoothing: float | None = None,
    clamp_to: Path | None = None,
) -> dict[str, Any]:
    """Apply keyed curves to a take, and smooth it.

    Args:
        take: The `*.take` to start from; it is not changed.
        output: The `*.take` to write.
        curves: JSON of keyed curves, such as {"version": 1, "curves": [{"channel": "head.yaw_deg",
            "frames": [1, 20], "values": [0, 10]}]}.
        clamp_to: A generator, in whose seen ranges every parameter is held at last.
        smoothing: Turns the take's dial first: 0 (as measured) to 1; left where it is when not given.
    """
    result = edit_take(take, output, edit=curves, smoothing=smoothing, clamp_to=clamp_to)
    return {"take": str(output), "frame_count": result.frame_count}
