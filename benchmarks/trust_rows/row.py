"""What a row of the table is, and where it is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scene:
    """Where the rows are measured.

    Attributes:
        folder: A folder of their own; signing keys lie in it, and `DVP_KEYS` names them.
        clips: Folder of real clips for the watermark, or None.
        every: Of the bytes that V2 turns over, each how many-th is taken; 1 takes all.
        clip_count: How many clips the watermark is tried on.
        key_count: How many secrets are tried on unmarked clips.
    """

    folder: Path
    clips: Path | None = None
    every: int = 1
    clip_count: int = 20
    key_count: int = 1000

    def new_folder(self, name: str) -> Path:
        """Return a new, empty folder."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True)
class Finding:
    """What was measured.

    Attributes:
        measured: Figures, as plain values.
        holds: Whether they are what is demanded; None where nothing can be measured here.
        reason: Why not, in plain words.
    """

    measured: Any
    holds: bool | None
    reason: str | None = None


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    id: str
    demanded: str
    measure: Callable[[Scene], Finding]


def missing(reason: str) -> Callable[[Scene], Finding]:
    """Return the measure of what does not exist: it does not hold."""
    return lambda scene: Finding(None, False, reason)


def without_subjects(reason: str) -> Callable[[Scene], Finding]:
    """Return the measure of what cannot be measured here."""
    return lambda scene: Finding(None, None, reason)


def judged(measured: Any, holds: bool, reason: str) -> Finding:
    """Return a finding whose reason is given only where it does not hold."""
    return Finding(measured, holds, None if holds else reason)


def python_words(code: str, *words: object) -> list[str]:
    """Return the command that runs a piece of Python in a process of its own."""
    return [sys.executable, "-c", code, *map(str, words)]


def child_environment() -> dict[str, str]:
    """Return this process's environment with the project's root among the places to import from."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run_python(code: str, *words: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own and return what it said."""
    command = [*prefix, *python_words(code, *words)]
    return subprocess.run(
        command, cwd=ROOT, env=child_environment(), capture_output=True, text=True, timeout=600, check=False
    )
