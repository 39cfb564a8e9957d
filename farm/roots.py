"""Paths as `root:relative`, so that Windows, macOS and Linux map the roots they know, and nothing reaches outside them.

A path of a job is data from elsewhere. It is refused by its spelling first, then resolved with its symbolic links, and
only what still lies inside its root is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dvp_core.data.errors import DataError
from farm.errors import ShareGoneError

MARK_NAME = ".farm-root"
_LONGEST_MARK_BYTES = 200
_ROOT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LONGEST_PATH = 1024
_LONGEST_NAME_BYTES = 255


@dataclass(frozen=True)
class Roots:
    """The folders this machine knows by name.

    Attributes:
        folders: By name.
        marks: What `.farm-root` must hold in those that have one, see `root_marks`.
    """

    folders: Mapping[str, Path] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, entries: list[str]) -> Self:
        """Return the roots named by `name=folder` entries, as the command line gives them."""
        folders: dict[str, Path] = {}
        for entry in entries:
            name, equals, folder = entry.partition("=")
            if not equals or not _ROOT_NAME.fullmatch(name):
                raise DataError(
                    f"{entry!r} is not a root",
                    remedy="write --root name=/folder, the name in lower-case letters, digits, - and _",
                )
            if not Path(folder).is_dir():
                raise DataError(f"the root {name!r} is not a folder", where=folder, remedy="make the folder first")
            folders[name] = Path(folder).resolve()
        return cls(folders)

    def resolve(self, text: str) -> Path:
        """Return the local path of `root:relative`; `DataError` for anything that is not inside its root."""
        name, relative = split_root(text)
        if name not in self.folders:
            known = ", ".join(sorted(self.folders)) or "none"
            raise DataError(f"the root {name!r} is not known here (known: {known})", where=text)
        root = self.folders[name].resolve()
        try:
            path = (root / relative).resolve()
        except (OSError, RuntimeError) as error:  # a loop of symbolic links, say
            raise DataError(f"the path cannot be followed ({error})", where=text) from error
        if path != root and root not in path.parents:
            raise DataError("the path leaves its root through a symbolic link", where=text)
        return path

    def check_share(self, text: str) -> None:
        """Raise `ShareGoneError` where the root of `root:relative` is not the share that it was."""
        self._check_mark(split_root(text)[0])

    def check_shares(self) -> None:
        """Raise `ShareGoneError` where any root is not the share that it was."""
        for name in self.marks:
            self._check_mark(name)

    def _check_mark(self, name: str) -> None:
        expected = self.marks.get(name)
        if expected is not None and mark_of(self.folders[name]) != expected:
            raise ShareGoneError(
                f"the share is gone: {MARK_NAME} is not what it was", where=self.folders[name], remedy="Mount it again"
            )

    def name(self, path: Path | str) -> str:
        """Return `root:relative` of a local path, under the deepest root that holds it."""
        resolved = Path(os.path.abspath(path))
        real = resolved.resolve()
        best: tuple[int, str] | None = None
        for name, folder in self.folders.items():
            if real.is_relative_to(folder.resolve()):
                relative = real.relative_to(folder.resolve()).as_posix()
                depth = len(folder.resolve().parts)
                best = max(best or (0, ""), (depth, f"{name}:{relative}"))
        if best is None:
            raise DataError(
                "the path lies in none of the farm's roots",
                where=str(path),
                remedy=f"use a folder under one of: {', '.join(str(f) for f in self.folders.values()) or 'none'}",
            )
        return best[1]


def mark_of(folder: Path) -> str:
    """Return what marks a root as the share it is; empty where there is no mark, or no share that answers."""
    try:
        with open(folder / MARK_NAME, "rb") as stream:
            return stream.read(_LONGEST_MARK_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


def split_root(text: str) -> tuple[str, str]:
    """Return the root's name and the relative part of `root:relative`, refusing every spelling that could escape."""
    name, colon, relative = text.partition(":")
    if not colon or not _ROOT_NAME.fullmatch(name) or len(name) == 1:
        raise DataError("the path is not of the form root:relative", where=text[:_LONGEST_PATH])
    problem = _problem_of(relative)
    if problem:
        raise DataError(f"the path {problem}", where=text[:_LONGEST_PATH])
    return name, relative


def _problem_of(relative: str) -> str | None:
    """Return what makes a relative path unsafe, or None."""
    sizes = [len(part.encode(errors="surrogatepass")) for part in relative.split("/")]
    if not relative or len(relative) > _LONGEST_PATH or max(sizes) > _LONGEST_NAME_BYTES:
        return "is empty or too long"
    if any(ord(letter) < 32 for letter in relative) or "\\" in relative or ":" in relative:
        return "holds a control letter, a backslash or a colon"
    if relative.startswith("/"):
        return "is absolute"
    if ".." in relative.split("/"):
        return "holds '..'"
    return None
