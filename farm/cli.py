"""`dvp farm ...`: one function a subcommand, no logic of its own. `dvp` finds them through the entry point `farm`.

Each returns what `--json` prints. Only `head` loads Ray; the others need the standard library and a token.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.data.errand import PassesJob, any_job_to_dict, read_any_job
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job
from farm.client import FarmClient, default_state_folder
from farm.command_line import OWN_HEAD, Reach, line_of, reached_head, say, watched
from farm.open_command import open_page
from farm.run_command import roots_of, run_here
from farm.tls import TlsFiles
from farm.user_commands import USER_COMMANDS

JobFile = tyro.conf.Positional[Path]
JobId = tyro.conf.Positional[str]
_DEFAULT_PORT = 8642
_WATCH_INTERVAL_S = 1.0


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
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    tls_ca: Path | None = None,
    webhook: str | None = None,
    webhook_secret: Path | None = None,
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
        tls_cert: Certificate (PEM), with those that lead to its authority: the head speaks TLS itself.
        tls_key: Its private key (PEM), which nobody else may read.
        tls_ca: What this user's commands check it with, where the system does not know its authority.
        webhook: Address that is told of every completed and failed job; https, or http on this machine.
        webhook_secret: File with the key of its signatures; STATE/webhook-secret, made at need, where not given.
    """
    from farm.head import HeadOptions, run_head
    from farm.webhook import open_webhook

    folder = state or default_state_folder()
    options = HeadOptions(
        state_folder=folder,
        roots=roots_of(root),
        host=host,
        port=port,
        backend=backend,
        workers=workers or os.cpu_count() or 1,
        gpu_share=gpu_share,
        address=address,
        is_behind_proxy=behind_proxy,
        tls=_tls_of(tls_cert, tls_key, tls_ca),
        webhook=None if webhook is None else open_webhook(webhook, webhook_secret or folder / "webhook-secret"),
    )
    say(f"starting {options.workers} workers; state in {options.state_folder}")
    run_head(options, on_ready=lambda url: say(f"the farm takes jobs at {url} (Ctrl-C stops it)"))
    return {"state": "stopped"}


def submit(
    job: JobFile,
    *,
    watch: bool = False,
    dry_run: bool = False,
    consent: str | None = None,
    reach: Reach = OWN_HEAD,
) -> dict[str, Any]:
    """Submit a job; doing so again with the same id is harmless.

    Args:
        job: A `job.json`.
        watch: Stay until the job has ended.
        dry_run: Only say which frames would be rendered, because their passes or generator changed or none stands.
        consent: Consent record as root:relative, where the job names none.
        reach: Where the head is.
    """
    content = read_any_job(job)
    if consent is not None and not isinstance(content, PassesJob):  # passes show nobody
        content = replace(content, consent=consent)
    if dry_run and not isinstance(content, Job):
        raise DataError(f"renders no frames, it is of kind {content.task}", where=job, remedy="leave --dry-run out")
    if dry_run:
        content = replace(content, task="plan", id=f"{content.id[:50]}.plan-{secrets.token_hex(3)}")
    with reached_head(reach) as client:
        report = client.submit(any_job_to_dict(content))
        say(line_of(report))
        return watched(client, content.id) if watch or dry_run else report


def list_jobs(*, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """List the jobs, newest first.

    Args:
        watch: Go on showing what changes until no job is under way.
        reach: Where the head is.
    """
    said: set[str] = set()
    with reached_head(reach) as client:
        while True:
            reports = client.jobs()
            lines = [line_of(report) for report in reports]
            for line in lines:
                if line not in said:
                    say(line)
            said = set(lines)
            if not watch or not any(report["state"] in ("queued", "active") for report in reports):
                return {"jobs": reports}
            time.sleep(_WATCH_INTERVAL_S)


def status(job: JobId, *, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Say how far a job is.

    Args:
        job: Its id.
        watch: Stay until it has ended; the exit code tells how.
        reach: Where the head is.
    """
    with reached_head(reach) as client:
        if watch:
            return watched(client, job)
        report = client.job(job)
    say(line_of(report))
    for failed in report["failed_frames"]:
        say(f"  frame {failed['frame']}: {failed['message']}")
    return report


def logs(job: JobId, *, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Show what was noted about a job: failures with their reasons, and what users asked for.

    Args:
        job: Its id.
        watch: Go on showing until it has ended.
        reach: Where the head is.
    """
    lines: list[dict[str, Any]] = []
    with reached_head(reach) as client:
        for line in _log_lines(client, job, watch=watch):
            lines.append(line)
            at = time.strftime("%H:%M:%S", time.localtime(line["at_s"]))
            frame = "" if line["frame"] is None else f" frame {line['frame']}"
            say(f"{at}{frame}  {line['text']}")
    return {"lines": lines}


def cancel(job: JobId, *, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Cancel a job; the frames in hand are finished and kept.

    Args:
        job: Its id.
        reach: Where the head is.
    """
    return _act(job, "cancel", reach)


def pause(job: JobId, *, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Hand out no more chunks of a job.

    Args:
        job: Its id.
        reach: Where the head is.
    """
    return _act(job, "pause", reach)


def resume(job: JobId, *, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Go on with a paused job.

    Args:
        job: Its id.
        watch: Stay until it has ended; the exit code tells how.
        reach: Where the head is.
    """
    return _act(job, "resume", reach, watch=watch)


def retry(job: JobId, *, frames: str | None = None, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Queue an ended job's unfinished frames again, or the frames named; whatever stands with its key is kept.

    Args:
        job: Its id.
        frames: Such as 1-20,33; all that did not complete where not given.
        watch: Stay until it has ended; the exit code tells how.
        reach: Where the head is.
    """
    return _act(job, "retry", reach, frames=frames, watch=watch)


def priority(job: JobId, priority: tyro.conf.Positional[int], *, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Put an unfinished job before or behind others, from the next chunk on.

    Args:
        job: Its id.
        priority: 0 (last) to 100 (first).
        reach: Where the head is.
    """
    with reached_head(reach) as client:
        report = client.prioritise(job, priority)
    say(f"{line_of(report)}, priority {report['priority']}")
    return report


def gc(
    *, older_than_days: float = 30.0, with_files: bool = False, apply: bool = False, reach: Reach = OWN_HEAD
) -> dict[str, Any]:
    """Forget jobs that ended long ago; says what it would do, and does it with --apply.

    Args:
        older_than_days: Only jobs that ended longer ago than this.
        with_files: Remove the frames and files that the jobs have made, too, where they are still the same.
        apply: Do it.
        reach: Where the head is.
    """
    with reached_head(reach) as client:
        told = client.forget_jobs(older_than_days=older_than_days, with_files=with_files, is_dry_run=not apply)
    for job in told["jobs"]:
        ended = time.strftime("%Y-%m-%d", time.localtime(job["ended_s"]))
        files = f"{job['file_count']} files ({job['byte_count'] / 1e6:.1f} MB) removed, {job['kept_file_count']} kept"
        say(f"{job['id']}  {job['state']} on {ended}, {job['frame_count']} frames; {files}")
    say(f"{len(told['jobs'])} jobs {'forgotten' if apply else 'would be forgotten; --apply does it'}")
    return told


def rerender(job: JobId, *, frames: str | None = None, watch: bool = False, reach: Reach = OWN_HEAD) -> dict[str, Any]:
    """Render an ended job's frames again though their files stand; equal inputs give equal bytes.

    Args:
        job: Its id.
        frames: Such as 1-20,33; all where not given.
        watch: Stay until it has ended; the exit code tells how.
        reach: Where the head is.
    """
    return _act(job, "rerender", reach, frames=frames, watch=watch)


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
    "priority": priority,
    "gc": gc,
    "open": open_page,
    **USER_COMMANDS,
}


def _tls_of(certificate: Path | None, key: Path | None, authority: Path | None) -> TlsFiles | None:
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None:
        raise DataError("a certificate and its key belong together", remedy="give both --tls-cert and --tls-key")
    return TlsFiles(certificate, key, authority)


def _act(job: str, action: str, reach: Reach, *, frames: str | None = None, watch: bool = False) -> dict[str, Any]:
    with reached_head(reach) as client:
        report = client.act(job, action, frames=frames)
        say(line_of(report))
        return watched(client, job) if watch else report


def _log_lines(client: FarmClient, job: str, *, watch: bool) -> Iterator[dict[str, Any]]:
    last = 0
    reports = client.watch(job) if watch else iter([{}])
    for _ in reports:
        while lines := client.logs(job, after=last):
            yield from lines
            last = lines[-1]["id"]
