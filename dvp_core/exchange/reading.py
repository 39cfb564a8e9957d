"""The one door for recordings: which reader a file is for."""

from __future__ import annotations

from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays
from dvp_core.exchange.coefficients import NO_NAME, read_coefficient_arrays, table_performance
from dvp_core.exchange.live_link import is_live_link, live_link_performance
from dvp_core.exchange.mediapipe_scores import read_mediapipe_scores
from dvp_core.exchange.performance import Reading, ReadingOptions
from dvp_core.exchange.table import read_table

TABLES = (".csv", ".tsv", ".txt")


def read_performance(path: Path | str, options: ReadingOptions | None = None) -> Reading:
    """Read a recording: a Live Link Face CSV, another table with named columns, or an `.npz` of scores or coefficients.

    Raises:
        DataError: No such file, or one that no reader knows.
    """
    try:
        return _read(path, options or ReadingOptions())
    except DataError as error:
        raise DataError(error.what, where=error.where or path, remedy=error.remedy) from error


def _read(path: Path | str, given: ReadingOptions) -> Reading:
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        arrays = read_arrays(path)
        if "blendshapes" in arrays:
            return read_mediapipe_scores(path, given)
        if "coefficients" in arrays:
            return read_coefficient_arrays(path, given)
        raise DataError(
            f"holds neither 'blendshapes' nor 'coefficients' (it has: {', '.join(sorted(arrays)) or 'nothing'})",
            where=path,
            remedy="docs/exchange.md lists the arrays that are read",
        )
    if suffix not in TABLES:
        raise DataError(
            f"has the ending '{suffix}', which no reader knows",
            where=path,
            remedy="Give a .csv, .tsv, .txt or .npz",
        )
    names = None if given.names is None else _distinct(given.names)
    table = read_table(path, names=names)
    return live_link_performance(table, given) if is_live_link(table) else table_performance(table, given)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names with "" for columns that are not wanted."""
    return tuple("" if name == NO_NAME else name for name in names)
