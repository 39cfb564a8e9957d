"""Scores as a table that people read: a line a generator, the best of each column marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal[
    "less",
    "more",
    "neither",  # nothing is marked
]


@dataclass(frozen=True)
class Column:
    """One measure.

    Attributes:
        name: Its key in a row.
        heading: Its words in the table.
        better: Which way is better.
        digits: Behind the point.
        is_of_generators: Whether zero says that there is nothing to measure.
    """

    name: str
    heading: str
    better: Better
    digits: int = 2
    is_of_generators: bool = False


@dataclass(frozen=True)
class Block:
    """Columns that stand beside each other under a title."""

    title: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class TableText:
    """A block's words: the lines' own names first; `best` holds (line, column) of the marked ones."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]]


BLOCKS = (
    Block(
        "Likeness to the plate",
        (
            Column("rgb_distance", "RGB", "less"),
            Column("rgb_distance_head", "RGB head", "less"),
            Column("rgb_distance_mouth", "RGB mouth", "less"),
            Column("psnr", "PSNR, dB", "more"),
            Column("psnr_head", "PSNR head", "more"),
            Column("psnr_mouth", "PSNR mouth", "more"),
            Column("ssim", "SSIM", "more", 4),
            Column("ssim_head", "SSIM head", "more", 4),
            Column("ssim_mouth", "SSIM mouth", "more", 4),
        ),
    ),
    Block(
        "Tracked again: how far from the plate",
        (
            Column("pose_error_deg", "head turned, degrees", "less"),
            Column("position_error_mm", "head moved, mm", "less"),
            Column("expression_error", "expression", "less", 4),
            Column("gaze_error_deg", "gaze, degrees", "less"),
            Column("lost_frames", "frames lost", "less", 0),
        ),
    ),
    Block(
        "Steadiness, and what it costs",
        (
            Column("flicker", "flicker", "less"),
            Column("background_drift", "drift", "less"),
            Column("images_per_s", "training, images/s", "more", 1, is_of_generators=True),
            Column("inference_ms", "painting, ms", "less", 1, is_of_generators=True),
            Column("parameters", "weights", "neither", 0, is_of_generators=True),
            Column("steps", "steps", "neither", 0, is_of_generators=True),
        ),
    ),
)


def table_texts(rows: Mapping[str, Mapping[str, float | None]], blocks: Sequence[Block] = BLOCKS) -> list[TableText]:
    """Return the tables of some generators' numbers; a block without any of its columns is left out.

    Args:
        rows: Numbers by column, by the generator's name.
        blocks: What to show.
    """
    return [_table(rows, block.title, columns) for block in blocks if (columns := _known(block, rows))]


def _known(block: Block, rows: Mapping[str, Mapping[str, float | None]]) -> list[Column]:
    return [column for column in block.columns if any(column.name in row for row in rows.values())]


def _table(rows: Mapping[str, Mapping[str, float | None]], title: str, columns: Sequence[Column]) -> TableText:
    best = frozenset(
        (line, number)
        for number, column in enumerate(columns, start=1)
        for line in _best_lines(column, [_value(column, row) for row in rows.values()])
    )
    lines = tuple((name, *(_text(column, _value(column, row)) for column in columns)) for name, row in rows.items())
    return TableText(title, ("", *(column.heading for column in columns)), lines, best)


def _value(column: Column, row: Mapping[str, float | None]) -> float | None:
    value = row.get(column.name)
    return None if value is None or (column.is_of_generators and not value) else float(value)


def _text(column: Column, value: float | None) -> str:
    return "-" if value is None else f"{value:,.{column.digits}f}"


def _best_lines(column: Column, values: Sequence[float | None]) -> list[int]:
    known = [value for value in values if value is not None]
    if column.better == "neither" or len(known) < 2:
        return []
    if len({_text(column, value) for value in known}) == 1:
        return []  # all equal: nothing stands out
    best = _text(column, min(known) if column.better == "less" else max(known))
    return [line for line, value in enumerate(values) if value is not None and _text(column, value) == best]
