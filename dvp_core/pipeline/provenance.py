"""Asking an output where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dvp_core.trust import MarkSearch, Verdict, verify


def judge(
    path: Path | str, *, trusted_roots: Sequence[Path | str] = (), watermark: MarkSearch | Literal["auto"] = "no"
) -> Verdict:
    """Return the verdict on a movie, still, frame or sequence, offline; see `dvp_core.trust.verify`.

    Args:
        path: What is to be judged.
        trusted_roots: PEM files with root certificates to trust besides this installation's own.
        watermark: How the invisible mark is looked for; "auto" searches for it where there is no label.
    """
    if watermark != "auto":
        return verify(path, trusted_roots=trusted_roots, watermark=watermark)
    verdict = verify(path, trusted_roots=trusted_roots)
    return verify(path, trusted_roots=trusted_roots, watermark="search") if verdict.state == "no label" else verdict
