"""One run of chaos: a job from its submission to its end, with a plug pulled every few frames."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from dvp_core.data.files import sha256_of_file
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import frame_path
from farm.local import run_job
from farm.roots import Roots
from farm.worker import run_order
from tools.chaos import faults, task
from tools.chaos.audit import audit
from tools.chaos.cluster import Cluster
from tools.chaos.disk import Disk
from tools.chaos.farm_under_test import JOB_ID, Farm
from tools.chaos.head_process import LEASE_S
from tools.chaos.shot import GENERATOR, PASSES, write_shot

_FIRST = 101
_FRAMES_BETWEEN = (1, 3)
_PACE_BETWEEN_S = 0.1
_PACE_DURING_S = 4.0
"""Slow enough that frames are left for the last fault, and that most faults meet a frame in hand, half of them as it
is written; quicker than the shortest deadline."""


@dataclass(frozen=True)
class ChaosOptions:
    """A run.

    Attributes:
        folder: Where everything happens; must not exist.
        plan: How often each fault of `faults.ALL` happens with a Ray of the head's own.
        joined_plan: How often, in a first half of the run, with a cluster that the head joins; needs namespaces.
        seed: Of everything random.
        frame_count: Frames of the job.
        chunk_size: Frames a worker takes at once.
        is_quick: Make frames without a network.
        disk_bytes: Size of a mounted share; 0 for a plain folder.
    """

    folder: Path
    plan: dict[str, int]
    joined_plan: dict[str, int]
    seed: int = 1
    frame_count: int = 300
    chunk_size: int = 8
    is_quick: bool = False
    disk_bytes: int = 0


def run_chaos(options: ChaosOptions, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Return what came of a run, ready for JSON; `problems` is empty where all promises were kept."""
    started_s = time.monotonic()
    farm = _set_up(options)
    try:
        say(f"rendering {options.frame_count} frames undisturbed")
        expected = _undisturbed(farm, options)
        if options.joined_plan:
            _lay_cluster(farm)
        farm.start()
        farm.submit()
        farm.wait_for_frames(1)
        counts = _torture(farm, options, say)
        _let_it_end(farm, say)
        result = audit(farm, expected)
    finally:
        farm.end_all()
        if farm.cluster is not None:
            farm.cluster.close()
        farm.disk.close()
    return {
        "faults": counts.total(),
        "frames": result.frames,
        "identical": result.identical,
        "half_written": result.half_written,
        "wasted_frames": result.wasted_frames,
        "lost_workers": farm.lost_worker_count,
        "destroyed_frames": farm.destroyed_count,
        "head_restarts": farm.restart_count,
        "by_kind": dict(sorted(counts.items())),
        "seed": options.seed,
        "seconds": round(time.monotonic() - started_s, 1),
        "problems": asdict(result)["problems"],
    }


def _set_up(options: ChaosOptions) -> Farm:
    options.folder.mkdir(parents=True)
    disk = Disk(options.folder / "site", options.disk_bytes)
    disk.set_up()
    write_shot(disk.share, first=_FIRST, last=_FIRST + options.frame_count - 1)
    job = Job(
        id=JOB_ID,
        name="the tortured shot",
        frames=f"{_FIRST}-{_FIRST + options.frame_count - 1}",
        passes=f"site:{PASSES}",
        generator=f"site:{GENERATOR}",
        output=f"site:{JOB_ID}/frame.####.png",
        chunk_size=options.chunk_size,
        max_retries_per_frame=8,
        is_movie_wanted=False,
    )
    farm = Farm(options.folder, disk, job)
    farm.control.set_up(is_quick=options.is_quick)
    return farm


def _undisturbed(farm: Farm, options: ChaosOptions) -> dict[int, str]:
    """Return the hash of every frame as one process renders them that nobody disturbs."""
    folder = options.folder / "undisturbed"
    folder.mkdir()
    job = replace(farm.job, id="undisturbed", output="out:frames/frame.####.png")
    report = run_job(
        job,
        roots=Roots({"site": farm.disk.share, "out": folder}),
        state_folder=folder / "state",
        backend="this-machine",
        task_function=task.quick_order if options.is_quick else run_order,
    )
    if report["state"] != "completed":
        raise RuntimeError(f"the undisturbed run is {report['state']}: {report['message']}")
    template = folder / "frames" / "frame.####.png"
    return {frame: sha256_of_file(frame_path(template, frame)) for frame in job.frame_range}


def _torture(farm: Farm, options: ChaosOptions, say: Callable[[str], None]) -> Counter[str]:
    """Pull all plugs of the plan and return how often each was pulled."""
    random = Random(options.seed)
    halves = [_shuffled(options.joined_plan, random), _shuffled(options.plan, random)]
    left = sum(map(len, halves))
    counts: Counter[str] = Counter()
    for names in halves:
        for name in names:
            farm.control.set_pace(_PACE_BETWEEN_S)
            report = farm.wait_for_frames(random.randint(*_FRAMES_BETWEEN))
            if report["state"] == "completed":
                say("the job is complete before its time")
                return counts
            farm.control.set_pace(_PACE_DURING_S)
            say(f"{report['frames'].get('completed', 0):4d} frames done, {left:3d} faults to come, now: {name}")
            faults.ALL[name].act(farm, random)
            counts[name] += 1
            left -= 1
        if farm.cluster is not None and left:
            _leave_cluster(farm)
    return counts


def _shuffled(plan: dict[str, int], random: Random) -> list[str]:
    names = [name for name, count in plan.items() for _ in range(count)]
    random.shuffle(names)
    return names


def _lay_cluster(farm: Farm) -> None:
    """Let the next head that starts join a cluster of two nodes."""
    cluster = Cluster(farm.folder / "cluster", farm.environment())
    cluster.set_up()
    farm.cluster = cluster


def _leave_cluster(farm: Farm) -> None:
    """End the head in peace, and the cluster, and start the head with a Ray of its own."""
    assert farm.cluster is not None
    farm.stop()
    farm.cluster.close()
    farm.cluster = None
    farm.restart()


def _let_it_end(farm: Farm, say: Callable[[str], None]) -> None:
    farm.control.set_pace(0.0)
    say("no more faults; the job goes to its end")
    farm.wait_until(lambda report: report["state"] == "completed", "the job completes", limit_s=600)
    time.sleep(LEASE_S + 2)  # then no worker that was given up can write any more
    farm.stop()
