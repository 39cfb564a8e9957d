"""What one head carries: the real ledger and scheduler with up to a hundred workers that only wait, and a long shot.

    python benchmarks/farm_scale.py [--frames 100000] [--workers 1,10,100] [--seconds-per-frame 0.05]

Workers are simulated by a clock, so that nothing but the head's own work can slow them down: each says that a frame is
finished when its time has passed. Weak scaling gives every worker as many frames and compares the time with one
worker's. The long shot is stopped half way, as by a kill, and taken up again; its files are a few bytes each, so what
hashing real pictures costs at a restart comes on top. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from dvp_core.data.files import sha256_of_bytes
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import FrameRecord, frame_path
from farm.ledger import Ledger
from farm.recovery import requeue_lost_frames
from farm.reports import job_report
from farm.roots import Roots
from farm.scheduler import Scheduler
from farm.tasks import AttemptEnded, Event, FileRecord, PreviewOrder, PreviewResult, Record, Recorded, WorkOrder

_CONTENT = b"frame\n"
_SHA256 = sha256_of_bytes(_CONTENT)


@dataclass
class Sleepers:
    """A backend of workers that wait; with `seconds_per_frame` 0 they are done at once."""

    worker_count: int
    seconds_per_frame: float
    are_files_written: bool = False
    _due: list[tuple[float, int, str, Event]] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _number: int = 0

    def idle_workers(self) -> tuple[str, ...]:
        """Return the workers without an order."""
        names = (f"sleeper-{number:03d}" for number in range(self.worker_count))
        return tuple(name for name in names if name not in self._busy)

    def start(self, worker: str, order: WorkOrder) -> None:
        """Note when each frame of an order will be finished."""
        self._busy.add(worker)
        moment_s = time.monotonic()
        for frame in order.frames:
            moment_s += self.seconds_per_frame
            record = FrameRecord(frame, "0" * 64, _SHA256, max(self.seconds_per_frame, 1e-4), is_reused=False)
            self._add(moment_s, worker, order, record)
        if order.task.kind != "render":
            self._add(moment_s, worker, order, FileRecord(order.task.name, "0" * 64))
        if self.are_files_written and order.task.kind == "render":
            template = order.roots.resolve(order.shot.output)
            for frame in order.frames:
                frame_path(template, frame).write_bytes(_CONTENT)
        self._add(moment_s, worker, order, None)

    def _add(self, moment_s: float, worker: str, order: WorkOrder, record: Record | None) -> None:
        self._number += 1
        event = AttemptEnded(worker, order.attempt) if record is None else Recorded(worker, order.attempt, record)
        heapq.heappush(self._due, (moment_s, self._number, worker, event))

    def poll(self, *, timeout_s: float) -> list[Event]:
        """Return what is due, waiting at most `timeout_s` for the first."""
        wait_s = min(timeout_s, self._due[0][0] - time.monotonic()) if self._due else timeout_s
        if wait_s > 0:
            time.sleep(wait_s)
        now_s, news = time.monotonic(), []
        while self._due and self._due[0][0] <= now_s:
            _, _, worker, event = heapq.heappop(self._due)
            news.append(event)
            if isinstance(event, AttemptEnded):
                self._busy.discard(worker)
        return news

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Paint nothing."""
        del order

    def withdraw(self, worker: str) -> None:
        """Ignore it: nothing is cancelled here."""

    def kill(self, worker: str, *, reason: str) -> None:
        """Ignore it: nobody hangs here."""

    def close(self) -> None:
        """Forget everything."""
        self._due.clear()


def job_of(name: str, frame_count: int) -> Job:
    """Return a job of so many frames, without a movie."""
    return Job(
        id=name,
        name=name,
        frames=f"1-{frame_count}",
        passes="bench:passes",
        generator="bench:bench.safetensors",
        output=f"bench:{name}/frame.######.png",
        is_movie_wanted=False,
    )


def run(ledger: Ledger, pool: Sleepers, roots: Roots, job_id: str, *, until: int | None = None) -> list[float]:
    """Turn the scheduler until so many frames, or all, are finished; return the seconds of each turn."""
    scheduler = Scheduler(ledger, pool, roots)
    turns_s = []
    while ledger.job_state(job_id) in ("queued", "active"):
        started_s = time.monotonic()
        scheduler.step(timeout_s=0.05)
        turns_s.append(time.monotonic() - started_s)
        if until is not None and ledger.finished_count(job_id) >= until:
            break
    return turns_s


def weak_scaling(folder: Path, worker_counts: list[int], *, seconds: float, frames: int) -> dict[str, float]:
    """Return the seconds that a shot of `frames` frames for each worker takes, by the number of workers."""
    taken_s = {}
    for count in worker_counts:
        with Ledger(folder / f"weak{count}.sqlite", clock=time.time) as ledger:
            ledger.submit(job_of(f"weak{count}", frames * count), owner="bench")
            started_s = time.monotonic()
            run(ledger, Sleepers(count, seconds), Roots({"bench": folder}), f"weak{count}")
            taken_s[str(count)] = time.monotonic() - started_s
    return taken_s


def resident_mib() -> float:
    """Return this process's memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def long_shot(folder: Path, *, frame_count: int, worker_count: int) -> dict[str, object]:
    """Return what a long shot costs the head: rate without any rendering, memory on the way, resuming half way."""
    path, roots = folder / "long.sqlite", Roots({"bench": folder})
    (folder / "long").mkdir()
    memory_mib = {"before": round(resident_mib(), 1)}
    with Ledger(path, clock=time.time) as ledger:
        started_s = time.monotonic()
        ledger.submit(job_of("long", frame_count), owner="bench")
        submit_s = time.monotonic() - started_s
        started_s = time.monotonic()
        for part in (1, 2):
            pool = Sleepers(worker_count, 0.0, are_files_written=True)
            run(ledger, pool, roots, "long", until=frame_count * part // 4)
            memory_mib[f"{25 * part} %"] = round(resident_mib(), 1)
            ledger.recover()
        first_half_s = time.monotonic() - started_s
    started_s = time.monotonic()
    with Ledger(path, clock=time.time) as ledger:
        opened_s = time.monotonic() - started_s
        ledger.recover()
        lost_count = requeue_lost_frames(ledger, roots)
        resumed_s = time.monotonic() - started_s
        started_s = time.monotonic()
        turns_s = run(ledger, Sleepers(worker_count, 0.0, are_files_written=True), roots, "long")
        second_half_s = time.monotonic() - started_s
        memory_mib["100 %"] = round(resident_mib(), 1)
        report = job_report(ledger, "long")
    assert report["frames"] == {"completed": frame_count}, report
    return {
        "frames": frame_count,
        "workers": worker_count,
        "submit_s": round(submit_s, 2),
        "frames_per_s": [round(frame_count / 2 / taken_s) for taken_s in (first_half_s, second_half_s)],
        "longest_turn_s": round(max(turns_s), 3),
        "memory_mib": memory_mib,
        "resume_s": {"open": round(opened_s, 2), "all": round(resumed_s, 2)},
        "lost_frames": lost_count,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--frames-per-worker", type=int, default=1000)
    parser.add_argument("--workers", default="1,10,100")
    parser.add_argument("--seconds-per-frame", type=float, default=0.05)
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    with tempfile.TemporaryDirectory() as name:
        long = long_shot(Path(name), frame_count=options.frames, worker_count=max(counts))
        print(json.dumps(long), flush=True)
        taken_s = weak_scaling(Path(name), counts, seconds=options.seconds_per_frame, frames=options.frames_per_worker)
    ideal_s = options.frames_per_worker * options.seconds_per_frame
    rates = long["frames_per_s"]
    assert isinstance(rates, list)
    print(
        json.dumps(
            {
                "cores": os.cpu_count(),
                "load_at_end": os.getloadavg()[0],
                "long_shot": long,
                "seconds_per_frame": options.seconds_per_frame,
                "weak_scaling_s": {count: round(value, 2) for count, value in taken_s.items()},
                "weak_scaling": {count: round(taken_s[str(counts[0])] / value, 3) for count, value in taken_s.items()},
                "over_ideal": {count: round(ideal_s / value, 3) for count, value in taken_s.items()},
                "workers_at_the_limit": round(min(rates) * options.seconds_per_frame),
            }
        )
    )


if __name__ == "__main__":
    main()
