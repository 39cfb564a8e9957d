"""`dvp farm doctor`; `dvp doctor` calls it too."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import tyro

from dvp_core.data.errors import DataError
from farm.client import FarmClient, FarmError, connect, default_state_folder, read_connection
from farm.command_line import OWN_HEAD, Reach, say
from farm.doctor import examine_site


def doctor(
    *,
    root: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    state: Path | None = None,
    reach: Reach = OWN_HEAD,
) -> dict[str, Any]:
    """Check a farm's site: roots, space, clocks, ledger, generators, Ray, and whether the head answers.

    Args:
        root: A folder that jobs may name, as name=/folder; those of the last head where none is given.
        state: The head's state folder.
        reach: Where the head is.
    """
    folder = state or default_state_folder()
    connection = reach.connection or folder / "connection.json"
    known = read_connection(connection).get("roots", {})
    roots = dict(_named(entry) for entry in root) or {name: Path(path) for name, path in known.items()}
    findings = examine_site(roots, folder, _client(reach, connection))
    for finding in findings:
        remedy = f" - {finding.remedy}" if finding.remedy else ""
        say(f"{finding.verdict:<5}{finding.name}: {finding.detail}{remedy}")
    is_ready = all(finding.verdict != "bad" for finding in findings)
    return {"ready": is_ready, "findings": [asdict(item) for item in findings], "exit_code": 0 if is_ready else 1}


def _named(entry: str) -> tuple[str, Path]:
    name, _, folder = entry.partition("=")
    if not name or not folder:
        raise DataError(f"{entry!r} is not a root", remedy="write --root name=/folder")
    return name, Path(folder)


def _client(reach: Reach, connection: Path) -> FarmClient | FarmError:
    try:
        return connect(url=reach.url, connection=connection, ca=reach.ca)
    except FarmError as error:
        return error
