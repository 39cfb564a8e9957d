"""Takes and clips to the generator of one person."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dvp_core.compose import crop_plate
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take, read_take
from dvp_core.generator import (
    Footage,
    Preset,
    TrainOptions,
    default_preset,
    footage_doubts,
    load_generator,
    make_training_images,
    train_on,
    training_images_stand,
)
from dvp_core.pipeline import recipe
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.consent import admitted_sha256, work_on_takes
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.passes import export_passes_of
from dvp_core.trust import enter

Tell = Callable[[str], None]
"""Takes one sentence for people."""

_FARTHEST_CROP = 0.25
"""How far another take's crop may lie aside, in sides of the first one's, before its face leaves the picture."""
_LARGEST_ZOOM = 1.25


def train_options(*, preset: Preset | Literal["auto"] = "auto", **wishes: Any) -> TrainOptions:
    """Return the defaults of training with a user's wishes; see `TrainOptions`.

    Args:
        preset: Network and recipe; "auto" is what suits the device.
        wishes: The other options.

    Raises:
        DataError: A device that is not there.
    """
    chosen = default_preset(wishes.get("device", "auto")) if preset == "auto" else preset
    return TrainOptions(preset=chosen, **wishes)


@dataclass(frozen=True)
class TrainingInputs:
    """What a generator is made from.

    Attributes:
        takes: Takes of one person as tracked (not edited), each with its movie; all are seen through the first's crop.
        passes: Folder of the take's passes, or with several takes of a folder for each; rendered where missing, and for
            this run alone where not given.
        face_model: See `load_take`.
    """

    takes: Sequence[tuple[Path | str, Path | str]]
    passes: Path | str | None = None
    face_model: Path | str | None = None


def train_generator(
    take: Path | str,
    clip: Path | str,
    output: Path | str,
    *,
    further: Sequence[tuple[Path | str, Path | str]] = (),
    options: TrainOptions | None = None,
    start_from: Path | str | None = None,
    passes: Path | str | None = None,
    face_model: Path | str | None = None,
    consent: Path | str | None = None,
    tell: Tell = lambda sentence: None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Train the generator of a take's person, or keep the one that stands there when nothing has changed.

    Args:
        take: The first take.
        clip: The movie it was tracked from.
        output: The `*.safetensors`.
        further: More takes of the person with their movies.
        options: How, and for how long.
        start_from: An earlier generator to begin with.
        passes: See `TrainingInputs`.
        face_model: See `load_take`.
        consent: Consent record, which must allow to train on every clip; named in the generator and the ledger.
        tell: Told what the footage hardly shows, before the work begins.
        progress: Told as the work goes on.

    Returns:
        The training record.

    Raises:
        ConsentRefusedError: The record does not allow this training now.
        DataError: See `dvp_core.generator.train_on`.
    """
    options = options or train_options()
    pairs = [(take, clip), *further]
    hash_of_consent = _admitted(consent, [path for path, _ in pairs], start_from)
    hashed = {"take": take, "consent": consent, "start_from": start_from}
    hashed |= {f"take {number}": path for number, (path, _) in enumerate(further, start=2)}
    steps = recipe.recipe_of("train", hashed, asdict(options))
    if not recipe.is_fresh(output, steps):
        inputs = TrainingInputs(pairs, passes, face_model)
        with _footage(inputs, output, options, tell, progress) as footage:
            train_on(
                footage,
                output,
                options=options,
                start_from=start_from,
                consent_sha256=hash_of_consent,
                progress=progress,
            )
        enter("generator", sha256_of_file(output), consent_sha256=hash_of_consent)
        recipe.record(output, steps)
    return dict(load_generator(output).facts.record)


def _admitted(consent: Path | str | None, takes: Sequence[Path | str], start_from: Path | str | None) -> str | None:
    if consent is None:
        return None
    work = work_on_takes("train", map(read_take, takes), begins_with_generator=start_from is not None)
    return admitted_sha256(consent, work)


def make_images(
    inputs: TrainingInputs,
    output: Path | str,
    *,
    options: TrainOptions | None = None,
    tell: Tell = lambda sentence: None,
    progress: Progress = no_progress,
) -> Path:
    """Make all that training to `output` reads besides the takes, for a machine without clip or passes.

    Returns:
        The folder to copy; the same `train_generator` there finds it and opens neither clip nor passes.
    """
    options = options or train_options()
    with _footage(inputs, output, options, tell, progress) as footage:
        return make_training_images(footage, output, options=options, progress=progress)


def training_summary(record: Mapping[str, Any]) -> str:
    """Return how a training went as one line for a terminal."""
    line = f"{record['steps']} steps in {record['seconds'] / 60:.1f} minutes on {record['training_frames']} frames"
    if best := record.get("best"):
        line += f"; best on watched frames after step {best['step']} ({best['watched']:.2f} levels)"
    return f"{line}{', stopped early' if record.get('stopped_early') else ''}.\n"


def paired(takes: Sequence[Path], clips: Sequence[Path]) -> list[tuple[Path | str, Path | str]]:
    """Return takes with their movies, given in the same order.

    Raises:
        DataError: None, or more of one than of the other.
    """
    if not takes or len(takes) != len(clips):
        raise DataError(
            f"{len(takes)} takes and {len(clips)} clips are given",
            where="--clip",
            remedy="Name for every take the movie it was tracked from, in the same order",
        )
    return list(zip(takes, clips, strict=True))


def seen_alike(takes: Sequence[Take]) -> list[Take]:
    """Return takes as seen through the crop of the first, which is the one square that a generator paints.

    Raises:
        DataError: A plate of another size, or a crop so far aside that the face would lie elsewhere.
    """
    first = takes[0]
    for take in takes[1:]:
        where = f"take '{take.subject}' ({take.clip.file_name})"
        sizes = [(own.clip.width_px, own.clip.height_px) for own in (take, first)]
        if sizes[0] != sizes[1]:
            raise DataError(
                f"its plate is {sizes[0][0]}x{sizes[0][1]} px, but that of {first.clip.file_name} is "
                f"{sizes[1][0]}x{sizes[1][1]} px",
                where=where,
                remedy="Give movies of one size, filmed with the same camera standing still",
            )
        _check_near(take, first, where)
    return [first, *(replace(take, crop=first.crop) for take in takes[1:])]


def _check_near(take: Take, first: Take, where: str) -> None:
    own, crop = take.crop, first.crop
    aside = [
        own.x_px + own.size_px / 2 - crop.x_px - crop.size_px / 2,
        own.y_px + own.size_px / 2 - crop.y_px - crop.size_px / 2,
    ]
    zoom = max(own.size_px / crop.size_px, crop.size_px / own.size_px)
    if max(map(abs, aside)) > _FARTHEST_CROP * crop.size_px or zoom > _LARGEST_ZOOM:
        raise DataError(
            f"its face lies in {own}, too far from the {crop} of {first.clip.file_name}",
            where=where,
            remedy="Train together only what was filmed from one place at one distance; train this take alone",
        )


@contextmanager
def _footage(
    inputs: TrainingInputs, output: Path | str, options: TrainOptions, tell: Tell, progress: Progress
) -> Iterator[list[Footage]]:
    """Takes with their passes and plates; takes alone where a run begun before has left its images."""
    takes = seen_alike([load_take(path, face_model=inputs.face_model) for path, _ in inputs.takes])
    for sentence in footage_doubts(takes, options):
        tell(sentence)
    if training_images_stand(takes, output, options):
        yield [Footage(take) for take in takes]
        return
    with ExitStack() as stack:
        folders = [stack.enter_context(_pass_folder(folder)) for folder in _pass_folders(inputs)]
        parts = zip(takes, inputs.takes, folders, strict=True)
        yield [_filmed(take, clip, folder, options, progress) for take, (_, clip), folder in parts]


def _filmed(take: Take, clip: Path | str, folder: Path | str, options: TrainOptions, progress: Progress) -> Footage:
    source = open_clip_of(take, clip)

    def plate_crop(frame: int) -> np.ndarray:
        return crop_plate(source.read(take.index_of(frame)), take.crop)

    rendered = export_passes_of(take, folder, frames=_needed(take, options), progress=progress)
    return Footage(take, rendered, plate_crop)


def _needed(take: Take, options: TrainOptions) -> FrameRange:
    stop = take.clip.hold_out_start if options.hold_out == "last-third" else take.frame_count
    return FrameRange(take.frames.numbers[:stop])


def _pass_folders(inputs: TrainingInputs) -> list[Path | str | None]:
    if inputs.passes is None or len(inputs.takes) == 1:
        return [inputs.passes] * len(inputs.takes)
    names = (f"{number:02d}_{Path(take).stem}" for number, (take, _) in enumerate(inputs.takes, start=1))
    return [Path(inputs.passes) / name for name in names]


@contextmanager
def _pass_folder(passes: Path | str | None) -> Iterator[Path | str]:
    if passes is not None:
        yield passes
        return
    with tempfile.TemporaryDirectory(prefix="dvp-passes-") as folder:
        yield folder
