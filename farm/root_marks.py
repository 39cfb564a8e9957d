"""A mark in every root, so that a share that is not mounted is not taken for an empty one.

The folder a share is mounted on exists without it, and takes files: frames written there are hidden by the next mount.
So each root carries `.farm-root` with a random id. The head remembers the id that it saw first, and workers look for
it before each file they publish. A root that cannot be written needs no mark.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically
from farm.errors import ShareGoneError
from farm.roots import MARK_NAME, Roots, mark_of

_KNOWN_NAME = "roots.json"


def marked_roots(roots: Roots, *, state_folder: Path) -> Roots:
    """Return the roots with their marks, made where a root is new to this head.

    Args:
        roots: As the command line names them.
        state_folder: Keeps the marks by folder in `roots.json`.

    Raises:
        ShareGoneError: A root had a mark and has none now, or another one.
    """
    path = state_folder / _KNOWN_NAME
    known: dict[str, str] = read_json(path) if path.exists() else {}
    marks = {name: _mark_in(folder, known, where=path) for name, folder in roots.folders.items()}
    seen = {str(roots.folders[name]): mark for name, mark in marks.items() if mark}
    if known | seen != known:
        write_bytes_atomically(path, canonical_json(known | seen))
    return replace(roots, marks={name: mark for name, mark in marks.items() if mark})


def _mark_in(folder: Path, known: Mapping[str, str], *, where: Path) -> str:
    """Return a root's mark, empty where none can be made."""
    standing, expected = mark_of(folder), known.get(str(folder))
    if expected is not None and standing != expected:
        raise ShareGoneError(
            f"is not the share it was: {MARK_NAME} is {'another' if standing else 'missing'}",
            where=folder,
            remedy=f"Mount the share; where another one is meant, remove its line from {where}",
        )
    return standing or _made_mark(folder)


def _made_mark(folder: Path) -> str:
    mark = secrets.token_hex(16)
    try:
        write_bytes_atomically(folder / MARK_NAME, mark.encode())
    except DataError:  # a share that is only read
        return ""
    return mark
