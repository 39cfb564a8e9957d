"""Runs a part of the program in a process of its own and passes its progress on.

Blender and Ray change a process for good (signals, memory, exit); the pipeline starts them as children that tell their
progress as JSON lines on standard error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.progress import Progress, no_progress

PROGRESS_VARIABLE = "DVP_PROGRESS"
PROGRESS_AS_JSON = "json"
_KEPT_LINES = 30


def progress_line(stage: str, done: int, total: int) -> str:
    """Return the line by which a child tells its progress."""
    return json.dumps({"stage": stage, "done": done, "total": total}) + "\n"


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    progress: Progress = no_progress,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run `python -m module` to its end and return the JSON object it printed last on standard output.

    Args:
        module: Module to run.
        arguments: Its arguments.
        progress: Told what the child tells.
        environment: Variables added to this process's.

    Raises:
        DataError: The child failed; the error holds its last words.
    """
    variables = {**os.environ, PROGRESS_VARIABLE: PROGRESS_AS_JSON, "PYTHONUNBUFFERED": "1", **(environment or {})}
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
    )
    last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
    result: dict[str, Any] = {}
    try:
        for line in child.stdout or ():
            spoken = _as_object(line)
            if spoken is None:
                last_lines.append(line.rstrip())
            elif {"stage", "done", "total"} == set(spoken):
                progress(str(spoken["stage"]), int(spoken["done"]), int(spoken["total"]))
            else:
                result = spoken
        code = child.wait()
    finally:
        _end(child)
    if code != 0:
        raise DataError(_reason(result, last_lines), where=f"{module} {arguments[0] if arguments else ''}".strip())
    return result


def _as_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _reason(result: Mapping[str, Any], last_lines: Sequence[str]) -> str:
    if "error" in result:
        return str(result["error"])
    errors = [line.removeprefix("error: ") for line in last_lines if line.startswith("error: ")]
    return errors[-1] if errors else "failed: " + " | ".join(list(last_lines)[-5:])


def _end(child: subprocess.Popen[str]) -> None:
    """Stop a child that still runs because its reader was interrupted, and let go of its output."""
    if child.stdout is not None:
        child.stdout.close()
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
