"""`dvp doctor`."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import entry_points
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dvp_core.pipeline.doctor import examine


def doctor() -> dict[str, Any]:
    """Check this machine: packages, weights, Blender, GPU, signing keys, disk; then the site of its farm."""
    findings = examine()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for finding in findings:
        mark = "ok" if finding.is_fine else ("MISSING" if finding.is_needed else "-")
        table.add_row(mark, escape(finding.name), escape(finding.detail))
    Console(stderr=True, highlight=False).print(table)
    is_ready = all(finding.is_fine for finding in findings if finding.is_needed)
    groups = _groups()
    is_ready = is_ready and all(group["ready"] for group in groups.values())
    own = [asdict(item) for item in findings]
    return {"ready": is_ready, "findings": own, **groups, "exit_code": 0 if is_ready else 1}


def _groups() -> dict[str, dict[str, Any]]:
    """Return what the doctors of other groups of commands say; the farm has one."""
    commands = {point.name: point.load() for point in entry_points(group="dvp.commands")}
    told = {name: functions["doctor"]() for name, functions in commands.items() if "doctor" in functions}
    return {name: {"ready": found["ready"], "findings": found["findings"]} for name, found in told.items()}
