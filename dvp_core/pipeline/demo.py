"""The whole line in one run: track, train, edit in Blender, render on the farm, compose.

On the built-in actor or a user's clip. Blender and the farm run as the commands a user would run,
in processes of their own.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import dvp_core
from dvp_core.actor import actor_clip_path, actor_consent_path, actor_landmarks_path
from dvp_core.compose import crop_plate
from dvp_core.data.edit import Curve, Edit, write_edit
from dvp_core.data.files import canonical_json, sha256_of_file, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job, write_job
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.passes import PassFolder
from dvp_core.pipeline.children import run_module
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.consent import admitted_sha256
from dvp_core.pipeline.movie import Composition, compose_movie
from dvp_core.pipeline.passes import export_passes_of
from dvp_core.pipeline.pictures import SheetRow, pass_pictures, rig_picture, sheet
from dvp_core.pipeline.render_frames import frame_path
from dvp_core.pipeline.track import track_clip, tracking_figures
from dvp_core.pipeline.train import train_generator, train_options
from dvp_core.trust import Label, Work, publish_still, verify
from dvp_core.video import read_image

_SHEET_ROWS = 6


@dataclass(frozen=True)
class DemoOptions:
    """What the demo runs on.

    Attributes:
        output: Folder of the results; work in progress stands in `work/` below it.
        clip: The clip; the built-in actor where not given.
        landmarks: Its landmarks; detected where not given.
        face_model: A face model; the built-in face where not given.
        consent: Consent record; the actor has its own.
        minutes: How long the generator is trained.
        workers: Farm workers.
    """

    output: Path
    clip: Path | None = None
    landmarks: Path | None = None
    face_model: Path | None = None
    consent: Path | None = None
    minutes: float = 4.0
    workers: int = 2

    @property
    def work(self) -> Path:
        """Where intermediate files stand."""
        return self.output / "work"


@dataclass
class _Report:
    """What is told at the end, filled as the stages pass."""

    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the time of one stage."""
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)


def run_demo(options: DemoOptions, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Run the whole line and return the report that also stands in `report.json`.

    Leaves `result.mp4`, `contact.png`, `edited.blend` and `report.json`. An interrupted run goes on where it stood.
    """
    options = _with_actor(options)
    report = _Report()
    options.work.mkdir(parents=True, exist_ok=True)
    with report.stage("track"):
        take = _track(options, progress)
    with report.stage("passes"):
        export_passes_of(take, options.work / "passes", progress=progress)
    with report.stage("train"):
        report.figures["training"] = _train(options, progress)
    with report.stage("edit in Blender"):
        edit = demo_edit(take)
        report.figures["blender"] = _edit_in_blender(options, edit, progress)
    with report.stage("render on the farm"):
        report.figures["farm"] = _render_on_farm(options, take, progress)
    with report.stage("compose"):
        movie = _compose(options, progress)
    with report.stage("contact sheet"):
        _publish_contact_sheet(options, take, edit)
    report.figures["verify"] = verify(movie).as_json()
    report.figures["tracking"] = tracking_figures(take)
    content = _report_content(options, take, edit, report)
    write_bytes_atomically(options.output / "report.json", canonical_json(content))
    return content


def _with_actor(options: DemoOptions) -> DemoOptions:
    if options.clip is not None:
        return options
    return DemoOptions(
        output=options.output,
        clip=actor_clip_path(),
        landmarks=options.landmarks or actor_landmarks_path(),
        face_model=options.face_model,
        consent=options.consent or actor_consent_path(),
        minutes=options.minutes,
        workers=options.workers,
    )


def _clip(options: DemoOptions) -> Path:
    assert options.clip is not None  # `_with_actor` gave one
    return options.clip


def _track(options: DemoOptions, progress: Progress) -> Take:
    return track_clip(
        _clip(options),
        options.work / "clip.take",
        landmarks=options.landmarks,
        face_model=options.face_model,
        consent=options.consent,
        progress=progress,
    )


def _train(options: DemoOptions, progress: Progress) -> dict[str, Any]:
    return train_generator(
        options.work / "clip.take",
        _clip(options),
        options.work / "generator.safetensors",
        options=train_options(minutes=options.minutes),
        passes=options.work / "passes",
        face_model=options.face_model,
        consent=options.consent,
        progress=progress,
    )


def demo_edit(take: Take) -> Edit:
    """Return the demo's edit: a smile, a brow raise and a turn of the head, each with a beginning and an end."""
    first, count = take.frames.first, take.frame_count

    def at(*parts: float) -> tuple[float, ...]:
        return tuple(float(first + round(part * (count - 1))) for part in parts)

    names = set(take.expression_names)
    brow = [name for name in ("browInnerUp", "browInnerUpLeft", "browInnerUpRight") if name in names]
    brow += [name for name in ("browOuterUpLeft", "browOuterUpRight") if name in names]
    smile = [name for name in ("mouthSmileLeft", "mouthSmileRight") if name in names]
    curves = [Curve(f"expression.{name}", at(0.15, 0.25, 0.45, 0.55), (0.0, 0.6, 0.6, 0.0)) for name in smile]
    curves += [Curve(f"expression.{name}", at(0.35, 0.42, 0.52, 0.6), (0.0, 0.7, 0.7, 0.0)) for name in brow]
    curves.append(Curve("head.yaw_deg", at(0.55, 0.68, 0.82, 0.95), (0.0, 10.0, -8.0, 0.0)))
    return Edit(tuple(curves))


def _edit_in_blender(options: DemoOptions, edit: Edit, progress: Progress) -> dict[str, Any]:
    write_edit(options.work / "demo.edit.json", edit)
    task = {
        "take": str(options.work / "clip.take"),
        "plate": str(_clip(options)),
        "face_model": None if options.face_model is None else str(options.face_model),
        "edit": str(options.work / "demo.edit.json"),
        "blend": str(options.output / "edited.blend"),
        "passes": str(options.work / "edited_passes"),
    }
    write_bytes_atomically(options.work / "blender.json", canonical_json(task))

    def told(stage: str, done: int, total: int) -> None:
        progress(f"{stage} in Blender", done, total)

    return run_module("blender_addon.headless", [str(options.work / "blender.json")], progress=told)


def _render_on_farm(options: DemoOptions, take: Take, progress: Progress) -> dict[str, Any]:
    """Run a job file through ledger, scheduler and Ray workers, as `dvp farm run` does for anybody."""
    generator = options.work / "generator.safetensors"
    job = Job(
        id=f"demo-{sha256_of_file(generator)[:12]}-{PassFolder(options.work / 'edited_passes').frames.last}",
        name="Demo",
        frames=str(take.frames),
        passes="work:edited_passes",
        generator="work:generator.safetensors",
        output="work:frames/frame.####.png",
        is_movie_wanted=False,
        inputs_sha256={"generator": sha256_of_file(generator)},
    )
    write_job(options.work / "job.json", job)
    words = ["farm", "run", str(options.work / "job.json"), "--root", f"work={options.work}"]
    words += ["--workers", str(options.workers), "--state", str(options.work / "farm"), "--json"]
    return run_module("dvp_core", words, progress=progress)


def _compose(options: DemoOptions, progress: Progress) -> Path:
    inputs = Composition(
        options.work / "frames",
        options.work / "edited_passes",
        _clip(options),
        unedited=options.work / "passes",
        consent=options.consent,
    )
    return compose_movie(inputs, options.output / "result.mp4", progress=progress)


def _publish_contact_sheet(options: DemoOptions, take: Take, edit: Edit) -> None:
    source = open_clip_of(take, _clip(options))
    passes = PassFolder(options.work / "edited_passes")
    rows = []
    for frame in _telling_frames(take, edit):
        plate = crop_plate(source.read(take.index_of(frame)), take.crop)
        pass_frame = passes.read(frame)
        result = read_image(frame_path(options.work / "frames" / "frame.####.png", frame))
        rows.append(SheetRow(str(frame), (plate, rig_picture(plate, pass_frame), *pass_pictures(pass_frame), result)))
    picture = sheet(rows, columns=("plate", "rig, edited", "colour", "correspondence", "gaze", "result"))
    label = Label(
        is_plate_kept=True,
        description="A sheet that shows filmed frames beside frames re-rendered by a neural network.",
        consent_sha256=admitted_sha256(options.consent, Work("compose", clips_sha256=(take.clip.sha256,))),
    )
    publish_still(options.output / "contact.png", picture, label=label)


def _telling_frames(take: Take, edit: Edit) -> FrameRange:
    """Return frames that show the edit: one untouched, then the middle of every curve's plateau, then a last one."""
    middles = {round(sum(curve.frames[1:3]) / 2) for curve in edit.curves}
    ends = {round(curve.frames[number]) for curve in edit.curves if "yaw" in curve.channel for number in (1, 2)}
    chosen = sorted({take.frames.first + take.frame_count // 12} | middles | ends)
    picked = np.linspace(0, len(chosen) - 1, min(_SHEET_ROWS, len(chosen))).round().astype(int)
    return FrameRange.of(chosen[index] for index in picked)


def _report_content(options: DemoOptions, take: Take, edit: Edit, report: _Report) -> dict[str, Any]:
    return {
        "version": dvp_core.__version__,
        "clip": take.clip.file_name,
        "seconds": report.seconds | {"all": round(sum(report.seconds.values()), 2)},
        "figures": report.figures,
        "edit": [{"channel": c.channel, "frames": list(c.frames), "values": list(c.values)} for c in edit.curves],
        "minutes_of_training": options.minutes,
        "hardware": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "free_disk_bytes": shutil.disk_usage(options.output).free,
        },
    }
