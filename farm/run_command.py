"""`dvp farm run`: one job on this machine, without a head. The frames are those the farm would give."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.data.errand import read_any_job
from dvp_core.data.errors import DataError
from dvp_core.data.progress import Progress
from dvp_core.pipeline.children import PROGRESS_AS_JSON, PROGRESS_VARIABLE, progress_line
from farm.local import run_job
from farm.preflight import check_job
from farm.roots import Roots


def run_here(
    job: tyro.conf.Positional[Path],
    *,
    root: Annotated[list[str], tyro.conf.UseAppendAction],
    workers: int = 2,
    backend: Literal["ray", "this-machine"] = "ray",
    gpu_share: float = 0.0,
    state: Path = Path(".farm"),
) -> dict[str, Any]:
    """Run one job on this machine, without a farm head.

    Args:
        job: The `job.json`.
        root: A folder that the job's paths name, such as shots=/mnt/shots; give it once for each.
        workers: Worker processes.
        backend: ray for workers in processes of their own; this-machine for one after the other in this one.
        gpu_share: Part of a GPU for each worker; 0 renders on the processor.
        state: Folder of the ledger; a second run goes on from it.
    """
    roots = roots_of(root)
    content = read_any_job(job)
    check_job(content, roots)
    report = run_job(
        content,
        roots=roots,
        state_folder=state,
        workers=workers,
        backend=backend,
        gpu_share=gpu_share,
        progress=_spoken_progress(),
    )
    if report["state"] != "completed":
        reasons = [f"frame {item['frame']}: {item['message']}" for item in report["failed_frames"][:1]]
        what = " ".join([f"ended as {report['state']}: {report['message']}", *reasons])
        raise DataError(what, where=f"job {report['id']}", remedy="Mend the cause, then run the same command again")
    return report


def roots_of(entries: list[str]) -> Roots:
    """Return the roots of a command line, which is a wrong call without any."""
    if not entries:
        sys.stderr.write("dvp farm: name the folders that jobs may use: --root name=/folder\n")
        raise SystemExit(2)
    return Roots.parse(entries)


def _spoken_progress() -> Progress:
    is_child = os.environ.get(PROGRESS_VARIABLE) == PROGRESS_AS_JSON

    def tell(stage: str, done: int, total: int) -> None:
        line = progress_line(stage, done, total) if is_child else f"{stage}: {done}/{total}\n"
        sys.stderr.write(line)
        sys.stderr.flush()

    return tell
