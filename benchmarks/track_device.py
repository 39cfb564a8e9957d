"""Times the frames' stage of the tracker: one frame after the other, and in batches on a device, side by side.

    python benchmarks/track_device.py [--device cuda] [--frames 120] [--rounds 3] [--batch 64 128]
    python benchmarks/track_device.py --clip CLIP --landmarks F --face-model M

Without a clip it takes the built-in actor. The person (shape, lens, reflectance) is found once; after a warm-up every
round times each way over the same frames in turn, so that all see the same machine. `frames_per_s` counts decoding,
gaze and all else of the stage: the median over the rounds, the least and the largest; `processor_ms_per_frame` is the
time of all the process's threads, which another program on the machine changes less. `solver_ms_per_frame` is what
`fit_batch` alone takes, the device waited for. `agreement` says how far the ways' results lie apart: median, 95th
percentile, largest. `--device cpu` runs the batches without a card. The last thing printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dvp_core.actor import actor_clip_path, actor_landmarks_path
from dvp_core.data.clip import FrameSource
from dvp_core.data.face_model import FaceModel, read_face_model
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.data.progress import no_progress
from dvp_core.face import import_ict
from dvp_core.face.built_in import built_in_face
from dvp_core.face.detectors import detector_table
from dvp_core.maths.rotations import angle_between_deg
from dvp_core.pipeline.clips import part_of
from dvp_core.tracking import TrackOptions
from dvp_core.tracking.batched import Batches
from dvp_core.tracking.batched.conductor import follow_in_batches
from dvp_core.tracking.batched.device import torch_device
from dvp_core.tracking.following import FollowedFrame, follow
from dvp_core.tracking.frames import FittedFrame
from dvp_core.tracking.setup import KnownClip, clip_points, known_person
from dvp_core.video import open_clip

TO_REACH = {"frames_per_s": 300, "on": "one H200, 256 px"}
Fitted = dict[int, FittedFrame]


def known_clip(source: FrameSource, landmarks: LandmarkTrack, model: FaceModel) -> KnownClip:
    """Return the clip with its person found."""
    points = clip_points(landmarks)
    table = None if landmarks.point_count == 68 else detector_table(model)
    person = known_person(source, points, landmarks.is_detected, model, TrackOptions(), no_progress, table=table)
    return KnownClip(source, landmarks, points, person)


def fitted_frames(followed: Iterable[FollowedFrame]) -> Fitted:
    """Follow a clip to its end; return its frames by index."""
    return {frame.index: frame.fitted for frame in followed}


@dataclass(frozen=True)
class Timing:
    """One way's rounds: seconds by the clock, seconds of the processor, and the last result."""

    clock_s: list[float]
    processor_s: list[float]
    result: Fitted


def timed(ways: dict[str, Callable[[], Fitted]], rounds: int) -> dict[str, Timing]:
    """Return each way's timing after one warm-up."""
    timings = {name: Timing([], [], way()) for name, way in ways.items()}
    for _ in range(rounds):
        for name, way in ways.items():
            clock_s, processor_s = time.perf_counter(), time.process_time()
            way()
            timings[name].clock_s.append(time.perf_counter() - clock_s)
            timings[name].processor_s.append(time.process_time() - processor_s)
    return timings


def agreement(one: Fitted, other: Fitted) -> dict[str, list[float]]:
    """Return median, 95th percentile and largest difference of what two ways found."""
    pairs = [(one[index].state, other[index].state) for index in sorted(one)]
    turns = angle_between_deg(*(np.stack([pair[side].rotation for pair in pairs]) for side in range(2)))
    ways_mm = [1000 * np.linalg.norm(a.translation_m - b.translation_m) for a, b in pairs]
    expressions = np.abs([a.expression - b.expression for a, b in pairs])
    lights = np.abs([one[index].illumination_sh - other[index].illumination_sh for index in sorted(one)])
    sigma = np.abs([other[index].sigma / one[index].sigma - 1 for index in sorted(one)])
    values = {
        "rotation_deg": turns,
        "translation_mm": ways_mm,
        "expression": expressions,
        "illumination_sh": lights,
        "sigma_relative": sigma,
    }
    return {
        name: np.round([np.median(each), np.percentile(each, 95), np.max(each)], 5).tolist()
        for name, each in values.items()
    }


def spread(values: np.ndarray) -> dict[str, float]:
    """Return median, least and largest."""
    named = (("median", np.median(values)), ("least", values.min()), ("largest", values.max()))
    return {name: round(float(value), 2) for name, value in named}


def solver_ms_per_frame(clip: KnownClip, batches: Batches) -> float:
    """Return the time inside `fit_batch` alone, with nothing left running on the device."""
    from dvp_core.tracking.batched import conductor

    spent_s: list[float] = []
    whole = conductor.fit_batch

    def watched(*arguments: Any) -> Any:
        _wait(batches)
        start = time.perf_counter()
        result = whole(*arguments)
        _wait(batches)
        spent_s.append(time.perf_counter() - start)
        return result

    conductor.fit_batch = watched
    try:
        fitted = fitted_frames(follow_in_batches(clip, batches, no_progress))
    finally:
        conductor.fit_batch = whole
    return round(1000 * sum(spent_s) / len(fitted), 3)


def _wait(batches: Batches) -> None:
    if batches.device == "cuda":
        torch.cuda.synchronize()


def _hardware(batches: Batches) -> dict[str, Any]:
    card = torch.cuda.get_device_name() if batches.device == "cuda" else None
    load = Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"
    return {
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "card": card,
        "load_before": load,
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()


def _model(path: Path | None) -> FaceModel:
    if path is None:
        return built_in_face()
    return read_face_model(path) if path.name.endswith(".face.npz") else import_ict(path)


def main() -> None:
    """Time both ways and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--face-model", type=Path, help="*.face.npz, or ICT-FaceKit's folder or npz")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[Batches().frame_count], help="frames fitted at the same time"
    )
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    landmarks = read_landmarks(arguments.landmarks or actor_landmarks_path())
    source = open_clip(arguments.clip or actor_clip_path(), fps=landmarks.fps or Fraction(25))
    count, first = min(arguments.frames, source.clip.frame_count), source.clip.start_frame
    source, landmarks = part_of(source, FrameRange.span(first, first + count - 1)), landmarks.part(0, count)
    hardware = _hardware(Batches(device=arguments.device))
    clip = known_clip(source, landmarks, _model(arguments.face_model))
    kinds = {f"batches of {n}": Batches(arguments.device, n, arguments.precision) for n in arguments.batch}
    ways: dict[str, Callable[[], Fitted]] = {"one by one": lambda: fitted_frames(follow(clip, no_progress))}
    ways |= {
        name: lambda batches=batches: fitted_frames(follow_in_batches(clip, batches, no_progress))
        for name, batches in kinds.items()
    }
    timings = timed(ways, arguments.rounds)
    report = {
        "commit": _commit(),
        "hardware": hardware,
        "clip": source.clip.file_name,
        "size_px": [source.clip.width_px, source.clip.height_px],
        "frame_count": count,
        "device": arguments.device,
        "precision": arguments.precision,
        "rounds": arguments.rounds,
        "to_reach": TO_REACH,
        "frames_per_s": {name: spread(count / np.array(each.clock_s)) for name, each in timings.items()},
        "processor_ms_per_frame": {
            name: spread(1000 * np.array(each.processor_s) / count) for name, each in timings.items()
        },
        "solver_ms_per_frame": {name: solver_ms_per_frame(clip, batches) for name, batches in kinds.items()},
        "agreement": {name: agreement(timings["one by one"].result, timings[name].result) for name in kinds},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
