"""`dvp coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input
from dvp_core.pipeline.coverage import coverage_of_take


def coverage(
    take: Input, *, generator: Path, picture: Path | None = None, numbers: Path | None = None
) -> dict[str, Any]:
    """Say how far a performance leaves what a generator has seen, frame by frame and region by region.

    Distance 1 is how far seen poses lie from each other; above 2 the generator guesses.

    Args:
        take: The `*.take`, edited or driven.
        generator: The person's `*.safetensors`.
        picture: A PNG to write: one row a region over the frames.
        numbers: A JSON to write with every frame's distances.
    """
    return coverage_of_take(take, generator, picture=picture, numbers=numbers)
