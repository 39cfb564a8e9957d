"""`dvp import-performance`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from dvp_core.cli.arguments import Input, Output, rate_of
from dvp_core.pipeline.exchange import import_performance, reading_options


def import_recording(
    recording: Input,
    output: Output,
    *,
    take: Path,
    start: float | None = None,
    fps: str | None = None,
    channels: str = "head,expression,gaze",
    undriven: Literal["keep", "rest"] = "keep",
    mirror: bool = False,
    gaze_from_shapes: bool = False,
    timecode: Literal["auto", "drop", "non-drop"] = "auto",
    angles: Literal["auto", "radians", "degrees"] = "auto",
    flip: tuple[Literal["head_yaw", "head_pitch", "head_roll", "eye_yaw", "eye_pitch"], ...] = (),
    names: Path | None = None,
) -> dict[str, Any]:
    """Lay what another tool recorded over a take: Live Link Face CSV, MediaPipe scores, tables of coefficients.

    Args:
        recording: The .csv, .tsv, .txt or .npz.
        output: The `*.take` to write; `dvp transfer --source` takes it.
        take: The `*.take` whose face, clip and frames it becomes.
        start: The plate's frame that shows the first sample; the take's first where not given.
        fps: The recorder's rate, such as 60 or 60000/1001; told by the file where it says so.
        channels: Which of head, expression and gaze are laid on, separated by commas.
        undriven: Expressions that nothing drives: keep the take's own curves, or put them to rest.
        mirror: Exchange left and right, for a recording that was mirrored.
        gaze_from_shapes: Tell the gaze roughly from the eyeLook shapes, where the recording has none.
        timecode: Whether timecodes leave numbers out, as drop-frame does at 29.97; auto goes by how they are written.
        angles: Unit of a Live Link CSV's angles; auto goes by their size.
        flip: Angles of a Live Link CSV whose sign is turned.
        names: Names of the columns, one a line, for a table that does not begin with them.
    """
    result = import_performance(
        recording,
        take,
        output,
        options=reading_options(
            fps=rate_of(fps),
            is_drop_frame=None if timecode == "auto" else timecode == "drop",
            is_degrees=None if angles == "auto" else angles == "degrees",
            flips=flip,
            names=names,
        ),
        start_frame=start,
        channels=[name.strip() for name in channels.split(",") if name.strip()],
        undriven=undriven,
        mirror=mirror,
        gaze_from_shapes=gaze_from_shapes,
    )
    for line in result.as_lines():
        sys.stderr.write(line + "\n")
    return {"take": str(output), **result.as_json()}
