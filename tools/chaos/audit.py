"""What must hold when the last plug has been pulled: every frame in one state, whole, and the same as undisturbed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.files import sha256_of_file
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import frame_path
from farm.ledger import Ledger
from farm.roots import MARK_NAME
from tools.chaos.farm_under_test import JOB_ID, Farm


@dataclass(frozen=True)
class Audit:
    """The result.

    Attributes:
        frames: How many the job asked for.
        identical: How many have the bytes of the undisturbed run.
        half_written: Temporary files left on the share.
        wasted_frames: Frames made beyond those asked for and those made again because they were destroyed.
        problems: Everything that does not hold, in words.
    """

    frames: int
    identical: int
    half_written: int
    wasted_frames: int
    problems: tuple[str, ...]


def audit(farm: Farm, expected: dict[int, str]) -> Audit:
    """Return what is found of a farm whose head has ended, given the undisturbed frames' hashes."""
    paths = {frame: frame_path(farm.output / "frame.####.png", frame) for frame in farm.job.frame_range}
    actual = {frame: sha256_of_file(path) for frame, path in paths.items() if path.exists()}
    identical = sum(actual.get(frame) == sha256 for frame, sha256 in expected.items())
    half_written = [path for path in farm.disk.share.rglob(".*") if path.name != MARK_NAME]
    executions = farm.control.executions()
    wasted = max(0, len(executions) - len(expected) - farm.destroyed_count)
    allowed = farm.lost_worker_count * (farm.job.chunk_size or 1)
    problems = [
        *_ledger_problems(farm, actual),
        *([] if identical == len(expected) else [f"{len(expected) - identical} frames differ from those undisturbed"]),
        *(f"half-written: {path}" for path in half_written),
        *([] if wasted <= allowed else [f"{wasted} frames wasted, {allowed} allowed"]),
        *(f"unexpected file: {name}" for name in _strangers(farm.output, paths)),
    ]
    return Audit(len(expected), identical, len(half_written), wasted, tuple(problems))


def _ledger_problems(farm: Farm, actual: dict[int, str]) -> list[str]:
    with Ledger(farm.state / "ledger.sqlite", clock=lambda: 0.0) as ledger:
        frames = ledger.rows("SELECT * FROM frames WHERE job_id = ? ORDER BY frame", JOB_ID)
        running = ledger.rows("SELECT id FROM attempts WHERE state = 'running'")
        unfinished = ledger.rows("SELECT name FROM tasks WHERE state <> 'completed'")
        holds, state = ledger.rows("SELECT * FROM holds"), ledger.job_state(JOB_ID)
    problems = [] if state == "completed" else [f"the job is {state}"]
    if [row["frame"] for row in frames] != sorted(farm.job.frame_range):
        problems.append("the ledger's frames are not those that were asked for")
    for row in frames:
        problems += _frame_problems(farm.job, dict(row), actual)
    problems += [f"attempt {row['id']} still runs" for row in running]
    problems += [f"task {row['name']} is not completed" for row in unfinished]
    return problems + [f"job {row['job_id']} is still held" for row in holds]


def _frame_problems(job: Job, row: dict[str, object], actual: dict[int, str]) -> list[str]:
    frame = int(str(row["frame"]))
    problems = [] if row["state"] == "completed" else [f"frame {frame} is {row['state']}"]
    if row["sha256"] != actual.get(frame) or not row["key"]:
        problems.append(f"frame {frame} is not the file that the ledger tells of")
    if int(str(row["failures"])) > job.max_retries_per_frame:
        problems.append(f"frame {frame} was tried too often")
    return problems


def _strangers(folder: Path, paths: dict[int, Path]) -> list[str]:
    """Return what lies beside the frames and is neither a frame nor one of the files made of them."""
    known = {path.name for path in paths.values()}
    made = {"render.json", "manifest.json", "job.json", "frames.label.json", "contact.png", "contact_sheet.json"}
    return sorted(path.name for path in folder.iterdir() if path.name not in known | made)
