"""`dvp doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dvp_core.pipeline.doctor import examine


def doctor() -> dict[str, Any]:
    """Check this machine: packages, weights, Blender, GPU, signing keys, disk."""
    findings = examine()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for finding in findings:
        mark = "ok" if finding.is_fine else ("MISSING" if finding.is_needed else "-")
        table.add_row(mark, escape(finding.name), escape(finding.detail))
    Console(stderr=True, highlight=False).print(table)
    is_ready = all(finding.is_fine for finding in findings if finding.is_needed)
    return {"ready": is_ready, "findings": [asdict(item) for item in findings], "exit_code": 0 if is_ready else 1}
