"""Praat's TextGrid as text, long and short form: tiers of labelled intervals.

Both forms hold the same values in the same order; the long one adds words that are no values. So only free-standing
numbers, quoted texts and flags are read (Praat's manual, "TextGrid file formats").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.errors import DataError

MOST_BYTES = 64 << 20
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)|<(exists|absent)>')
_REMEDY = "Save it in Praat as a text file or as a short text file"


@dataclass(frozen=True)
class Tier:
    """Labelled intervals: name, and (begin, end, label) of each, in seconds."""

    name: str
    intervals: tuple[tuple[float, float, str], ...]


def read_text_grid(path: Path | str) -> tuple[Tier, ...]:
    """Return the tiers of intervals in the file's order; tiers of points are passed over.

    Raises:
        DataError: No such file, another kind of file, or one that ends early.
    """
    values = _values(decoded(path))
    try:
        if [next(values, None), next(values, None)] != ['"ooTextFile', '"TextGrid']:
            raise DataError("is no TextGrid in text form", where=path, remedy=_REMEDY)
        _span(values)
        if next(values) != "<exists>":
            return ()
        tiers = [_tier(values) for _ in range(int(_number(values)))]
    except (StopIteration, ValueError) as error:
        raise DataError("ends early or is damaged", where=path, remedy=_REMEDY) from error
    return tuple(tier for tier in tiers if tier is not None)


def decoded(path: Path | str) -> str:
    """Return a text file's content: UTF-8, or UTF-16 where its first bytes say so.

    Raises:
        DataError: No such file, too large, or other bytes.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=path, remedy="Check the path") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"is larger than {MOST_BYTES >> 20} MiB", where=path)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"is no text in {encoding.upper()}", where=path, remedy="Save it as UTF-8") from error


def _values(text: str) -> Iterator[str]:
    """Yield values in order; a text begins with a quotation mark, so that it is never taken for a number."""
    for match in _VALUE.finditer(text):
        label, number, flag = match.groups()
        if flag is not None:
            yield f"<{flag}>"
        else:
            yield number if label is None else '"' + label.replace('""', '"')


def _tier(values: Iterator[str]) -> Tier | None:
    kind, name = _text(values), _text(values)
    _span(values)
    count = int(_number(values))
    if kind == "TextTier":
        for _ in range(count):
            _point(values)
        return None
    if kind != "IntervalTier":
        raise ValueError(kind)
    intervals = [(_number(values), _number(values), _text(values)) for _ in range(count)]
    return Tier(name, tuple(intervals))


def _span(values: Iterator[str]) -> tuple[float, float]:
    return _number(values), _number(values)


def _point(values: Iterator[str]) -> tuple[float, str]:
    return _number(values), _text(values)


def _number(values: Iterator[str]) -> float:
    return float(next(values))


def _text(values: Iterator[str]) -> str:
    value = next(values)
    if not value.startswith('"'):
        raise ValueError(value)
    return value[1:]
