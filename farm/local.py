"""One job on this machine alone: ledger, scheduler and workers for as long as the job lasts, without HTTP.

`dvp demo` and scripts use it; the parts are those of `dvp farm head`, so the frames are the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dvp_core.data.errand import AnyJob
from dvp_core.data.job import Job
from dvp_core.data.progress import Progress, no_progress
from farm.backends import Backend
from farm.backends.on_this_machine import OnThisMachine
from farm.lease import LEASE_S
from farm.ledger import Ledger
from farm.ledger_copies import open_ledger
from farm.opening import opening_of
from farm.recovery import requeue_lost_frames
from farm.reports import job_report
from farm.root_marks import marked_roots
from farm.roots import Roots
from farm.scheduler import Scheduler, SchedulerOptions
from farm.states import ENDED_JOBS
from farm.tasks import TaskFunction
from farm.worker import run_order

BackendName = Literal["ray", "this-machine"]


def run_job(
    job: AnyJob,
    *,
    roots: Roots,
    state_folder: Path | str,
    workers: int = 2,
    backend: BackendName = "ray",
    gpu_share: float = 0.0,
    progress: Progress = no_progress,
    task_function: TaskFunction = run_order,
    options: SchedulerOptions | None = None,
) -> dict[str, Any]:
    """Run one job to its end and return its report (see `reports.job_report`).

    Started again after an interruption, it goes on where it stopped: the ledger in `state_folder` and the frames
    themselves know what is done. A job that has ended is gone through once more: frames that stand with their key are
    kept, and those whose passes or generator have changed are rendered.

    Args:
        job: What to render.
        roots: The folders that the job's paths name.
        state_folder: Where the ledger is kept; one run at a time.
        workers: Worker processes (`ray`) or orders under way in turn (`this-machine`).
        backend: Where orders run.
        gpu_share: Part of a GPU for each Ray worker; 0 renders on the processor.
        progress: Told of every finished frame.
        task_function: What runs an order.
        options: Deadlines.
    """
    options = options or SchedulerOptions()
    with open_ledger(Path(state_folder) / "ledger.sqlite", clock=time.time) as ledger:
        roots = marked_roots(roots, state_folder=Path(state_folder))
        ledger.recover()
        is_new = ledger.submit(job, owner="local", opening=opening_of(job, roots))
        if not is_new or job.is_paused_at_start:  # whoever runs it here need not resume it too
            _take_up_again(ledger, job)
        requeue_lost_frames(ledger, roots)
        with opened_backend(
            backend, workers=workers, task_function=task_function, gpu_share=gpu_share, lease_s=options.lease_s
        ) as pool:
            scheduler = Scheduler(ledger, pool, roots, options)
            _run_until(scheduler, lambda: ledger.job_state(job.id) in (*ENDED_JOBS, "paused"), job, progress)
        return job_report(ledger, job.id)


def _take_up_again(ledger: Ledger, job: AnyJob) -> None:
    state = ledger.job_state(job.id)
    if state == "paused":
        ledger.act(job.id, "resume")
    elif state in ENDED_JOBS:
        ledger.act(job.id, "retry", frames=job.frame_range if isinstance(job, Job) else None)


def _run_until(scheduler: Scheduler, is_over: Callable[[], bool], job: AnyJob, progress: Progress) -> None:
    told: tuple[str, int, int] | None = None
    try:
        while not is_over() or not scheduler.is_idle():
            scheduler.step()
            how_far = _how_far(scheduler.ledger, job)
            if how_far is not None and how_far != told:
                progress(*how_far)
                told = how_far
    finally:
        scheduler.stop(message="the run was interrupted")


def _how_far(ledger: Ledger, job: AnyJob) -> tuple[str, int, int] | None:
    """Return the stage of a job and how much of it is done."""
    if isinstance(job, Job):
        return "render", ledger.finished_count(job.id), len(job.frame_range)
    said = ledger.rows("SELECT stage, done, total FROM progress WHERE job_id = ?", job.id)
    return tuple(said[0]) if said else None


@contextmanager
def opened_backend(
    name: BackendName,
    *,
    workers: int,
    task_function: TaskFunction,
    address: str | None = None,
    gpu_share: float = 0.0,
    lease_s: float = LEASE_S,
) -> Iterator[Backend]:
    """Yield a running backend and end its processes afterwards; `address` joins a Ray cluster, else one is made."""
    if name == "this-machine":
        reference = OnThisMachine(task_function, worker_count=workers, process_id=os.getpid())
        try:
            yield reference
        finally:
            reference.close()
        return
    from farm.backends import on_ray  # Ray takes half a second and is not needed by the reference

    own = on_ray.local_cluster(cpu_count=workers, has_gpus=gpu_share > 0)
    with on_ray.joined_cluster(address) if address else own:
        needs = on_ray.WorkerNeeds(gpu_share=gpu_share)
        pool = on_ray.OnRay(task_function, workers, needs=needs, lease_s=lease_s)
        try:
            yield pool
        finally:
            pool.close()
