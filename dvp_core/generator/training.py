"""From footage to a published generator: what is checked first, and what its file says about itself.

The run itself stands in `run.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.coverage import coverage_of
from dvp_core.generator.dataset import PlateCrops, prepare_training_images
from dvp_core.generator.networks import NetworkConfig, config_of_preset
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.run import settings, started_run, summary, train_to_end


def work_folder(output: Path) -> Path:
    """Return where a run keeps its images, states and previews: beside its output."""
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
    """Train a generator for one person's clip and return the path of its `*.safetensors`.

    An interrupted run with the same take and options goes on where its last saved state stands, in the folder
    `<output>.training` beside the output, which also receives previews and the record as JSON.

    Args:
        take: The tracked clip.
        passes: Conditioning passes of all its frames up to the hold-out.
        plate_crops: Gives the plate's crop of a frame at the crop's resolution.
        output: The `*.safetensors` to publish.
        options: See `TrainOptions`.
        consent_sha256: Consent record given for this training.
        progress: Told after every step.

    Raises:
        DataError: Too few frames, passes or plates that do not fit, a full disk.
    """
    options = options or TrainOptions()
    output = Path(output)
    config = config_of_preset(options.preset, resolution_px=take.crop.resolution_px, width=options.width)
    _check(options, config)
    images = prepare_training_images(
        take,
        passes,
        plate_crops,
        work_folder(output) / "images",
        options=options,
        window=config.window,
        history_scale=config.history_scale,
        progress=progress,
    )
    with settings(options.threads):
        source = {"take_sha256": take.sha256}
        run = started_run(options, config, images, work_folder(output), source=source)
        train_to_end(run, progress)
    facts = GeneratorFacts(
        preset=options.preset,
        config=config,
        crop=take.crop,
        face_model_sha256=take.face_model_sha256,
        clip_sha256=take.clip.sha256,
        take_sha256=take.sha256,
        consent_sha256=consent_sha256,
        coverage=coverage_of(take, images.targets),
        record=summary(run),
    )
    save_generator(output, run.state.published, facts)
    shutil.rmtree(work_folder(output) / "images")
    (work_folder(output) / "state.safetensors").unlink(missing_ok=True)
    return output


def _check(options: TrainOptions, config: NetworkConfig) -> None:
    size = config.resolution_px
    if options.preset == "fast" and size % 32:
        raise DataError(f"the crop's resolution is {size} px", where="take", remedy="Use a multiple of 32 px")
    if options.preset != "fast" and (size & (size - 1) or size < 16):
        raise DataError(f"the crop's resolution is {size} px", where="take", remedy="Use 256 or 512 px")
    if options.recipe.is_adversarial and options.batch_size == 1:
        raise DataError("is 1, but batch normalisation needs 2 at least", where="batch_size")
    for name in ("steps", "minutes", "batch_size", "threads"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise DataError(f"is {value}, expected more than 0", where=name)
    if options.patience is not None and options.patience < 0:
        raise DataError(f"is {options.patience}, expected 0 or more", where="patience")
