"""Text tables of numbers, read by the names in their first line and never by position."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import open_for_reading

LIMIT_BYTES = 512 << 20
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-"}


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: Where it comes from.
        names: Names of the columns.
        rows: Cells, as many a row as there are names; "" where a row is short.
        line_numbers: The file's line of each row, for messages.
        has_decimal_comma: Whether 0,5 is a half.
    """

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line_numbers: tuple[int, ...]
    has_decimal_comma: bool = False

    def text(self, name: str) -> list[str]:
        """Return a column's cells."""
        column = self.names.index(name)
        return [row[column].strip() for row in self.rows]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column (S,) as float64, NaN where a cell is empty.

        Raises:
            DataError: A cell holds something else.
        """
        cells = self.text(name)
        try:
            values = np.array(cells, dtype=np.float64)  # the usual case, at once
        except ValueError:
            values = np.array([self._number(text, name, row) for row, text in enumerate(cells)], dtype=np.float64)
        return np.where(np.isfinite(values), values, np.nan)

    def numbers_or_none(self, name: str) -> np.ndarray | None:
        """Return a column as `numbers` does, None where no cell of it is a number."""
        if any(self._is_number(text) for text in self.text(name)):
            return self.numbers(name)
        return None

    def _is_number(self, text: str) -> bool:
        try:
            float(text.replace(",", ".") if self.has_decimal_comma else text)
        except ValueError:
            return False
        return True

    def _number(self, text: str, name: str, row: int) -> float:
        if text.lower() in _MISSING:
            return np.nan
        try:
            return float(text.replace(",", ".") if self.has_decimal_comma else text)
        except ValueError as error:
            raise DataError(
                f"column '{name}' holds '{text[:40]}' in line {self.line_numbers[row]}, expected a number",
                where=self.path,
            ) from error


def read_table(path: Path | str, *, names: tuple[str, ...] | None = None) -> Table:
    """Read a table separated by commas, semicolons, tabs or, where the first line has none of these, spaces.

    Args:
        path: The file, in UTF-8.
        names: Names of the columns, for a file whose first line is data already.

    Raises:
        DataError: No such file, too large, not text, a name twice, or a row longer than the names.
    """
    lines = _text_of(Path(path)).splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise DataError("is empty", where=path)
    delimiter = max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else " "
    try:
        reader = csv.reader((line.strip(" ") for line in lines), delimiter=delimiter, skipinitialspace=True)
        cells = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"is no table ({error})", where=path) from error
    header = [name.strip() for name in cells[0][1]] if names is None else list(names)
    while names is None and header and not header[-1]:
        header.pop()
    _check_header(header, path)
    body = cells[1:] if names is None else cells
    return Table(
        path=Path(path),
        names=tuple(header),
        rows=tuple(_filled(row, len(header), line, path) for line, row in body),
        line_numbers=tuple(line for line, _ in body),
        has_decimal_comma=delimiter == ";",
    )


def _text_of(path: Path) -> str:
    with open_for_reading(path) as stream:
        content = stream.read(LIMIT_BYTES + 1)
    if len(content) > LIMIT_BYTES:
        raise DataError("is larger than 512 MiB", where=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("is no text in UTF-8", where=path, remedy="Save it as CSV in UTF-8") from error


def _check_header(header: list[str], path: Path | str) -> None:
    spelled = [name.lower() for name in header if name]
    if twice := sorted({name for name in spelled if spelled.count(name) > 1}):
        raise DataError(f"has two columns named '{twice[0]}'", where=path)


def _filled(row: list[str], count: int, line: int, path: Path | str) -> tuple[str, ...]:
    if any(cell.strip() for cell in row[count:]):
        raise DataError(f"has {len(row)} cells in line {line}, but {count} columns", where=path)
    return tuple(row[:count]) + ("",) * (count - len(row))
