"""The one error that users see: what is wrong, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path


class DataError(Exception):
    """Bad input from outside the program: a file, a field or an argument.

    Everything that reads users' data raises this and nothing else, so that the command line, the farm and
    Blender can print one clear sentence instead of a traceback.

    Args:
        what: What is wrong, with the offending value.
        where: The file, field or argument in which it stands.
        remedy: What the user can do.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, remedy: str | None = None) -> None:
        self.what = what.rstrip(".")
        self.where = None if where is None else str(where)
        self.remedy = None if remedy is None else remedy.rstrip(".")
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        head = f"{self.where}: {self.what}." if self.where else f"{self.what}."
        return f"{head} {self.remedy}." if self.remedy else head

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between processes with the keyword arguments intact."""
        return (_rebuild, (self.what, self.where, self.remedy))


def _rebuild(what: str, where: str | None, remedy: str | None) -> DataError:
    return DataError(what, where=where, remedy=remedy)
