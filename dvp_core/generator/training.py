"""From footage to a published generator: what is checked first, and what its file says about itself.

The run itself stands in `run.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.generator.checkpoint import GeneratorFacts, Source, save_generator
from dvp_core.generator.coverage import coverage_of
from dvp_core.generator.dataset import TrainingImages, has_training_images, prepare_training_images
from dvp_core.generator.footage import Footage, PlateCrops, check_takes
from dvp_core.generator.footage_doubts import footage_doubts
from dvp_core.generator.networks import FastConfig, NetworkConfig, TranslationConfig, config_of_preset
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.run import Run, settings, started_run, summary, train_to_end
from dvp_core.generator.splitting import split_of
from dvp_core.generator.warm_start import Beginning, read_beginning

_MOST_NOISE_PX = 8.0


def work_folder(output: Path) -> Path:
    """Return where a run keeps its images, states, previews and curves: beside its output."""
    return output.with_name(f"{output.name}.training")


def train(
    take: Take,
    passes: PassSource,
    plate_crops: PlateCrops,
    output: Path | str,
    *,
    options: TrainOptions | None = None,
    consent_sha256: str | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Train a generator for one person's clip; see `train_on`."""
    footage = [Footage(take, passes, plate_crops)]
    return train_on(footage, output, options=options, consent_sha256=consent_sha256, progress=progress)


def train_on(
    footage: Sequence[Footage],
    output: Path | str,
    *,
    options: TrainOptions | None = None,
    start_from: Path | str | None = None,
    consent_sha256: str | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Train a generator for one person's takes and return the path of its `*.safetensors`.

    An interrupted run with the same takes and options goes on where its last saved state stands, in the folder
    `<output>.training` beside the output, which also receives previews, curves and the record as JSON.

    Args:
        footage: The tracked clips, with passes of all their frames up to the hold-out.
        output: The `*.safetensors` to publish.
        options: See `TrainOptions`.
        start_from: An earlier generator of the same preset and shape to begin with, instead of random weights.
        consent_sha256: Consent record given for this training.
        progress: Told after every step.

    Raises:
        DataError: Too few frames, takes that do not fit together, passes or plates that do not fit, an earlier
            generator of another shape, a full disk.
    """
    options, output = options or TrainOptions(), Path(output)
    takes = [part.take for part in footage]
    config = _config(takes, options)
    beginning = None if start_from is None else read_beginning(start_from, options, config)
    images = _images(footage, output, options, config, progress)
    hashes = [take.sha256 for take in takes]
    with settings(options):
        run = started_run(options, config, images, work_folder(output), takes_sha256=hashes, beginning=beginning)
        train_to_end(run, progress)
    save_generator(output, run.state.published, _facts(takes, run, beginning, consent_sha256))
    shutil.rmtree(work_folder(output) / "images")
    (work_folder(output) / "state.safetensors").unlink(missing_ok=True)
    return output


def make_training_images(
    footage: Sequence[Footage],
    output: Path | str,
    *,
    options: TrainOptions | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Make what a run with these options reads, and return the folder; training opens it instead of passes and plates.

    So passes and clip can stay where they are: the machine that trains needs the takes, and this folder at
    `<output>.training/images`.

    Raises:
        DataError: As `train_on`.
    """
    options = options or TrainOptions()
    _images(footage, Path(output), options, _config([part.take for part in footage], options), progress)
    return work_folder(Path(output)) / "images"


def training_images_stand(takes: Sequence[Take], output: Path | str, options: TrainOptions) -> bool:
    """Say whether a run with these options finds its images beside the output and needs neither passes nor plates.

    Raises:
        DataError: Takes or options that no run would accept.
    """
    scale, folder = _config(takes, options).history_scale, work_folder(Path(output)) / "images"
    return has_training_images(takes, folder, options=options, history_scale=scale)


def _config(takes: Sequence[Take], options: TrainOptions) -> NetworkConfig:
    check_takes(takes)
    config = config_of_preset(options.preset, resolution_px=takes[0].crop.resolution_px, width=options.width)
    _check(options, config)
    return config


def _images(
    footage: Sequence[Footage], output: Path, options: TrainOptions, config: NetworkConfig, progress: Progress
) -> TrainingImages:
    return prepare_training_images(
        footage,
        work_folder(output) / "images",
        options=options,
        window=config.window,
        history_scale=config.history_scale,
        progress=progress,
    )


def _facts(takes: Sequence[Take], run: Run, beginning: Beginning | None, consent_sha256: str | None) -> GeneratorFacts:
    first, *others = takes
    return GeneratorFacts(
        preset=run.options.preset,
        config=run.config,
        crop=first.crop,
        face_model_sha256=first.face_model_sha256,
        clip_sha256=first.clip.sha256,
        take_sha256=first.sha256,
        consent_sha256=consent_sha256,
        coverage=coverage_of(takes, split_of(takes, run.options).learned),
        record=summary(run) | {"doubts": footage_doubts(takes, run.options)},
        further_sources=tuple(Source(take.sha256, take.clip.sha256) for take in others),
        ancestors=beginning.ancestors if beginning else (),
    )


def _check(options: TrainOptions, config: NetworkConfig) -> None:
    size = config.resolution_px
    if isinstance(config, FastConfig) and size % 32:
        raise DataError(f"the crop's resolution is {size} px", where="take", remedy="Use a multiple of 32 px")
    if isinstance(config, TranslationConfig) and (size & (size - 1) or size < 16):
        raise DataError(f"the crop's resolution is {size} px", where="take", remedy="Use 256 or 512 px")
    if options.recipe.is_adversarial and options.batch_size == 1:
        raise DataError("is 1, but batch normalisation needs 2 at least", where="batch_size")
    if options.recipe.is_paired and options.batch_size == 1:
        raise DataError("is 1, but a pair of frames is 2", where="batch_size", remedy="Give 2, or leave out 'pairs'")
    for name, least in (("steps", 0), ("minutes", 0), ("batch_size", 0), ("threads", 0), ("least_frames", 1)):
        value = getattr(options, name)
        if value is not None and not value > least:
            raise DataError(f"is {value}, expected more than {least}", where=name)
    if options.patience is not None and options.patience < 0:
        raise DataError(f"is {options.patience}, expected 0 or more", where="patience")
    if not 0 <= options.noise_px <= _MOST_NOISE_PX:
        raise DataError(f"is {options.noise_px}, expected 0 to {_MOST_NOISE_PX}", where="pass_noise_px")
