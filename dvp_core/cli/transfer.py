"""`dvp transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.cli.arguments import Output
from dvp_core.data.errors import DataError
from dvp_core.pipeline.perform import transfer_take


def transfer(
    *,
    source: Path,
    target: Path,
    output: Output,
    mode: Literal["relative", "absolute"] = "relative",
    channels: str = "head,expression,gaze",
    strength: tuple[str, ...] = (),
    expression_map: Annotated[Path | None, tyro.conf.arg(name="map")] = None,
    clamp_to: Path | None = None,
) -> dict[str, Any]:
    """Lay one take's performance over another's person, light and camera.

    Args:
        source: Take of the performer.
        target: Take of the person who shall perform it.
        output: The `*.take` to write.
        mode: "relative" carries differences from neutral to neutral; "absolute" carries values.
        channels: Which of head, expression and gaze, separated by commas.
        strength: By region, such as mouth=0.8 brows=0.5; 1 where not given.
        expression_map: For takes of different face models: what `dvp model map` wrote.
        clamp_to: The target's generator, in whose seen ranges every parameter is held at last.
    """
    result = transfer_take(
        source,
        target,
        output,
        mode=mode,
        channels=[name.strip() for name in channels.split(",") if name.strip()],
        strength=dict(_pair(text) for text in strength),
        expression_map=expression_map,
        clamp_to=clamp_to,
    )
    return {"take": str(output), "frame_count": result.frame_count}


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise DataError(f"'{text}' is no strength", where="--strength", remedy="Write for example mouth=0.8") from error
