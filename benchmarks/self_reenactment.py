"""Self-reenactment of any clip: track it, hold out its last third, train presets on the rest, compare with the plate.

    python benchmarks/self_reenactment.py CLIP [--landmarks F] [--minutes 4 | --steps 2000] [--face-model M]
                                          [--presets fast,dvp2018] [--output out/self_reenactment] [--device auto]
                                          [--stop-after 9]

Every preset gets the same budget on the same passes; the nearest training frame stands in the same table. A 75-million
weight network is untrained after minutes on a processor, so `dvp2018_half` among the presets stands for one of half the
width that learns from as many images as the first preset did, however long that takes.

The output folder receives one page over all presets, `comparison.html`, `.png` and `.json`, and a report a preset.
A run that was stopped, or that stopped itself by --stop-after, goes on with the same command: what is tracked, trained
or measured already is kept. Runs on a machine that has torch, numpy, scipy, numba, OpenCV, scikit-image and matplotlib
alone; see `footage.py`. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import torch
from footage import found_landmarks, stored_crops, tracked_take

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, parse_json
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.evaluate import REPORT_FILE, Report, evaluate_take, read_report, retracked_frames, write_comparison
from dvp_core.generator import (
    Footage,
    PlateCrops,
    Preset,
    TrainOptions,
    load_generator,
    make_training_images,
    train_on,
    training_images_stand,
    work_folder,
)
from dvp_core.generator.checkpoint import read_facts
from dvp_core.passes import RenderedPasses
from dvp_core.pipeline.model import load_take
from dvp_core.tracking import TrackOptions

HALF, HALF_WIDTH = "dvp2018_half", 32
IMAGES = "images"
_SECONDS_BETWEEN_LINES = 20.0
_WORTH_STOPPING = ("training", "evaluation")


class OutOfTime(Exception):
    """The minutes after which the run shall stop are over."""


class Clock:
    """Tells on stderr how far the work is, and ends it when its time is over.

    Training saves its state when it is ended; what cannot be taken up again (tracking) is not interrupted.
    """

    def __init__(self, stop_after_minutes: float | None) -> None:
        self._ends_s = None if stop_after_minutes is None else time.monotonic() + 60 * stop_after_minutes
        self._told_s = time.monotonic()
        self.what = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of a step."""
        now_s = time.monotonic()
        if now_s - self._told_s > _SECONDS_BETWEEN_LINES:
            sys.stderr.write(f"{self.what} {stage}: {done} of {total}\n")
            self._told_s = now_s
        if done < total and stage in _WORTH_STOPPING:
            self.stop_if_over()

    def stop_if_over(self) -> None:
        """Raise `OutOfTime` where the time is over."""
        if self._ends_s is not None and time.monotonic() > self._ends_s:
            raise OutOfTime


@dataclass(frozen=True)
class Bench:
    """What all presets share."""

    footage: Footage
    landmarks: LandmarkTrack | None
    output: Path
    arguments: argparse.Namespace
    clock: Clock

    @property
    def plate_crops(self) -> PlateCrops:
        """The plate's crops by frame."""
        assert self.footage.plate_crops is not None
        return self.footage.plate_crops


def main(words: Sequence[str] | None = None) -> int:
    """Track, train, evaluate and print; return the exit status."""
    arguments = parsed(words)
    clock = Clock(arguments.stop_after)
    reports: dict[str, Report] = {}
    content: dict[str, Any] = {"presets": {}}
    is_finished = False
    try:
        bench = opened(arguments, clock)
        for name in arguments.presets:
            clock.what = name
            reports[name] = report_of(name, bench, reports)
            content = compared(reports, bench)
        is_finished = True
        shutil.rmtree(bench.output / IMAGES, ignore_errors=True)
    except OutOfTime:
        sys.stderr.write(f"unfinished: time is over at {clock.what}; the same command goes on from there\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped at {clock.what}; the same command goes on from there\n")
        return 130
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(content | {"is_finished": is_finished}) + "\n")
    return 0


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's words, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--take", type=Path, help="a take of the clip, instead of tracking it here")
    parser.add_argument("--face-model", type=Path)
    parser.add_argument("--minutes", type=float, help="training time of each preset (default: 4)")
    parser.add_argument("--steps", type=int, help="steps of each preset instead of minutes: reproducible")
    parser.add_argument("--presets", default="fast", type=lambda text: text.split(","))
    parser.add_argument("--output", type=Path, default=Path("out/self_reenactment"))
    parser.add_argument("--resolution", type=int, default=256, help="side of the square that the network sees")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--track-device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--consent", type=Path)
    parser.add_argument("--stop-after", type=float, help="minutes after which to stop; the same command goes on")
    arguments = parser.parse_args(words)
    presets = arguments.presets
    if unknown := set(presets) - {*get_args(Preset), HALF}:
        parser.error(f"unknown presets: {', '.join(sorted(unknown))}")
    if presets[0] == HALF:
        parser.error(f"{HALF} learns from as many images as the first preset; name another one before it")
    if arguments.minutes is not None and arguments.steps is not None:
        parser.error("give minutes or steps, not both")
    if arguments.minutes is None and arguments.steps is None:
        arguments.minutes = 4.0
    return arguments


def opened(arguments: argparse.Namespace, clock: Clock) -> Bench:
    """Return the tracked clip with its passes and crops."""
    clock.what = arguments.clip.name
    landmarks = arguments.landmarks
    if arguments.take is not None:
        take = load_take(arguments.take, face_model=arguments.face_model)
    else:
        landmarks = landmarks or found_landmarks(arguments.clip, arguments.output / "clip.landmarks.npz", clock)
        take = tracked_take(
            arguments.clip,
            arguments.output / "clip.take",
            landmarks=landmarks,
            face_model=arguments.face_model,
            consent=arguments.consent,
            options=TrackOptions(resolution_px=arguments.resolution),
            device=arguments.track_device,
            progress=clock,
        )
    if landmarks is None:
        sys.stderr.write("without --landmarks the made pictures are not tracked again\n")
    points = None if landmarks is None else read_landmarks(landmarks)
    crops = stored_crops(take, arguments.clip, arguments.output)
    return Bench(Footage(take, RenderedPasses(take), crops), points, arguments.output, arguments, clock)


def options_of(preset: str, first: Report | None, arguments: argparse.Namespace) -> TrainOptions:
    """Return how a preset is trained; `first` is the report of the first one."""
    options = TrainOptions(
        preset="dvp2018" if preset == HALF else cast(Preset, preset),
        minutes=arguments.minutes,
        steps=arguments.steps,
        hold_out="last-third",
        device=arguments.device,
        threads=arguments.threads,
    )
    if preset != HALF or first is None:
        return options
    images = first.training["steps"] * first.training["batch_size"]
    return replace(options, minutes=None, steps=-(-images // options.recipe.batch_size), width=HALF_WIDTH)


def report_of(name: str, bench: Bench, before: dict[str, Report]) -> Report:
    """Train and measure one preset, or return what was found when that was done."""
    path, folder = bench.output / f"{name}.safetensors", bench.output / name
    options = options_of(name, next(iter(before.values()), None), bench.arguments)
    take = bench.footage.take
    if not is_trained(path, take.sha256, options):
        bench.clock.stop_if_over()
        borrow_images(bench, path, options)
        train_on([bench.footage], path, options=options, progress=bench.clock)
    report = standing_report(folder / REPORT_FILE)
    if report is not None and is_complete(report, bench) and report.training == read_facts(path).record:
        return report
    bench.clock.stop_if_over()
    generator = load_generator(path, device=bench.arguments.device)
    passes = RenderedPasses(take)
    points, clock = bench.landmarks, bench.clock
    return evaluate_take(take, passes, bench.plate_crops, generator, folder, landmarks=points, progress=clock)


def standing_report(path: Path) -> Report | None:
    """Return the report that stands in a file; none where it is missing, damaged, or lacks what is measured by now."""
    try:
        return read_report(path) if path.is_file() else None
    except DataError:
        return None


def is_complete(report: Report, bench: Bench) -> bool:
    """Say whether a report has all that is asked for: those made without landmarks lack a part."""
    if bench.landmarks is None or report.generator_retracked is not None:
        return True
    return retracked_frames(bench.footage.take, bench.landmarks, report.frames) is None


def is_trained(path: Path, take_sha256: str, options: TrainOptions) -> bool:
    """Say whether a generator stands there that was trained on this take with these options."""
    if not path.is_file():
        return False
    facts = read_facts(path)
    wanted = parse_json(canonical_json(asdict(options)), where="options")
    return facts.take_sha256 == take_sha256 and facts.record.get("options") == wanted


def borrow_images(bench: Bench, path: Path, options: TrainOptions) -> None:
    """Make what a preset's training reads, or link to what an earlier one had made where it reads the same."""
    take, own, store = bench.footage.take, work_folder(path) / "images", bench.output / IMAGES
    if training_images_stand([take], path, options):
        return
    for made in sorted(store.glob("*")):
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(made, own, copy_function=os.link)
        if training_images_stand([take], path, options):
            return
    make_training_images([bench.footage], path, options=options, progress=bench.clock)
    shutil.rmtree(store / path.stem, ignore_errors=True)
    shutil.copytree(own, store / path.stem, copy_function=os.link)


def compared(reports: dict[str, Report], bench: Bench) -> dict[str, Any]:
    """Write the page over all presets that are finished, and return its numbers."""
    arguments = bench.arguments
    on_card = torch.cuda.is_available() and arguments.device != "cpu"
    facts = {
        "clip": arguments.clip.name,
        "minutes": arguments.minutes,
        "steps": arguments.steps,
        "device": torch.cuda.get_device_name() if on_card else "cpu",
    }
    folders = {name: bench.output / name for name in reports}
    budget = f"{arguments.steps} steps" if arguments.steps is not None else f"{arguments.minutes:g} minutes"
    title = f"Self-reenactment of {arguments.clip.name}, {budget} of training each"
    return write_comparison(folders, bench.output, title=title, facts=facts)


if __name__ == "__main__":
    sys.exit(main())
