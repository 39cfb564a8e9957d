"""The training loop: budget, learning rate, saved states, previews, record, and the published weights.

What a step does stands in `steps.py`; what a frame is, in `dataset.py`.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.passes import PassSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.coverage import coverage_of
from dvp_core.generator.dataset import PlateCrops, TrainingImages, prepare_training_images
from dvp_core.generator.devices import chosen_device, trains_faster_in_half
from dvp_core.generator.initial_images import set_initial_images
from dvp_core.generator.networks import FastNetwork, NetworkConfig, config_of_preset
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.previews import write_preview
from dvp_core.generator.resuming import restore_state, save_state
from dvp_core.generator.steps import (
    TrainingState,
    adversarial_step,
    follow_average,
    fresh_state,
    reconstruction_step,
    restart_average,
    set_learning_rate,
)

STAGE = "training"
_RECORD_STEPS = 50
_PREVIEW_IMAGES = 4
_WARM_UP_STEPS = 20


@dataclass
class Run:
    """One training run in progress."""

    options: TrainOptions
    config: NetworkConfig
    images: TrainingImages
    state: TrainingState
    device: torch.device
    is_half: bool
    folder: Path
    identity: dict[str, Any]
    record: list[dict[str, float]] = field(default_factory=list)
    batch_size: int = 0
    saved_s: float = 0.0

    @property
    def done_fraction(self) -> float:
        """How much of the budget is spent, 0..1."""
        if self.options.steps is not None:
            return self.state.step / max(self.options.steps, 1)
        return self.state.elapsed_s / self.budget_s

    @property
    def budget_s(self) -> float:
        """Training time allowed where no number of steps is given."""
        minutes = self.options.minutes
        return 60 * (self.options.recipe.default_minutes if minutes is None else minutes)


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
        hold_out=options.hold_out,
        window=config.window,
        history_scale=config.history_scale,
        progress=progress,
    )
    with _settings(options.threads):
        run = _started(take, options, config, images, work_folder(output))
        _train_to_end(run, progress)
    facts = GeneratorFacts(
        preset=options.preset,
        config=config,
        crop=take.crop,
        face_model_sha256=take.face_model_sha256,
        clip_sha256=take.clip.sha256,
        take_sha256=take.sha256,
        consent_sha256=consent_sha256,
        coverage=coverage_of(take, images.targets),
        record=_summary(run),
    )
    save_generator(output, run.state.average, facts)
    _write_record(run)
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


def _started(take: Take, options: TrainOptions, config: NetworkConfig, images: TrainingImages, folder: Path) -> Run:
    device = chosen_device(options.device)
    state = fresh_state(config, options.recipe, seed=options.seed, device=device)
    if isinstance(state.network, FastNetwork):
        set_initial_images(state.network, images)
        restart_average(state)
    batch_size = min(options.batch_size or options.recipe.batch_size, len(images.targets))
    identity = {
        "take_sha256": take.sha256,
        "preset": options.preset,
        "config": asdict(config),
        "hold_out": options.hold_out,
        "seed": options.seed,
        "batch_size": batch_size,
        "steps": options.steps,
        "minutes": options.minutes,
    }
    run = Run(options, config, images, state, device, trains_faster_in_half(device), folder, identity)
    run.batch_size = batch_size
    run.record = restore_state(folder / "state.safetensors", state, identity) or []
    run.saved_s = state.elapsed_s
    return run


def _train_to_end(run: Run, progress: Progress) -> None:
    is_consistent = True
    try:
        while run.done_fraction < 1:
            is_consistent = False
            started_s = time.monotonic()
            values = _one_step(run)
            run.state.elapsed_s += time.monotonic() - started_s
            _measure(run, values)
            is_consistent = True
            if run.state.elapsed_s - run.saved_s > run.options.checkpoint_seconds:
                _save(run)
            progress(STAGE, *_done_and_total(run))
    finally:
        if is_consistent and run.done_fraction < 1:  # stopped from outside: keep what is learned
            _save(run)
    _preview(run)


def _measure(run: Run, values: dict[str, float]) -> None:
    if run.state.step % _RECORD_STEPS == 0 or run.done_fraction >= 1:
        entry = {"step": run.state.step, "elapsed_s": round(run.state.elapsed_s, 3)}
        run.record.append(entry | {name: round(value, 6) for name, value in values.items()})


def _done_and_total(run: Run) -> tuple[int, int]:
    if run.options.steps is not None:
        return run.state.step, run.options.steps
    total = max(round(run.budget_s), 1)
    return min(round(run.state.elapsed_s), total), total


def _one_step(run: Run) -> dict[str, float]:
    recipe, state = run.options.recipe, run.state
    window, wanted = run.images.batch(_chosen(run), run.device)
    rate = recipe.learning_rate * learning_rate_factor(state.step, run.done_fraction, is_decaying=recipe.is_decaying)
    set_learning_rate((state.network_optimiser, state.discriminator_optimiser), rate)
    torch.manual_seed(run.options.seed * 1_000_003 + state.step)
    if recipe.is_adversarial:
        values = adversarial_step(state, window, wanted, l1_weight=recipe.l1_weight, is_half=run.is_half)
    else:
        values = reconstruction_step(state, window, wanted, is_half=run.is_half)
    if not math.isfinite(sum(values.values())):
        raise DataError(f"training diverged at step {state.step}", where=STAGE, remedy="Train with another seed")
    state.step += 1
    follow_average(state, recipe.average_decay)
    return values


def learning_rate_factor(step: int, done_fraction: float, *, is_decaying: bool) -> float:
    """Return 1 throughout, or a short rise and then half a cosine down to 0 over the budget."""
    if not is_decaying:
        return 1.0
    rise = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return rise * 0.5 * (1 + math.cos(math.pi * min(done_fraction, 1.0)))


def _chosen(run: Run) -> np.ndarray:
    """Indices of this step's frames: a new shuffle every time round, known from seed and step alone."""
    targets, size = run.images.targets, run.batch_size
    steps_a_round = len(targets) // size
    turn, place = divmod(run.state.step, steps_a_round)
    order = np.random.default_rng([run.options.seed, turn]).permutation(len(targets))
    return targets[order[place * size : (place + 1) * size]]


@contextmanager
def _settings(threads: int | None) -> Iterator[None]:
    """Torch's thread count and random generator for a run, put back afterwards."""
    before, random_state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(random_state)


def _save(run: Run) -> None:
    save_state(run.folder / "state.safetensors", run.state, run.identity, run.record)
    run.saved_s = run.state.elapsed_s
    _write_record(run)
    _preview(run)


def _preview(run: Run) -> None:
    picks = np.linspace(0, len(run.images.targets) - 1, _PREVIEW_IMAGES).round().astype(int)
    indices = run.images.targets[picks]
    window, _ = run.images.batch(indices, run.device)
    run.state.average.eval()
    with torch.no_grad():
        made = ((run.state.average(window).float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    run.state.average.train()
    path = run.folder / "previews" / f"step_{run.state.step:06d}.png"
    write_preview(path, run.images.plates[indices], made.movedim(1, 3).cpu().numpy())


def _summary(run: Run) -> dict[str, Any]:
    parameters = sum(parameter.numel() for parameter in run.state.average.parameters())
    return {
        "steps": run.state.step,
        "seconds": round(run.state.elapsed_s, 3),
        "images_per_s": round(run.state.step * run.batch_size / max(run.state.elapsed_s, 1e-9), 3),
        "batch_size": run.batch_size,
        "parameters": parameters,
        "training_frames": len(run.images.targets),
        "is_half_precision": run.is_half,
        "device": run.device.type,
        "threads": torch.get_num_threads(),
        "torch_version": str(torch.__version__),
        "options": asdict(run.options),
        "last": run.record[-1] if run.record else {},
    }


def _write_record(run: Run) -> None:
    content = _summary(run) | {"measurements": run.record}
    write_bytes_atomically(run.folder / "record.json", canonical_json(content))
