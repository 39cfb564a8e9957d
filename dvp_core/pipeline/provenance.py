"""Asking an output where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dvp_core.trust import Verdict, verify


def judge(path: Path | str, *, trusted_roots: Sequence[Path | str] = ()) -> Verdict:
    """Return the verdict on a movie, still, frame or sequence, offline; see `dvp_core.trust.verify`."""
    return verify(path, trusted_roots=trusted_roots)
