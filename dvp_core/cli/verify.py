"""`dvp verify`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from dvp_core.cli.arguments import Input
from dvp_core.pipeline.provenance import judge


def verify(
    path: Input, *, trust: tuple[Path, ...] = (), watermark: Literal["auto", "no", "plain", "search"] = "auto"
) -> dict[str, Any]:
    """Say where a picture, sequence or movie comes from, and whether it was changed.

    Exit codes: 0 signed and known, 1 intact but unknown signer, 2 no label, 3 altered, 4 unreadable, 5 contradicts
    itself, 64 wrong call.

    Args:
        path: A movie, a picture, a folder of frames, or a `####` pattern.
        trust: Root certificates (PEM) to trust besides this machine's own.
        watermark: How this studio's invisible mark is looked for in movies and sequences: at its own place (plain),
            or at other sizes and places too (search); auto searches where there is no label. It decides no exit code.
    """
    verdict = judge(path, trusted_roots=trust, watermark=watermark)
    sys.stderr.write(verdict.as_text() + "\n")
    return {**verdict.as_json(), "exit_code": verdict.code}
