"""Jobs that the farm itself keeps back, and the watch that lets them go on when what kept them has passed.

A full disk, a vanished share and a damaged input are no frame's fault, and trying again at once would fail again. Such
a job is paused with the reason in words; whoever resumes it by hand overrules the hold.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dvp_core.data.errors import DataError
from dvp_core.pipeline.render_frames import frame_path
from farm.errors import ConflictError, ShareGoneError
from farm.roots import Roots
from farm.settlement import change_job, last_line
from farm.tasks import FailureKind

if TYPE_CHECKING:
    from farm.ledger import Ledger

_REASONS = {
    "disk_full": "the disk is full, goes on when there is room",
    "share_gone": "a share is gone, goes on when it is back",
    "bad_input": "an input cannot be used, goes on when it is mended",
}
HOLDING = frozenset(_REASONS)
_SPARE_ROOM = 1.2
_UNKNOWN_FRAME_BYTES = 1 << 20
_SAMPLED_FRAMES = 20
_TRY_AGAIN_S = 60.0
"""An input is tried again that often, even if nobody was seen mending it."""


def hold(
    database: sqlite3.Connection, job_id: str, kind: FailureKind, *, path: str, message: str, now_s: float
) -> None:
    """Pause a job that is queued or active until a failure's cause has passed."""
    state = database.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()["state"]
    if state in ("queued", "active"):
        reason = f"paused, {_REASONS[kind]}: {last_line(message)}"
        change_job(database, job_id, "paused", now_s=now_s, message=reason)
        database.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?)", (job_id, kind, path))
        database.execute(
            "INSERT INTO logs (job_id, at_s, text) VALUES (?, ?, ?)", (job_id, now_s, f"{reason}\n{message}")
        )


def forget_hold(database: sqlite3.Connection, job_id: str) -> None:
    """Leave it to the users when a job goes on."""
    database.execute("DELETE FROM holds WHERE job_id = ?", (job_id,))


@dataclass
class HoldWatch:
    """Looks every now and then whether what holds a job has passed.

    Attributes:
        ledger: Where holds stand.
        roots: The folders that jobs name.
        every_s: Seconds between two looks.
        clock: Monotonic.
    """

    ledger: Ledger
    roots: Roots
    every_s: float
    clock: Callable[[], float] = time.monotonic
    _looked_s: float = field(init=False)
    _inputs: dict[str, tuple[float, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._looked_s = self.clock()

    def step(self) -> None:
        """Resume the jobs whose hold has passed, where it is time to look."""
        if self.clock() - self._looked_s < self.every_s:
            return
        self._looked_s = self.clock()
        for row in self.ledger.rows("SELECT job_id, kind, path FROM holds"):
            if self._has_passed(row["job_id"], row["kind"], row["path"]):
                self._inputs.pop(row["job_id"], None)
                with suppress(ConflictError):  # a user was faster
                    self.ledger.act(row["job_id"], "resume")
                    self.ledger.log(row["job_id"], "goes on: what it waited for has passed")

    def _has_passed(self, job_id: str, kind: str, path: str) -> bool:
        try:
            self.roots.check_shares()
            output = self.roots.resolve(self.ledger.job(job_id).output)
        except (ShareGoneError, DataError):
            return False
        if kind == "disk_full":
            return free_bytes(output.parent) >= self._needed_bytes(job_id, output)
        return kind != "bad_input" or self._has_changed(job_id, Path(path))

    def _needed_bytes(self, job_id: str, output: Path) -> int:
        """Return the room for a job's open frames, judged by its finished ones."""
        finished = self.ledger.finished_frames(job_id)
        paths = [frame_path(output, item.frame) for item in finished[:_SAMPLED_FRAMES]]
        sizes = [path.stat().st_size for path in paths if path.exists()] or [_UNKNOWN_FRAME_BYTES]
        open_count = len(self.ledger.job(job_id).frame_range) - len(finished)
        return int(_SPARE_ROOM * max(open_count, 1) * sum(sizes) / len(sizes))

    def _has_changed(self, job_id: str, path: Path) -> bool:
        seen_s, stamp = self._inputs.setdefault(job_id, (self.clock(), _stamp(path)))
        return _stamp(path) != stamp or self.clock() - seen_s > _TRY_AGAIN_S


def free_bytes(folder: Path) -> int:
    """Return the room on the disk of a folder, which need not exist yet."""
    standing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(standing).free


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
