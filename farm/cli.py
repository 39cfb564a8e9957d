"""`dvp farm ...`: one function a subcommand, no logic of its own. `dvp` finds them through the entry point `farm`.

Each returns what `--json` prints. Only `head` loads Ray; the others need the standard library and a token.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.data.errand import PassesJob, any_job_to_dict, read_any_job
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from farm.client import FarmClient, FarmError, connect, default_state_folder
from farm.run_command import roots_of, run_here

JobFile = tyro.conf.Positional[Path]
JobId = tyro.conf.Positional[str]
_DEFAULT_PORT = 8642


def head(
    *,
    root: Annotated[list[str], tyro.conf.UseAppendAction],
    state: Path | None = None,
    host: str = "127.0.0.1",
    port: int = _DEFAULT_PORT,
    backend: Literal["ray", "this-machine"] = "ray",
    workers: int = 0,
    gpu_share: float = 0.0,
    address: str | None = None,
    behind_proxy: bool = False,
) -> dict[str, Any]:
    """Run the farm's head: the ledger, the workers and the API, until Ctrl-C.

    Args:
        root: A folder that jobs may name, as name=/folder; may stand several times.
        state: Folder of the ledger and the tokens.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        backend: Ray workers, or everything in this one process.
        workers: Worker processes; one for each core where 0.
        gpu_share: Part of a GPU for each worker, such as 0.5 for two on one; 0 renders on the processor.
        address: A running Ray cluster to join, such as auto or 10.0.0.1:6379; its own where not given.
        behind_proxy: Listen on another address than loopback, because a proxy in front speaks TLS.
    """
    from farm.head import HeadOptions, run_head

    options = HeadOptions(
        state_folder=state or default_state_folder(),
        roots=roots_of(root),
        host=host,
        port=port,
        backend=backend,
        workers=workers or os.cpu_count() or 1,
        gpu_share=gpu_share,
        address=address,
        is_behind_proxy=behind_proxy,
    )
    _say(f"starting {options.workers} workers; state in {options.state_folder}")
    run_head(options, on_ready=lambda url: _say(f"the farm takes jobs at {url} (Ctrl-C stops it)"))
    return {"state": "stopped"}


def submit(
    job: JobFile,
    *,
    watch: bool = False,
    dry_run: bool = False,
    consent: str | None = None,
    url: str | None = None,
    connection: Path | None = None,
) -> dict[str, Any]:
    """Submit a job; doing so again with the same id is harmless.

    Args:
        job: A `job.json`.
        watch: Stay until the job has ended.
        dry_run: Only say which frames would be rendered, because their passes or generator changed or none stands.
        consent: Consent record as root:relative, where the job names none.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    content = read_any_job(job)
    if consent is not None and not isinstance(content, PassesJob):  # passes show nobody
        content = replace(content, consent=consent)
    if dry_run and not isinstance(content, Job):
        raise DataError(f"renders no frames, it is of kind {content.task}", where=job, remedy="leave --dry-run out")
    if dry_run:
        content = replace(content, task="plan", id=f"{content.id[:50]}.plan-{secrets.token_hex(3)}")
    with _head(url, connection) as client:
        report = client.submit(any_job_to_dict(content))
        _say(_line(report))
        return _watched(client, content.id) if watch or dry_run else report


def list_jobs(*, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """List the jobs, newest first.

    Args:
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    with _head(url, connection) as client:
        reports = client.jobs()
    for report in reports:
        _say(_line(report))
    return {"jobs": reports}


def status(
    job: JobId, *, watch: bool = False, url: str | None = None, connection: Path | None = None
) -> dict[str, Any]:
    """Say how far a job is.

    Args:
        job: Its id.
        watch: Stay until it has ended; the exit code tells how.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    with _head(url, connection) as client:
        if watch:
            return _watched(client, job)
        report = client.job(job)
    _say(_line(report))
    for failed in report["failed_frames"]:
        _say(f"  frame {failed['frame']}: {failed['message']}")
    return report


def logs(job: JobId, *, watch: bool = False, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """Show what was noted about a job: failures with their reasons, and what users asked for.

    Args:
        job: Its id.
        watch: Go on showing until it has ended.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    lines: list[dict[str, Any]] = []
    with _head(url, connection) as client:
        for line in _log_lines(client, job, watch=watch):
            lines.append(line)
            at = time.strftime("%H:%M:%S", time.localtime(line["at_s"]))
            frame = "" if line["frame"] is None else f" frame {line['frame']}"
            _say(f"{at}{frame}  {line['text']}")
    return {"lines": lines}


def cancel(job: JobId, *, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """Cancel a job; the frames in hand are finished and kept.

    Args:
        job: Its id.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    return _act(job, "cancel", url, connection)


def pause(job: JobId, *, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """Hand out no more chunks of a job.

    Args:
        job: Its id.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    return _act(job, "pause", url, connection)


def resume(job: JobId, *, url: str | None = None, connection: Path | None = None) -> dict[str, Any]:
    """Go on with a paused job.

    Args:
        job: Its id.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    return _act(job, "resume", url, connection)


def retry(
    job: JobId, *, frames: str | None = None, url: str | None = None, connection: Path | None = None
) -> dict[str, Any]:
    """Queue an ended job's unfinished frames again, or the frames named; whatever stands with its key is kept.

    Args:
        job: Its id.
        frames: Such as 1-20,33; all that did not complete where not given.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    return _act(job, "retry", url, connection, frames=frames)


def rerender(
    job: JobId, *, frames: str | None = None, url: str | None = None, connection: Path | None = None
) -> dict[str, Any]:
    """Render an ended job's frames again though their files stand; equal inputs give equal bytes.

    Args:
        job: Its id.
        frames: Such as 1-20,33; all where not given.
        url: The head's address; the connection file's where not given.
        connection: Connection file, written by the head.
    """
    return _act(job, "rerender", url, connection, frames=frames)


COMMANDS: dict[str, Callable[..., Any]] = {
    "head": head,
    "run": run_here,
    "submit": submit,
    "list": list_jobs,
    "status": status,
    "logs": logs,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "retry": retry,
    "rerender": rerender,
}


@contextmanager
def _head(url: str | None, connection: Path | None) -> Iterator[FarmClient]:
    """Give a client, and turn its refusals into the one error that `dvp` prints."""
    try:
        yield connect(url=url, connection=connection)
    except FarmError as error:
        raise DataError(str(error)) from error


def _act(
    job: str, action: str, url: str | None, connection: Path | None, *, frames: str | None = None
) -> dict[str, Any]:
    with _head(url, connection) as client:
        report = client.act(job, action, frames=frames)
    _say(_line(report))
    return report


def _watched(client: FarmClient, job: str) -> dict[str, Any]:
    report: dict[str, Any] = {}
    said = ""
    for report in client.watch(job):
        if _line(report) != said:
            said = _line(report)
            _say(said)
    return report | {"exit_code": 0 if report["state"] == "completed" else 1}


def _log_lines(client: FarmClient, job: str, *, watch: bool) -> Iterator[dict[str, Any]]:
    last = 0
    reports = client.watch(job) if watch else iter([{}])
    for _ in reports:
        while lines := client.logs(job, after=last):
            yield from lines
            last = lines[-1]["id"]


def _line(report: dict[str, Any]) -> str:
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
