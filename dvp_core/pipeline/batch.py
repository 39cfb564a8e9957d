"""The whole line over a list of clips, unattended.

What fails is named, the rest goes on, and a second run does only what is missing. The list is JSON, its paths relative
to its own folder:

    {"version": 1, "clips": [{"name": "anna", "clip": "anna.mp4", "edit": "smile.edit.json"}]}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, write_bytes_atomically
from dvp_core.data.progress import Progress, no_progress
from dvp_core.generator import TrainOptions
from dvp_core.pipeline.movie import Composition, compose_movie
from dvp_core.pipeline.passes import export_passes
from dvp_core.pipeline.perform import edit_take, transfer_take
from dvp_core.pipeline.render import render_shot
from dvp_core.pipeline.track import track_clip
from dvp_core.pipeline.train import train_generator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class BatchEntry:
    """One clip of a batch.

    Attributes:
        name: Folder of its results.
        clip: Movie, folder or `####` pattern.
        landmarks: A `*.landmarks.npz`; detected where not given.
        face_model: A `*.face.npz`; the built-in face where not given.
        driver: A `*.take` whose performance is laid over the clip's person.
        edit: Keyed curves, laid on after the driver.
        consent: The person's record of consent; the batch's where not given.
    """

    name: str
    clip: Path
    landmarks: Path | None = None
    face_model: Path | None = None
    driver: Path | None = None
    edit: Path | None = None
    consent: Path | None = None


@dataclass(frozen=True)
class BatchResult:
    """What became of one clip: a movie, or the reason why not."""

    name: str
    movie: Path | None
    error: str | None


def read_batch(path: Path | str) -> tuple[BatchEntry, ...]:
    """Read a list of clips.

    Raises:
        DataError: No such file, an unknown or missing field, or a name twice.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != 1 or not isinstance(content.get("clips"), list):
        raise DataError('is no batch: expected {"version": 1, "clips": [...]}', where=path)
    entries = tuple(_entry(item, Path(path)) for item in content["clips"])
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        raise DataError("names one clip twice", where=path)
    return entries


def _entry(item: Any, path: Path) -> BatchEntry:
    known = {field.name for field in fields(BatchEntry)}
    if not isinstance(item, dict) or not {"name", "clip"} <= set(item) <= known:
        raise DataError(f"has the clip {item!r}; each needs name and clip and may have {sorted(known)}", where=path)
    if not all(isinstance(value, str) for value in item.values()) or not _NAME.fullmatch(item["name"]):
        raise DataError(f"has the clip {item!r}; all values are texts, and the name is a folder's", where=path)
    paths = {key: path.parent / value for key, value in item.items() if key != "name"}
    return BatchEntry(name=item["name"], **paths)


def run_batch(
    entries: tuple[BatchEntry, ...],
    output: Path | str,
    *,
    options: TrainOptions,
    consent: Path | None = None,
    progress: Progress = no_progress,
) -> list[BatchResult]:
    """Run the line for every clip and write `report.json`; a clip that fails does not stop the others.

    Args:
        entries: The clips.
        output: Folder; each clip gets a folder in it.
        options: How each generator is trained.
        consent: Record for clips that name none.
        progress: Told with the clip's name before the stage.
    """
    results = []
    for entry in entries:
        told = _prefixed(progress, entry.name)
        try:
            movie = _run_entry(entry, Path(output) / entry.name, options, entry.consent or consent, told)
            results.append(BatchResult(entry.name, movie, None))
        except DataError as error:
            results.append(BatchResult(entry.name, None, str(error)))
        _write_report(Path(output), results, len(entries))
    return results


def _run_entry(
    entry: BatchEntry, folder: Path, options: TrainOptions, consent: Path | None, progress: Progress
) -> Path:
    take = folder / "clip.take"
    track_clip(
        entry.clip,
        take,
        landmarks=entry.landmarks,
        face_model=entry.face_model,
        subject=entry.name,
        consent=consent,
        progress=progress,
    )
    generator = folder / "generator.safetensors"
    train_generator(
        take, entry.clip, generator, options=options, face_model=entry.face_model, consent=consent, progress=progress
    )
    performed = _performed(entry, take, folder)
    export_passes(performed, folder / "passes", face_model=entry.face_model, progress=progress)
    render_shot(folder / "passes", generator, folder / "frames", progress=progress)
    inputs = Composition(
        folder / "frames", folder / "passes", entry.clip, unedited=take, face_model=entry.face_model, consent=consent
    )
    return compose_movie(inputs, folder / "result.mp4", progress=progress)


def _performed(entry: BatchEntry, take: Path, folder: Path) -> Path:
    """Return the take that shall be rendered: driven, edited, or as it was tracked."""
    if entry.driver is not None:
        driven = folder / "driven.take"
        transfer_take(entry.driver, take, driven)
        take = driven
    if entry.edit is not None:
        edited = folder / "edited.take"
        edit_take(take, edited, edit=entry.edit)
        take = edited
    return take


def _prefixed(progress: Progress, name: str) -> Progress:
    def told(stage: str, done: int, total: int) -> None:
        progress(f"{name}: {stage}", done, total)

    return told


def _write_report(output: Path, results: list[BatchResult], total: int) -> None:
    content = {
        "clips": total,
        "done": [{"name": item.name, "movie": str(item.movie)} for item in results if item.error is None],
        "failed": [{"name": item.name, "error": item.error} for item in results if item.error is not None],
    }
    write_bytes_atomically(output / "report.json", canonical_json(content))
