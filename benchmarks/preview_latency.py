"""How long a preview takes, from passes in memory to the labelled picture: an idle worker, and one busy with a job.

    python benchmarks/preview_latency.py [--previews 40] [--resolution 256] [--preset fast] [--backend ray]

A real head with one worker runs in a process of its own and is asked over HTTP, as Blender asks: of each window only
the last frame is new and is packed within the time that counts, since the ten before it are remembered. The busy
worker renders a job in one chunk of the same generator. What is drawn in Blender before that is not in here. Passes are
smooth waves over the whole square, which is more than a face fills; the generator is untrained. Prints one JSON object
last.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dvp_core.data.camera import Crop
from dvp_core.data.job import Job, job_to_dict
from dvp_core.data.passes import WINDOW_FRAMES, PassFrame
from dvp_core.data.preview import PreviewRequest, pack_pass_frame, request_to_bytes
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.networks import build_network, config_of_preset
from dvp_core.passes import pass_path, write_pass_frame
from farm.client import FarmClient, FarmError, connect

_PASS_FILES = 24
_PHASES = ("wait", "unpack", "paint", "label")


def wave_frame(frame: int, resolution_px: int, *, phase: float = 0.0) -> PassFrame:
    """Return passes as smooth, and so as compressible, as a face's."""
    grid = np.linspace(0, np.pi, resolution_px, dtype=np.float32)
    slope = np.add.outer(grid * 3, grid * 2)[..., None]
    images = {
        name: (np.sin(slope + np.float32(shift + 0.1 * frame + phase) + np.arange(3)) * 0.5 + 0.5).astype(np.float32)
        for name, shift in (("color", 0), ("corr", 1), ("gaze", 2))
    }
    whole = np.ones((resolution_px, resolution_px), np.float32)
    crop = Crop(0, 0, resolution_px, resolution_px)
    return PassFrame(
        frame, **images, mask=whole, depth=whole, crop=crop, take_sha256="0" * 64, face_model_sha256="1" * 64
    )


def make_site(folder: Path, *, preset: str, resolution_px: int) -> None:
    """Write the passes of a short job and an untrained generator."""
    for frame in range(1, _PASS_FILES + 1):
        write_pass_frame(pass_path(folder / "passes", frame), wave_frame(frame, resolution_px))
    torch.manual_seed(1)
    config = config_of_preset(preset, resolution_px=resolution_px)  # pyright: ignore[reportArgumentType]
    crop = Crop(0, 0, resolution_px, resolution_px)
    facts = GeneratorFacts(preset, config, crop, "1" * 64, "2" * 64, "3" * 64, None, {}, {})  # pyright: ignore[reportArgumentType]
    save_generator(folder / "bench.safetensors", build_network(config), facts)


@contextmanager
def running_head(folder: Path, *, backend: str, gpu_share: float) -> Iterator[FarmClient]:
    """Run `dvp farm head` with one worker for the length of the block, and give a client for it."""
    command = [sys.executable, "-m", "dvp_core", "farm", "head", "--root", f"bench={folder}", "--port", "0"]
    command += ["--state", str(folder / "state"), "--workers", "1", "--backend", backend]
    command += ["--gpu-share", str(gpu_share)] if gpu_share else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as head:
        try:
            yield _client_of(folder / "state" / "connection.json", head)
        finally:
            head.send_signal(signal.SIGTERM)


def _client_of(connection: Path, head: subprocess.Popen[bytes]) -> FarmClient:
    while head.poll() is None:
        time.sleep(0.1)
        try:
            client = connect(connection=connection)
            client.jobs()
        except FarmError:
            continue
        return client
    raise SystemExit(f"the head ended with {head.returncode}")


def measured(client: FarmClient, resolution_px: int, *, count: int) -> dict[str, list[float]]:
    """Return milliseconds by phase of so many previews, one after the other; "whole" is what the caller waited."""
    older = [pack_pass_frame(wave_frame(frame, resolution_px)) for frame in range(1, WINDOW_FRAMES)]
    times: dict[str, list[float]] = {name: [] for name in ("whole", *_PHASES)}
    for number in range(count):
        newest = wave_frame(WINDOW_FRAMES, resolution_px, phase=0.01 * number)
        started_s = time.monotonic()
        request = PreviewRequest("bench:bench.safetensors", (*older, pack_pass_frame(newest)))
        answer = client.preview(request_to_bytes(request))
        times["whole"].append(1000 * (time.monotonic() - started_s))
        for name in _PHASES:
            times[name].append(1000 * answer.seconds[name])
    return times


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return median and 95th percentile of each phase."""
    return {
        name: {"p50_ms": round(statistics.median(values), 1), "p95_ms": round(float(np.percentile(values, 95)), 1)}
        for name, values in times.items()
    }


def keep_busy(client: FarmClient, number: int) -> str:
    """Submit a job of all passes in one chunk, wait for its first frame, and return its id."""
    job = Job(
        id=f"busy-{number}",
        name="busy",
        frames=f"1-{_PASS_FILES}",
        passes="bench:passes",
        generator="bench:bench.safetensors",
        output=f"bench:busy-{number}/frame.####.png",
        chunk_size=_PASS_FILES,
        is_movie_wanted=False,
    )
    client.submit(job_to_dict(job))
    while not client.job(job.id)["frames"].get("completed"):
        time.sleep(0.02)
    return job.id


def measured_while_busy(client: FarmClient, resolution_px: int, *, count: int) -> dict[str, list[float]]:
    """Return what `measured` does, of previews that were asked for while a job ran before and after them."""
    kept: dict[str, list[float]] = {}
    number = 0
    while len(kept.get("whole", [])) < count:
        job_id = keep_busy(client, number)
        number += 1
        while True:
            times = measured(client, resolution_px, count=1)
            if client.job(job_id)["state"] not in ("queued", "active"):
                break
            for name, values in times.items():
                kept.setdefault(name, []).extend(values)
    return {name: values[:count] for name, values in kept.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--previews", type=int, default=40)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--preset", default="fast", choices=("fast", "best", "dvp2018", "pix2pix"))
    parser.add_argument("--backend", default="ray", choices=("ray", "this-machine"))
    parser.add_argument("--gpu-share", type=float, default=0.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"DVP_KEYS": str(folder / "keys"), "DVP_STATE": str(folder / "state of outputs")}
        make_site(folder, preset=options.preset, resolution_px=options.resolution)
        with running_head(folder, backend=options.backend, gpu_share=options.gpu_share) as client:
            client = replace(client, timeout_s=60.0)
            first = measured(client, options.resolution, count=1)["whole"][0]
            measured(client, options.resolution, count=3)
            idle = measured(client, options.resolution, count=options.previews)
            print(f"idle: {summary(idle)}", flush=True)
            busy = measured_while_busy(client, options.resolution, count=options.previews)
    print(
        json.dumps(
            {
                "previews": options.previews,
                "resolution_px": options.resolution,
                "preset": options.preset,
                "backend": options.backend,
                "gpu_share": options.gpu_share,
                "cores": os.cpu_count(),
                "load_at_end": os.getloadavg()[0],
                "first_ms": round(first),
                "idle_worker": summary(idle),
                "busy_worker": summary(busy),
            }
        )
    )


if __name__ == "__main__":
    main()
