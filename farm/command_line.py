"""What the commands of `dvp farm` share: how a head is reached, what is said, and how a job is watched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from farm.client import FarmClient, FarmError, connect
from farm.errors import UnreachableError


@dataclass(frozen=True)
class Reach:
    """Where the head is.

    Attributes:
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
        ca: Certificates (PEM) that the head's must lead to; the connection file's where not given.
    """

    url: str | None = None
    connection: Path | None = None
    ca: Path | None = None


OWN_HEAD = Reach()
"""The head of this user on this machine, or the one that the environment names."""


@contextmanager
def reached_head(reach: Reach) -> Iterator[FarmClient]:
    """Give a client, and turn its refusals into the one error that `dvp` prints.

    Raises:
        UnreachableError: No head answers, or none is known.
        DataError: The head refused.
    """
    try:
        yield connect(url=reach.url, connection=reach.connection, ca=reach.ca)
    except FarmError as error:
        kind = UnreachableError if error.status is None else DataError
        raise kind(str(error)) from error


def say(text: str) -> None:
    """Tell the user a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def line_of(report: dict[str, Any]) -> str:
    """Return a job's report in one line."""
    done = report["frames"].get("completed", 0)
    left = "" if report["seconds_left"] is None else f", {report['seconds_left']:.0f} s left"
    message = f" - {report['message']}" if report["message"] else ""
    frames = f"{done}/{report['frame_count']} frames{_plan_text(report)}" if report["frame_count"] else _stage(report)
    return f"{report['id']}  {report['state']}  {frames}{left}{message}"


def _stage(report: dict[str, Any]) -> str:
    progress = report["progress"]
    return f"{progress['stage']} {progress['done']}/{progress['total']}" if progress else report["task"]


def _plan_text(report: dict[str, Any]) -> str:
    planned = report["planned"]
    return f" ({planned['to_render']} to render, {planned['kept']} kept)" if planned and planned["kept"] else ""


def watched(client: FarmClient, job: str) -> dict[str, Any]:
    """Stay until a job has ended, saying what changes; return its report, with exit code 1 unless it completed."""
    report: dict[str, Any] = {}
    said = ""
    for report in client.watch(job):
        if line_of(report) != said:
            said = line_of(report)
            say(said)
    return report | {"exit_code": 0 if report["state"] == "completed" else 1}
