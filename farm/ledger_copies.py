"""What brings a damaged or vanished ledger back: a copy of it every few minutes, and each job as it was submitted.

The frames are their own record: a frame that neither knows of is found by its key when its chunk runs, and is taken
over without being rendered. What users asked for since the last copy (a pause, a cancel) is forgotten.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from dvp_core.data.errand import any_job_from_dict
from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json, write_atomically
from farm.errors import LedgerDamagedError
from farm.ledger import Ledger
from farm.ledger_file import SIDE_FILES, SubmittedJob, job_folder

COPY_NAME = "ledger.copy.sqlite"


def open_ledger(path: Path, *, clock: Callable[[], float]) -> Ledger:
    """Return the ledger, brought back from its copy and the submitted jobs where its file is damaged or gone.

    A damaged file is moved aside, never changed.

    Args:
        path: The SQLite file.
        clock: See `Ledger`.

    Raises:
        DataError: Another head holds it, or it cannot be written.
    """
    try:
        ledger = Ledger(path, clock=clock)
    except LedgerDamagedError as error:
        ledger = _brought_back(path, clock, reason=str(error))
    for submitted in _submitted_jobs(path):
        if not ledger.rows("SELECT 1 FROM jobs WHERE id = ?", submitted.job.id):
            with suppress(DataError):  # a newer job writes to that place, or one that it needs is forgotten
                ledger.submit(submitted.job, owner=submitted.owner)
                ledger.log(submitted.job.id, "submitted again from its file: the ledger had lost it")
    return ledger


def _brought_back(path: Path, clock: Callable[[], float], *, reason: str) -> Ledger:
    aside = move_aside(path)
    copy = path.with_name(COPY_NAME)
    if copy.exists():
        write_atomically(path, lambda temporary: _copy_file(copy, temporary))
        path.chmod(0o600)
    try:
        ledger = Ledger(path, clock=clock)
    except LedgerDamagedError:
        move_aside(path)
        ledger = Ledger(path, clock=clock)
    for row in ledger.rows("SELECT id FROM jobs WHERE state IN ('queued', 'active', 'paused')"):
        ledger.log(row["id"], f"taken from a copy of the ledger; the damaged file is {aside.name} ({reason})")
    return ledger


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def move_aside(path: Path) -> Path:
    """Move a ledger's file, with those that SQLite keeps beside it, to a free name and return that."""
    number = 1
    while path.with_name(f"{path.name}.damaged-{number}").exists():
        number += 1
    aside = path.with_name(f"{path.name}.damaged-{number}")
    for ending in ("", *SIDE_FILES):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def _submitted_jobs(ledger_path: Path) -> list[SubmittedJob]:
    """Return the jobs that were ever submitted, oldest first; of several to one place the newest alone."""
    found = sorted(_readable_jobs(job_folder(ledger_path)), key=lambda submitted: submitted.submitted_s)
    newest = {submitted.job.output: submitted for submitted in found}
    return [submitted for submitted in found if newest[submitted.job.output] is submitted]


def _readable_jobs(folder: Path) -> Iterator[SubmittedJob]:
    for path in sorted(folder.glob("*.json")):
        with suppress(DataError, KeyError, TypeError):  # a damaged one is a job lost, not a farm
            content = read_json(path)
            yield SubmittedJob(any_job_from_dict(content["job"]), str(content["owner"]), float(content["submitted_s"]))


class LedgerCopier:
    """Makes a copy of a ledger every few minutes, where it has changed.

    Args:
        ledger: The open one.
        every_s: Seconds between copies.
        clock: Monotonic.
    """

    def __init__(self, ledger: Ledger, *, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._every_s = every_s
        self._clock = clock
        self._copied_s = clock()
        self._change_count = -1

    def step(self) -> None:
        """Make a copy where it is time.

        Raises:
            LedgerDamagedError: The ledger itself has become damaged; its last copy is left as it is.
        """
        if self._clock() - self._copied_s < self._every_s:
            return
        self._copied_s = self._clock()
        if self._ledger.change_count != self._change_count:
            self._change_count = self._ledger.change_count
            self._ledger.copy_to(self._ledger.path.with_name(COPY_NAME))
