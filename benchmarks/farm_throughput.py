"""What the farm costs: the ledger and scheduler alone, and rendering on Ray workers against bare processes.

    python benchmarks/farm_throughput.py [--frames 240] [--rounds 3] [--resolution 256]

Bare and farm alternate within a round, because neighbours on a shared machine disturb both alike. Set-up (starting
Ray, loading torch and the generator) is left out on both sides, and so are a shot's first frames, which are
rendered out of their order: the clock starts with warm workers. Then a head that runs is timed: submission to first
frame, and how soon work goes on after a killed worker and a killed head (`farm_recovery.py`).
Prints one JSON object last. It makes its own passes and an untrained generator; what it renders shows nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from farm_recovery import recovery_figures

from dvp_core.data.camera import Crop
from dvp_core.data.job import Job
from dvp_core.data.passes import PassFrame
from dvp_core.passes import pass_path, write_pass_frame
from dvp_core.pipeline.render_frames import FrameRecord, open_shot, render_frames
from farm.backends.on_ray import WORKER_ENVIRONMENT
from farm.backends.on_this_machine import OnThisMachine
from farm.ledger import Ledger
from farm.local import run_job
from farm.roots import Roots
from farm.scheduler import Scheduler
from farm.tasks import FileRecord, Record, WorkOrder

FIRST = 1
_MOST_FIRST_FRAMES = 12


def make_site(folder: Path, *, frame_count: int, resolution_px: int) -> None:
    """Write smooth random passes, as compressible as real ones, and a generator of the fast preset."""
    import torch

    from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
    from dvp_core.generator.networks import build_network, config_of_preset

    crop = Crop(0, 0, resolution_px, resolution_px)
    random = np.random.default_rng(1)
    grid = np.linspace(0, np.pi, resolution_px, dtype=np.float32)
    for frame in range(FIRST, FIRST + frame_count):
        phases = random.random((3, 3)) * 6
        waves = [np.sin(np.add.outer(grid * 3, grid * 2)[..., None] + phase) * 0.5 + 0.5 for phase in phases]
        color, corr, gaze = (wave.astype(np.float32) for wave in waves)
        mask = np.ones((resolution_px, resolution_px), np.float32)
        hashes = {"take_sha256": "0" * 64, "face_model_sha256": "1" * 64}
        write_pass_frame(
            pass_path(folder / "passes", frame),
            PassFrame(frame, color=color, corr=corr, gaze=gaze, mask=mask, depth=mask, crop=crop, **hashes),
        )
    torch.manual_seed(1)
    config = config_of_preset("fast", resolution_px=resolution_px)
    facts = GeneratorFacts("fast", config, crop, "1" * 64, "2" * 64, "3" * 64, None, {}, {})
    save_generator(folder / "bench.safetensors", build_network(config), facts)


def bare_process(folder: str, name: str, frames: list[int], barrier: object, answers: object) -> None:
    """Render frames in a plain loop and tell when each was finished."""
    shot = open_shot(Path(folder) / "passes", Path(folder) / "bench.safetensors")
    times = []
    warm_up = [frames[0] - 1] if frames[0] > FIRST else [frames[0]]
    list(render_frames(shot, warm_up, output=Path(folder) / f"{name}-warm" / f"{frames[0]}.####.png"))
    barrier.wait()  # pyright: ignore[reportAttributeAccessIssue]
    times.append(time.time())
    for _ in render_frames(shot, frames, output=Path(folder) / name / "frame.####.png"):
        times.append(time.time())
    answers.put(times)  # pyright: ignore[reportAttributeAccessIssue]


def bare_rate(folder: Path, name: str, *, frame_count: int, process_count: int) -> float:
    """Return frames per second of plain processes with the workers' environment, each with its part of the shot."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(process_count), context.Queue()
    frames = list(range(FIRST, FIRST + frame_count))
    size = -(-frame_count // process_count)
    parts = [frames[start : start + size] for start in range(0, frame_count, size)]
    os.environ.update(WORKER_ENVIRONMENT)
    processes = [
        context.Process(target=bare_process, args=(str(folder), name, part, barrier, answers)) for part in parts
    ]
    for process in processes:
        process.start()
    times = [moment for _ in processes for moment in answers.get()]
    for process in processes:
        process.join()
    return (len(times) - process_count) / (max(times) - min(times))


def farm_rate(folder: Path, name: str, *, frame_count: int, workers: int) -> float:
    """Return frames per second on Ray workers, from the first finished frame to the last."""
    times: list[float] = []
    counts: list[int] = []

    def note(stage: str, done: int, total: int) -> None:
        times.append(time.monotonic())
        counts.append(done)

    job = Job(
        id=name,
        name=name,
        frames=f"{FIRST}-{FIRST + frame_count - 1}",
        passes="bench:passes",
        generator="bench:bench.safetensors",
        output=f"bench:{name}/frame.####.png",
        is_movie_wanted=False,
    )
    roots = Roots({"bench": folder})
    report = run_job(job, roots=roots, state_folder=folder / "state" / name, workers=workers, progress=note)
    assert report["state"] == "completed", report
    start = next(index for index, count in enumerate(counts) if count >= _MOST_FIRST_FRAMES + 2 * workers)
    end = counts.index(frame_count)
    return (counts[end] - counts[start]) / (times[end] - times[start])


def nothing_task(order: WorkOrder) -> Iterator[Record]:
    """Report frames without rendering any."""
    if order.task.kind != "render":
        yield FileRecord(order.task.kind, "0" * 64)
        return
    for frame in order.frames:
        yield FrameRecord(frame, "0" * 64, "0" * 64, 0.001, is_reused=False)


def dispatch_rate(folder: Path, *, frame_count: int, chunk_size: int) -> float:
    """Return how many frames a second ledger and scheduler can account for, durably."""
    job = Job(
        id="empty",
        name="empty",
        frames=f"1-{frame_count}",
        passes="bench:passes",
        generator="bench:bench.safetensors",
        output="bench:empty/frame.####.png",
        chunk_size=chunk_size,
    )
    path = folder / f"dispatch-{frame_count}-{chunk_size}.sqlite"
    with Ledger(path, clock=time.time) as ledger:
        ledger.submit(job, owner="bench")
        scheduler = Scheduler(ledger, OnThisMachine(nothing_task, worker_count=8), Roots({"bench": folder}))
        started_s = time.monotonic()
        while ledger.job_state("empty") in ("queued", "active"):
            scheduler.step(timeout_s=0)
        return frame_count / (time.monotonic() - started_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resolution", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"DVP_KEYS": str(folder / "keys"), "DVP_STATE": str(folder / "state of outputs")}
        make_site(folder, frame_count=options.frames, resolution_px=options.resolution)
        dispatch = {
            f"{count} frames, chunks of {size}": round(dispatch_rate(folder, frame_count=count, chunk_size=size))
            for count, size in ((2_000, 1), (20_000, 16))
        }
        rates: dict[str, list[float]] = {}
        for number in range(options.rounds):
            for count in (1, 2):
                bare = bare_rate(folder, f"bare{count}.{number}", frame_count=options.frames, process_count=count)
                farm = farm_rate(folder, f"farm{count}.{number}", frame_count=options.frames, workers=count)
                rates.setdefault(f"bare, {count} processes", []).append(bare)
                rates.setdefault(f"farm, {count} workers", []).append(farm)
                print(f"round {number + 1}: {count}: bare {bare:.2f}, farm {farm:.2f} frames/s", flush=True)
        recovery = recovery_figures(folder, frame_count=options.frames)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(
        json.dumps(
            {
                "frames": options.frames,
                "resolution_px": options.resolution,
                "cores": os.cpu_count(),
                "load_at_end": os.getloadavg()[0],
                "dispatch_frames_per_s": dispatch,
                "recovery": recovery,
                "frames_per_s": {name: [round(value, 2) for value in values] for name, values in rates.items()},
                "farm_over_bare": {
                    str(count): round(medians[f"farm, {count} workers"] / medians[f"bare, {count} processes"], 3)
                    for count in (1, 2)
                },
            }
        )
    )


if __name__ == "__main__":
    main()
