"""What the page shows: jobs at a glance, a job's frames as runs of states, one frame's attempts, lines of the log.

Plain JSON objects read from the ledger, small enough to be asked for every second or two even where a job has a
hundred thousand frames. Times are seconds since 1970; what depends on the present is left to whoever reads them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import median
from typing import Any, get_args

from dvp_core.data.frame_range import FrameRange
from farm.errors import UnknownJobError
from farm.ledger_view import LedgerView
from farm.states import FrameState

FRAME_STATES: tuple[str, ...] = get_args(FrameState)
PLOT_POINTS = 160
_NEWEST_ATTEMPTS = 8
_SHORT_TEXT = 2000
# Both walk the frames once in the shot's order inside SQLite, which lets other threads run meanwhile.
_RUN_STARTS = """
SELECT place, state FROM (
    SELECT state, ROW_NUMBER() OVER shot - 1 AS place, LAG(state) OVER shot AS before FROM frames
    WHERE job_id = ? WINDOW shot AS (ORDER BY frame)
) WHERE before IS NULL OR before <> state ORDER BY place
"""
_SECONDS = """
SELECT MIN(frame), MAX(frame), AVG(seconds), MIN(seconds), MAX(seconds) FROM (
    SELECT frame, seconds, ROW_NUMBER() OVER (ORDER BY frame) - 1 AS place FROM frames
    WHERE job_id = ? AND +state = 'completed' AND seconds > 0
) GROUP BY place / ? ORDER BY 1
"""
_JOBS = "SELECT id, content, state, message, priority, owner, submitted_s, started_s, ended_s FROM jobs"


def overview(view: LedgerView, *, limit: int) -> dict[str, Any]:
    """Return the newest jobs and what every worker has in hand."""
    rows = view.rows(f"{_JOBS} ORDER BY sequence DESC LIMIT ?", limit)
    return {"jobs": [_job_line(view, row) for row in rows], "orders": _orders(view)}


def job_page(view: LedgerView, job_id: str) -> dict[str, Any]:
    """Return one job with its frames.

    Of the frames `spans` gives the numbers as arithmetic runs `[first, last, step]`, `runs` their states as
    `[how many, index in states]`, `plot` the seconds as `[first frame, last frame, mean, least, most]`.
    """
    row = view.job_row(job_id)
    line = _job_line(view, row)
    return {
        "job": line | _job_facts(view, row),
        "states": FRAME_STATES,
        "spans": _spans(row["content"]),
        "runs": _runs(view, job_id, line["frame_count"]),
        "plot": _plot(view, job_id, line["frames"].get("completed", 0)),
        "orders": _orders(view, job_id),
        "newest_frame": newest_frame(view, job_id),
    }


def frame_page(view: LedgerView, job_id: str, frame: int) -> dict[str, Any]:
    """Return one frame, and every attempt at it, newest first, with what was noted about this frame in it."""
    view.job_row(job_id)
    rows = view.rows("SELECT * FROM frames WHERE job_id = ? AND frame = ?", job_id, frame)
    if not rows:
        raise UnknownJobError(f"has no frame {frame}", where=f"job {job_id}")
    attempts = view.rows(
        "SELECT * FROM attempts WHERE job_id = ? AND task = ? ORDER BY id DESC LIMIT 200", job_id, rows[0]["task"]
    )
    notes = view.rows(
        "SELECT id, attempt, frame, at_s, text FROM logs WHERE job_id = ? AND frame = ? ORDER BY id DESC LIMIT 200",
        job_id,
        frame,
    )
    return {
        "frame": {name: rows[0][name] for name in rows[0].keys() if name != "job_id"},
        "attempts": [_attempt(item, notes) for item in attempts if frame in json.loads(item["frames"])],
    }


def journal(view: LedgerView, job_id: str, *, attempt: int | None = None, limit: int = 200) -> dict[str, Any]:
    """Return a job's newest log lines, newest first; long texts are cut to their end unless of one attempt."""
    view.job_row(job_id)
    rows = view.rows(
        "SELECT id, attempt, frame, at_s, text FROM logs "
        "WHERE job_id = ? AND (? IS NULL OR attempt = ?) ORDER BY id DESC LIMIT ?",
        job_id,
        attempt,
        attempt,
        limit,
    )
    return {"lines": [_line(row, is_whole=attempt is not None) for row in rows]}


def newest_frame(view: LedgerView, job_id: str) -> int | None:
    """Return the frame that was finished last, as far as the newest attempts tell: the last in order of the newest."""
    attempts = view.rows(
        "SELECT worker, frames FROM attempts WHERE job_id = ? AND frames <> '[]' ORDER BY id DESC LIMIT ?",
        job_id,
        _NEWEST_ATTEMPTS,
    )
    for attempt in attempts:
        frames = json.loads(attempt["frames"])
        done = view.rows(
            "SELECT frame FROM frames WHERE job_id = ? AND state = 'completed' AND worker = ? "
            "AND frame BETWEEN ? AND ? ORDER BY frame",
            job_id,
            attempt["worker"],
            min(frames),
            max(frames),
        )
        finished = {row["frame"] for row in done}
        if newest := [frame for frame in frames if frame in finished]:
            return newest[-1]
    rows = view.rows("SELECT MAX(frame) AS frame FROM frames WHERE job_id = ? AND state = 'completed'", job_id)
    return rows[0]["frame"]


def _job_line(view: LedgerView, row: sqlite3.Row) -> dict[str, Any]:
    counts = view.rows("SELECT state, COUNT(*) AS number FROM frames WHERE job_id = ? GROUP BY state", row["id"])
    workers = view.rows(
        "SELECT COUNT(DISTINCT worker) AS number FROM attempts WHERE job_id = ? AND state = 'running'", row["id"]
    )
    by_state = {item["state"]: item["number"] for item in counts}
    seconds = _recent_median(view, row["id"])
    worker_count = workers[0]["number"]
    left = by_state.get("queued", 0) + by_state.get("soft-failed", 0)
    columns = ("id", "state", "message", "priority", "owner", "submitted_s", "started_s", "ended_s")
    return {name: row[name] for name in columns} | {
        "name": json.loads(row["content"])["name"],
        "frame_count": sum(by_state.values()),
        "frames": by_state,
        "workers": worker_count,
        "seconds_per_frame": seconds,
        "seconds_left": None if seconds is None or not worker_count else seconds * left / worker_count,
    }


def _recent_median(view: LedgerView, job_id: str) -> float | None:
    """Return the median seconds of up to a thousand finished frames, which an index finds without sorting them all."""
    rows = view.rows(
        "SELECT seconds FROM frames WHERE job_id = ? AND state = 'completed' AND seconds > 0 LIMIT 1000", job_id
    )
    return median(row["seconds"] for row in rows) if rows else None


def _job_facts(view: LedgerView, row: sqlite3.Row) -> dict[str, Any]:
    content = json.loads(row["content"])
    files = view.rows("SELECT name, sha256 FROM files WHERE job_id = ? ORDER BY name", row["id"])
    wanted = ("frames", "passes", "generator", "output", "plate", "unedited", "consent", "chunk_size", "notes")
    tasks = view.rows(
        "SELECT name, state, failures, message FROM tasks WHERE job_id = ? AND kind <> 'render'", row["id"]
    )
    return {
        "content": {name: content.get(name) for name in wanted},
        "files": [dict(item) for item in files],
        "tasks": [dict(item) for item in tasks],
    }


def _orders(view: LedgerView, job_id: str | None = None) -> list[dict[str, Any]]:
    """Return what is under way: of each running attempt the frame in hand and how many of its frames are done."""
    rows = view.rows(
        "SELECT id, job_id, task, worker, frames, started_s FROM attempts "
        "WHERE state = 'running' AND (? IS NULL OR job_id = ?) ORDER BY worker",
        job_id,
        job_id,
    )
    return [_order(view, row) for row in rows]


def _order(view: LedgerView, row: sqlite3.Row) -> dict[str, Any]:
    waiting = view.rows(
        "SELECT frame FROM frames WHERE job_id = ? AND task = ? AND state IN ('queued', 'soft-failed')",
        row["job_id"],
        row["task"],
    )
    still_open = {item["frame"] for item in waiting}
    frames = json.loads(row["frames"])
    left = [frame for frame in frames if frame in still_open]
    return {
        "attempt": row["id"],
        "job": row["job_id"],
        "task": row["task"],
        "worker": row["worker"],
        "started_s": row["started_s"],
        "frame": left[0] if left else None,
        "frames_done": len(frames) - len(left),
        "frame_count": len(frames),
    }


def _attempt(row: sqlite3.Row, notes: Sequence[sqlite3.Row]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "worker": row["worker"],
        "state": row["state"],
        "started_s": row["started_s"],
        "ended_s": row["ended_s"],
        "frame_count": len(json.loads(row["frames"])),
        "lines": [_line(note, is_whole=True) for note in notes if note["attempt"] == row["id"]],
    }


def _line(row: sqlite3.Row, *, is_whole: bool) -> dict[str, Any]:
    text = row["text"]
    is_cut = not is_whole and len(text) > _SHORT_TEXT
    return dict(row) | {"text": text[-_SHORT_TEXT:] if is_cut else text, "is_cut": is_cut}


@lru_cache(maxsize=16)
def _spans(content: str) -> list[list[int]]:
    """Return a stored job's frame numbers as `[first, last, step]`."""
    return list(spans_of(FrameRange.parse(json.loads(content)["frames"]).numbers))


def spans_of(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Cut ascending numbers into arithmetic runs `[first, last, step]`, each as long as it goes."""
    start = 0
    while start < len(numbers):
        step = numbers[start + 1] - numbers[start] if start + 1 < len(numbers) else 1
        end = start
        while end + 1 < len(numbers) and numbers[end + 1] - numbers[end] == step:
            end += 1
        yield [numbers[start], numbers[end], step]
        start = end + 1


def _runs(view: LedgerView, job_id: str, frame_count: int) -> list[list[int]]:
    """Return the frames' states in the shot's order as `[how many, index in FRAME_STATES]`."""
    starts = view.rows(_RUN_STARTS, job_id)
    ends = [row["place"] for row in starts[1:]] + [frame_count]
    index = {state: number for number, state in enumerate(FRAME_STATES)}
    return [[end - row["place"], index[row["state"]]] for row, end in zip(starts, ends, strict=True)]


def _plot(view: LedgerView, job_id: str, finished_count: int) -> list[list[float]]:
    """Return the seconds of the rendered frames, thinned to so many points, each of neighbours in the shot."""
    size = -(-finished_count // PLOT_POINTS) or 1
    return [[*row[:2], *(round(value, 4) for value in row[2:])] for row in view.rows(_SECONDS, job_id, size)]
