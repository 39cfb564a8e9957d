"""Take to edited take: another performer's motion, keyed curves, smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from dvp_core.data.edit import read_edit
from dvp_core.data.expression_map import read_expression_map
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.edit import apply_edit, smooth, transfer


def transfer_take(
    source: Path | str,
    target: Path | str,
    output: Path | str,
    *,
    mode: Literal["relative", "absolute"] = "relative",
    channels: Sequence[str] = ("head", "expression", "gaze"),
    strength: Mapping[str, float] | None = None,
    expression_map: Path | str | None = None,
) -> Take:
    """Write the target's take performing what the source performs; see `dvp_core.edit.transfer`."""
    result = transfer(
        read_take(source),
        read_take(target),
        mode=mode,
        channels=channels,
        strength=strength,
        expression_map=None if expression_map is None else read_expression_map(expression_map),
    )
    write_take(output, result)
    return result


def edit_take(
    path: Path | str, output: Path | str, *, edit: Path | str | None = None, smoothing: float | None = None
) -> Take:
    """Write a take with an edit's curves laid on, after turning its dial of smoothing; None leaves the dial alone."""
    result = read_take(path)
    if smoothing is not None:
        result = smooth(result, smoothing)
    if edit is not None:
        result = apply_edit(result, read_edit(edit))
    write_take(output, result)
    return result
