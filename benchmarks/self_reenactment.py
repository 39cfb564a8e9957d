"""Self-reenactment of any clip: track it, hold out its last third, train presets on the rest, compare with the plate.

    python benchmarks/self_reenactment.py CLIP [--landmarks F] [--minutes 4] [--face-model M] [--presets fast]
                                          [--output out/self_reenactment] [--device auto]

Every preset gets the same minutes on the same passes; the nearest training frame stands in the same table. A 75-million
weight network is untrained after minutes on a processor, so `dvp2018_half` among the presets stands for one of half the
width that learns from as many images as the first preset did, however long that takes. One report with pictures a
preset is left in the output folder. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast, get_args

from dvp_core.compose import crop_plate
from dvp_core.data.take import Take
from dvp_core.evaluate import Report, Scores, evaluate_take
from dvp_core.generator import Preset, TrainOptions, load_generator, train
from dvp_core.passes import PassFolder
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.passes import export_passes_of
from dvp_core.pipeline.track import track_clip

HALF, HALF_WIDTH = "dvp2018_half", 32


def main() -> None:
    """Track, train, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--take", type=Path, help="a take of the clip, instead of tracking it here")
    parser.add_argument("--face-model", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--presets", default="fast")
    parser.add_argument("--output", type=Path, default=Path("out/self_reenactment"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--consent", type=Path)
    arguments = parser.parse_args()
    presets = arguments.presets.split(",")
    if unknown := set(presets) - {*get_args(Preset), HALF}:
        parser.error(f"unknown presets: {', '.join(sorted(unknown))}")
    if presets[0] == HALF:
        parser.error(f"{HALF} learns from as many images as the first preset; name another one before it")
    take_path = arguments.take or arguments.output / "clip.take"
    if arguments.take is None:
        track_clip(
            arguments.clip,
            take_path,
            landmarks=arguments.landmarks,
            face_model=arguments.face_model,
            consent=arguments.consent,
        )
    take = load_take(take_path, face_model=arguments.face_model)
    passes = export_passes_of(take, arguments.output / "passes")
    reports: dict[str, Report] = {}
    for preset in presets:
        first = reports.get(presets[0])
        reports[preset] = report_of(preset, options_of(preset, first, arguments), take, passes, arguments)
    rows: dict[str, Any] = {preset: row(report.generator, report) for preset, report in reports.items()}
    rows["nearest"] = row(next(iter(reports.values())).nearest, None)
    print(json.dumps({"clip": arguments.clip.name, "minutes": arguments.minutes, "presets": rows}))


def options_of(preset: str, first: Report | None, arguments: argparse.Namespace) -> TrainOptions:
    """Return how a preset is trained; `first` is the report of the first one."""
    options = TrainOptions(
        preset="dvp2018" if preset == HALF else cast(Preset, preset),
        minutes=arguments.minutes,
        hold_out="last-third",
        device=arguments.device,
        threads=arguments.threads,
    )
    if preset != HALF or first is None:
        return options
    images = first.training["steps"] * first.training["batch_size"]
    return replace(options, minutes=None, steps=-(-images // options.recipe.batch_size), width=HALF_WIDTH)


def report_of(
    name: str, options: TrainOptions, take: Take, passes: PassFolder, arguments: argparse.Namespace
) -> Report:
    """Train one preset and return its report."""
    source = open_clip_of(take, arguments.clip)

    def plate_crops(frame: int) -> Any:
        return crop_plate(source.read(take.index_of(frame)), take.crop)

    path = train(take, passes, plate_crops, arguments.output / f"{name}.safetensors", options=options)
    generator = load_generator(path, device=arguments.device)
    return evaluate_take(take, passes, plate_crops, generator, arguments.output / name)


def row(scores: Scores, report: Report | None) -> dict[str, float | int]:
    """Return one line of the table; the nearest training frame trains and paints nothing."""
    speeds = {"images_per_s": 0.0, "inference_ms": 0.0, "parameters": 0, "steps": 0}
    if report is not None:
        speeds = {
            "images_per_s": report.training["images_per_s"],
            "inference_ms": report.inference_ms,
            "parameters": report.parameters,
            "steps": report.training["steps"],
        }
    return asdict(scores) | speeds


if __name__ == "__main__":
    main()
