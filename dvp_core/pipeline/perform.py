"""Take to edited take: another performer's motion, keyed curves, smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from dvp_core.data.edit import read_edit
from dvp_core.data.expression_map import read_expression_map
from dvp_core.data.generator_header import read_generator_header
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.edit import apply_edit, clamped_to_seen, smooth, transfer


def transfer_take(
    source: Path | str,
    target: Path | str,
    output: Path | str,
    *,
    mode: Literal["relative", "absolute"] = "relative",
    channels: Sequence[str] = ("head", "expression", "gaze"),
    strength: Mapping[str, float] | None = None,
    expression_map: Path | str | None = None,
    clamp_to: Path | str | None = None,
) -> Take:
    """Write the target's take performing what the source performs; see `dvp_core.edit.transfer`.

    With `clamp_to`, a generator's file, all is held in its seen ranges afterwards.
    """
    result = transfer(
        read_take(source),
        read_take(target),
        mode=mode,
        channels=channels,
        strength=strength,
        expression_map=None if expression_map is None else read_expression_map(expression_map),
    )
    result = _clamped(result, clamp_to)
    write_take(output, result)
    return result


def edit_take(
    path: Path | str,
    output: Path | str,
    *,
    edit: Path | str | None = None,
    smoothing: float | None = None,
    clamp_to: Path | str | None = None,
) -> Take:
    """Write a take with an edit's curves laid on.

    Args:
        path: The take.
        output: The take to write.
        edit: The curves.
        smoothing: Where its dial is turned before; None leaves it alone.
        clamp_to: A generator in whose seen ranges all is held afterwards.
    """
    result = read_take(path)
    if smoothing is not None:
        result = smooth(result, smoothing)
    if edit is not None:
        result = apply_edit(result, read_edit(edit))
    result = _clamped(result, clamp_to)
    write_take(output, result)
    return result


def _clamped(take: Take, generator: Path | str | None) -> Take:
    return take if generator is None else clamped_to_seen(take, read_generator_header(generator).coverage)
