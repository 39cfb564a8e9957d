"""`dvp consent`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.consent import record_consent, show_consent


def new(*, clip: Path, use: str, output: Output, subject: str | None = None, project: str = "") -> dict[str, Any]:
    """Record a person's consent for one clip and use.

    Args:
        clip: The clip that the consent is for.
        use: What may be made of it, in plain words.
        output: The record to write.
        subject: Pseudonym of the person; the record must not hold names.
        project: What it is for.
    """
    record = record_consent(clip, use, output, subject=subject, project=project)
    return {"consent": str(output), "sha256": record.sha256, "not_after": record.not_after}


def show(record: Input) -> dict[str, Any]:
    """Show a consent record, after checking its signature.

    Args:
        record: The record.
    """
    content = show_consent(record)
    lines = {"sha256": content.sha256} | {k: v for k, v in asdict(content).items() if k not in _LONG}
    for name, value in lines.items():
        sys.stderr.write(f"{name:<20} {', '.join(value) if isinstance(value, tuple) else value}\n")
    return lines


_LONG = ("certificate", "signature")
