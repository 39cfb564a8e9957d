"""How soon a head that runs begins a job, and how soon work goes on after a worker or the head itself is killed.

`farm_throughput.py` calls this on the site that it makes. The head is `dvp farm head` with two Ray workers in processes
of their own; what is timed is what a client sees.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dvp_core.data.job import Job, job_to_dict
from farm.client import FarmClient, connect

_PATIENCE_S = 300.0
_POLL_S = 0.02


def recovery_figures(folder: Path, *, frame_count: int) -> dict[str, float]:
    """Return seconds from submission to the first frame, and from a kill to the next new frame.

    Args:
        folder: A site with `passes` and `bench.safetensors`.
        frame_count: Its frames; those left after a kill must keep two workers busy until it is over.
    """
    head = start_head(folder)
    client = connect(connection=folder / "head" / "connection.json")
    try:
        submit(client, "warm", frame_count=4)
        wait(lambda: client.job("warm")["state"] == "completed")
        first_s = seconds_until(lambda: submit(client, "timed", frame_count=frame_count), lambda: done(client) > 0)
        wait(lambda: done(client) >= frame_count // 4)
        before = {item["worker"] for item in finished(client)}
        worker_s = seconds_until(
            lambda: os.kill(worker_processes(folder)[0], signal.SIGKILL),
            lambda: any(item["worker"] not in before for item in finished(client)),
        )
        wait(lambda: done(client) >= frame_count // 2)
        known = done(client)

        def kill_and_start() -> None:
            nonlocal head, client
            head.kill()
            head.wait()
            head = start_head(folder)
            client = connect(connection=folder / "head" / "connection.json")

        head_s = seconds_until(kill_and_start, lambda: done(client) > known)
    finally:
        head.terminate()
        head.wait(timeout=60)
    return {
        "first_frame_s": round(first_s, 2),
        "after_a_killed_worker_s": round(worker_s, 2),
        "after_a_killed_head_s": round(head_s, 2),
    }


def start_head(folder: Path) -> subprocess.Popen[str]:
    """Return a head that takes jobs."""
    command = [sys.executable, "-m", "dvp_core", "farm", "head", "--root", f"bench={folder}", "--port", "0"]
    command += ["--state", str(folder / "head"), "--workers", "2"]
    head = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert head.stdout is not None
    for line in head.stdout:
        if "takes jobs at" in line:
            return head
    raise RuntimeError("the head did not start")


def submit(client: FarmClient, name: str, *, frame_count: int) -> None:
    """Submit a job of the site's first frames."""
    job = Job(
        id=name,
        name=name,
        frames=f"1-{frame_count}",
        passes="bench:passes",
        generator="bench:bench.safetensors",
        output=f"bench:{name}/frame.####.png",
        is_movie_wanted=False,
    )
    client.submit(job_to_dict(job))


def done(client: FarmClient) -> int:
    """Return how many frames of the timed job are finished."""
    return client.job("timed")["frames"].get("completed", 0)


def finished(client: FarmClient) -> list[dict[str, object]]:
    """Return the finished frames of the timed job."""
    return [item for item in client.frames("timed") if item["state"] == "completed"]


def worker_processes(folder: Path) -> list[int]:
    """Return the Ray workers whose signing keys are those of this benchmark, so that nobody else's is killed."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            is_worker = (entry / "cmdline").read_bytes().startswith(b"ray::WorkerProcess")
            if is_worker and str(folder / "keys").encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def seconds_until(act: Callable[[], object], is_over: Callable[[], bool]) -> float:
    """Return the seconds from just before an act to when something is so."""
    started_s = time.monotonic()
    act()
    wait(is_over)
    return time.monotonic() - started_s


def wait(is_over: Callable[[], bool]) -> None:
    """Return when something is so."""
    end_s = time.monotonic() + _PATIENCE_S
    while not is_over():
        if time.monotonic() > end_s:
            raise TimeoutError(f"it took longer than {_PATIENCE_S:.0f} s")
        time.sleep(_POLL_S)
