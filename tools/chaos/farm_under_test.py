"""The farm that is tortured: its head's process, its workers, its share, and what the run waits for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvp_core.data.job import Job, job_to_dict
from farm.client import FarmClient, FarmError, connect
from tools.chaos.cluster import Cluster
from tools.chaos.control import VARIABLE, Control
from tools.chaos.disk import Disk

_REPOSITORY = Path(__file__).resolve().parents[2]
_PATIENCE_S = 600.0
_STARTS = 8
_RAYS_EXCUSE = "The current node timed out during startup"
JOB_ID = "shot"


class ChaosError(Exception):
    """The farm did not do what it promises."""


@dataclass
class Farm:
    """A head over a state folder and a share; `cluster` is None where the head has a Ray of its own.

    Attributes:
        folder: Holds all of it.
        disk: Where the share is.
        job: What is rendered all the time.
        cluster: The Ray cluster that the head joins.
        lost_worker_count: Workers that were ended, each of which may cost a chunk.
        destroyed_count: Finished frames that were destroyed, each of which must be made again.
    """

    folder: Path
    disk: Disk
    job: Job
    cluster: Cluster | None = None
    lost_worker_count: int = 0
    destroyed_count: int = 0
    restart_count: int = 0
    process: subprocess.Popen[str] | None = None
    control: Control = field(init=False)

    def __post_init__(self) -> None:
        self.control = Control(self.folder / "control")
        self.state = self.folder / "state"

    # ---- the head

    def start(self) -> None:
        """Start the head and wait until it takes jobs; Ray does not always come up at once on a busy machine."""
        for _ in range(_STARTS):
            if self.cluster is not None:
                self.cluster.ensure()
            self.process = self.spawn_head()
            assert self.process.stdout is not None
            if self.process.stdout.readline().startswith("http://"):
                return
            self.wait_for_heads_end()
            if _RAYS_EXCUSE not in self.last_words():
                break
        raise ChaosError(f"the head does not start:\n{self.last_words()}")

    def spawn_head(self) -> subprocess.Popen[str]:
        """Return the process of a head on this farm's state."""
        command = [sys.executable, "-m", "tools.chaos.head_process", str(self.state), str(self.disk.share)]
        environment = self.environment()
        if self.cluster is not None:
            command.append(self.cluster.address)
            environment |= self.cluster.environment
        with open(self.folder / "head.log", "a") as log:
            return subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=_REPOSITORY,
                start_new_session=True,  # a Ctrl-C is meant for the run
            )

    def environment(self) -> dict[str, str]:
        """Return what the farm's processes find in their environment."""
        paths = os.pathsep.join([str(_REPOSITORY), os.environ.get("PYTHONPATH", "")])
        keys = os.environ.get("DVP_KEYS", str(self.folder / "keys"))
        return dict(os.environ) | {VARIABLE: str(self.control.folder), "PYTHONPATH": paths, "DVP_KEYS": keys}

    def kill_head(self) -> None:
        """Kill the head without a word."""
        self.lost_worker_count += len(self.worker_ids())
        assert self.process is not None
        self.process.kill()
        self.wait_for_heads_end()

    def wait_for_heads_end(self, *, limit_s: float = 120.0) -> int:
        """Return the exit code of a head that is about to end, when its workers are gone too."""
        assert self.process is not None
        assert self.process.stdout is not None
        try:
            code = self.process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise ChaosError(f"the head has not ended:\n{self.last_words()}") from error
        self.process.stdout.close()
        return code

    def restart(self) -> None:
        """Start the head again after its end."""
        self.restart_count += 1
        self.start()

    def stop(self) -> None:
        """End the head in peace."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        if code := self.wait_for_heads_end():
            raise ChaosError(f"the head ended with {code}:\n{self.last_words()}")

    def end_all(self) -> None:
        """End whatever is left, however the run went."""
        for process_id in [*self.worker_ids(), *([] if self.process is None else [self.process.pid])]:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        if self.process is not None and self.process.poll() is None:
            self.process.wait()
        if self.cluster is not None:
            self.cluster.stop()

    def last_words(self) -> str:
        """Return the end of the head's log."""
        return (self.folder / "head.log").read_text()[-3000:]

    # ---- its workers

    def worker_ids(self) -> list[int]:
        """Return the processes of the workers that live."""
        return list(self.processes(b"ray::WorkerProcess"))

    def processes(self, beginning: bytes) -> Iterator[int]:
        """Yield this farm's processes whose command line begins so, or holds it as its program's name."""
        mark = f"{VARIABLE}={self.control.folder}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                program = line.split(b"\0")[0].rpartition(b"/")[2]
                is_meant = line.startswith(beginning) or program == beginning
                if is_meant and mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)

    # ---- the job

    @property
    def client(self) -> FarmClient:
        """A client of the head that runs now."""
        return connect(connection=self.state / "connection.json")

    @property
    def output(self) -> Path:
        """The folder of the frames."""
        return self.disk.share / JOB_ID

    def submit(self) -> dict[str, Any]:
        """Submit the job."""
        return self.client.submit(job_to_dict(self.job))

    def report(self) -> dict[str, Any]:
        """Return the job's report, however long the head takes to answer."""
        return self.client.job(JOB_ID)

    def finished_count(self) -> int:
        """Return how many frames are finished."""
        return self.report()["frames"].get("completed", 0)

    def frames_in(self, *states: str) -> list[int]:
        """Return the frames that are in one of the states."""
        return [row["frame"] for row in self.client.frames(JOB_ID, limit=10_000) if row["state"] in states]

    def wait_until(
        self, is_so: Callable[[dict[str, Any]], bool], what: str, *, limit_s: float = _PATIENCE_S
    ) -> dict[str, Any]:
        """Return the job's report as soon as it is so."""
        end_s, report = time.monotonic() + limit_s, {}
        while time.monotonic() < end_s:
            with suppress(FarmError):
                report = self.report()
                if report["state"] in ("failed", "cancelled"):
                    raise ChaosError(f"the job has {report['state']}: {report['message']}")
                if is_so(report):
                    return report
            if self.process is not None and self.process.poll() is not None:
                raise ChaosError(f"the head has ended by itself ({what}):\n{self.last_words()}")
            time.sleep(0.1)
        raise ChaosError(f"waited in vain: {what}; {report}\n{self.last_words()}")

    def wait_for_frames(self, count: int) -> dict[str, Any]:
        """Wait until so many more frames are finished, or all."""
        start = self.finished_count()
        return self.wait_until(
            lambda report: report["frames"].get("completed", 0) >= start + count or report["state"] == "completed",
            f"{count} more frames",
        )

    def wait_for_hold(self, words: str) -> dict[str, Any]:
        """Wait until the farm itself has paused the job for a reason, or it is complete."""
        return self.wait_until(
            lambda report: (report["is_held"] and words in report["message"]) or report["state"] == "completed", words
        )

    def wait_until_resumed(self) -> dict[str, Any]:
        """Wait until a job that was held goes on by itself."""
        return self.wait_until(lambda report: report["state"] != "paused", "the job goes on by itself")

    def remove(self) -> None:
        """Remove the farm's folder."""
        self.disk.close()
        shutil.rmtree(self.folder, ignore_errors=True)
