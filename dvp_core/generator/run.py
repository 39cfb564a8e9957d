"""One training run from its first step to its last: budget, step size, checks, saved states, previews, record.

What a step does stands in `steps.py`; what a frame is, in `dataset.py`; what a check is, in `watching.py`.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.progress import Progress
from dvp_core.generator.batches import Batch, batches
from dvp_core.generator.curves import Event, Picture, write_events
from dvp_core.generator.dataset import TrainingImages
from dvp_core.generator.devices import chosen_device, trains_faster_in_half
from dvp_core.generator.initial_images import set_initial_images
from dvp_core.generator.networks import FastNetwork, NetworkConfig, Window
from dvp_core.generator.options import TrainOptions
from dvp_core.generator.pass_noise import shaken
from dvp_core.generator.previews import encoded_png, preview
from dvp_core.generator.resuming import restore_state, save_state
from dvp_core.generator.steps import (
    TrainingState,
    follow_average,
    fresh_state,
    restart_average,
    set_learning_rate,
    step_of,
)
from dvp_core.generator.stopping import stopped_gently
from dvp_core.generator.warm_start import Beginning
from dvp_core.generator.watching import CHECK_STEPS, check, keep_best

STAGE = "training"
_RECORD_STEPS = 50
_PREVIEW_IMAGES = 4
_WARM_UP_STEPS = 20
_SHOWN_SHARE = 0.01
"""Share of the budget between two previews: ten hours leave a hundred pictures, not six hundred."""


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
    began_s: float
    record: list[dict[str, float]] = field(default_factory=list)
    batch_size: int = 0
    latest: dict[str, Tensor] = field(default_factory=dict)
    saved_s: float = 0.0
    drawn_count: int = 0
    shown_fraction: float = -1.0

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

    @property
    def has_settled(self) -> bool:
        """Whether the watched frames have not come out better for so long that training stops."""
        patience = self.options.patience_checks
        return self.state.best is not None and patience is not None and self.state.checks_since_best >= patience

    @property
    def is_over(self) -> bool:
        """Whether no step is left to do."""
        return self.done_fraction >= 1 or self.has_settled


def started_run(
    options: TrainOptions,
    config: NetworkConfig,
    images: TrainingImages,
    folder: Path,
    *,
    takes_sha256: list[str],
    beginning: Beginning | None = None,
) -> Run:
    """Return a run at its beginning, or where its last saved state stands.

    Args:
        options: See `TrainOptions`.
        config: The network's shape.
        images: What to learn from.
        folder: Where states, previews and the record stand.
        takes_sha256: Hashes of the takes that the images show.
        beginning: An earlier generator of this shape to begin with.

    Raises:
        DataError: A damaged state, or a device that is not there.
    """
    began_s = time.monotonic()
    device = chosen_device(options.device)
    state = fresh_state(config, options.recipe, seed=options.seed, device=device, is_watched=len(images.watched) > 0)
    if beginning is not None:
        state.network.load_state_dict(beginning.network.state_dict())
    if isinstance(state.network, FastNetwork) and not (beginning and beginning.has_seen(takes_sha256)):
        set_initial_images(state.network, images)
    restart_average(state)
    batch_size = min(options.batch_size or options.recipe.batch_size, len(images.targets))
    batch_size -= batch_size % 2 if options.recipe.is_paired else 0
    asked = ("preset", "hold_out", "watch", "patience", "pass_noise_px", "seed", "steps", "minutes")
    identity = {
        "takes_sha256": takes_sha256,
        "began_with": beginning.sha256 if beginning else None,
        "config": asdict(config),
        "batch_size": batch_size,
        "without": sorted(set(options.without)),
        **{name: getattr(options, name) for name in asked},
    }
    run = Run(options, config, images, state, device, trains_faster_in_half(device), folder, identity, began_s)
    run.batch_size = batch_size
    record = restore_state(folder / "state.safetensors", state, identity)
    if record is not None:
        run.record, run.began_s = record, time.monotonic() - state.elapsed_s
    run.saved_s = state.elapsed_s
    if options.is_compiled:
        _compile(state)
    shutil.rmtree(folder / "curves", ignore_errors=True)  # drawn again from the record
    return run


def _compile(state: TrainingState) -> None:
    """Let torch compile what is trained, when it first runs; weights and their names stay as they are."""
    for module in (state.network, state.discriminator):
        if module is not None:
            module.compile()


def train_to_end(run: Run, progress: Progress) -> None:
    """Spend what is left of the budget; checks, saved states and previews are part of it.

    Raises:
        DataError: Training diverged, or the disk is full.
    """
    coming = batches(
        run.images,
        run.device,
        run.batch_size,
        seed=run.options.seed,
        first_step=run.state.step,
        is_paired=run.options.recipe.is_paired,
    )
    with coming as batch_by_batch, stopped_gently() as stop_if_asked:
        try:
            _spend_budget(run, batch_by_batch, progress, stop_if_asked)
        except torch.OutOfMemoryError as error:
            remedy = "Free the card, give a smaller batch_size, or train with --device cpu"
            raise DataError("the graphics card's memory is full", where=STAGE, remedy=remedy) from error
    _show(run)


def _spend_budget(run: Run, coming: Iterator[Batch], progress: Progress, stop_if_asked: Callable[[], None]) -> None:
    is_consistent = True
    try:
        while not run.is_over:
            is_consistent = False
            _one_step(run, *next(coming))
            if run.device.type == "cpu":  # a card is not waited for at every step
                _latest_numbers(run)
            run.state.elapsed_s = time.monotonic() - run.began_s
            _measure(run)
            is_consistent = True
            if run.state.elapsed_s - run.saved_s > run.options.checkpoint_seconds:
                _save(run)
            progress(STAGE, *_done_and_total(run))
            stop_if_asked()
    finally:
        if is_consistent and not run.is_over:  # stopped from outside: keep what is learned
            _save(run)


def _measure(run: Run) -> None:
    state, is_last = run.state, run.done_fraction >= 1
    is_check = state.best is not None and (state.step % CHECK_STEPS == 0 or is_last)
    if not (is_check or is_last or state.step % _RECORD_STEPS == 0):
        return
    values = _latest_numbers(run)
    if is_check:
        found = check(state, run.images, run.device)
        if run.options.recipe.is_whole(run.done_fraction):  # what comes before another error governs is not compared
            keep_best(state, found)
        state.elapsed_s = time.monotonic() - run.began_s
        values |= {"watched": found.watched, "learned": found.learned}
    entry = {"step": state.step, "elapsed_s": round(state.elapsed_s, 3)}
    run.record.append(entry | {name: round(value, 6) for name, value in values.items()})


def _latest_numbers(run: Run) -> dict[str, float]:
    """What the last step measured; waits for the device.

    Raises:
        DataError: Not finite, so that neither a state nor a generator is ever saved from there on.
    """
    values = {name: float(value) for name, value in run.latest.items()}
    if not math.isfinite(sum(values.values())):
        raise DataError(f"training diverged by step {run.state.step}", where=STAGE, remedy="Train with another seed")
    return values


def _done_and_total(run: Run) -> tuple[int, int]:
    if run.options.steps is not None:
        done, total = run.state.step, run.options.steps
    else:
        total = max(round(run.budget_s), 1)
        done = min(round(run.state.elapsed_s), total)
    return (total if run.is_over else done), total


def _one_step(run: Run, window: Window, wanted: Tensor) -> None:
    recipe, state = run.options.recipe, run.state
    rate = recipe.learning_rate * learning_rate_factor(state.step, run.done_fraction, is_decaying=recipe.is_decaying)
    set_learning_rate((state.network_optimiser, state.discriminator_optimiser), rate)
    torch.manual_seed(run.options.seed * 1_000_003 + state.step)
    seen = shaken(window, run.options.noise_px)
    step = step_of(recipe, is_half=run.is_half, done_fraction=run.done_fraction)
    run.latest = step(state, seen, wanted)
    state.step += 1
    follow_average(state, recipe.average_decay)


def learning_rate_factor(step: int, done_fraction: float, *, is_decaying: bool) -> float:
    """Return 1 throughout, or a short rise and then half a cosine down to 0 over the budget."""
    if not is_decaying:
        return 1.0
    rise = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return rise * 0.5 * (1 + math.cos(math.pi * min(done_fraction, 1.0)))


@contextmanager
def settings(options: TrainOptions) -> Iterator[None]:
    """Torch's threads, random generator and choice of convolutions for a run, put back afterwards."""
    before, random_state = torch.get_num_threads(), torch.get_rng_state()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(options.threads or before)
    torch.backends.cudnn.benchmark = options.steps is None  # the fastest convolution is another one each time
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.benchmark = benchmark
        torch.set_rng_state(random_state)


def _save(run: Run) -> None:
    _latest_numbers(run)
    save_state(run.folder / "state.safetensors", run.state, run.identity, run.record)
    run.saved_s = run.state.elapsed_s
    if run.done_fraction - run.shown_fraction >= _SHOWN_SHARE:
        _show(run)
    else:
        write_record(run)


def _show(run: Run) -> None:
    """Write all that people look at: the record, a preview, and both as curves."""
    write_record(run)
    picture = _preview(run)
    began = time.time() - run.state.elapsed_s
    events = [
        Event(int(entry["step"]), began + entry["elapsed_s"], _curves_of(entry), {})
        for entry in run.record[run.drawn_count :]
    ]
    events.append(Event(run.state.step, began + run.state.elapsed_s, {}, {"preview": picture}))
    write_events(run.folder / "curves", events)
    run.drawn_count, run.shown_fraction = len(run.record), run.done_fraction


def _curves_of(entry: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in entry.items() if name not in ("step", "elapsed_s")}


def _preview(run: Run) -> Picture:
    indices = _shown(run.images)
    window, _ = run.images.batch(indices, run.device)
    run.state.average.eval()
    with torch.no_grad():
        made = ((run.state.average(window).float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    run.state.average.train()
    image = preview(run.images.plates[indices], made.movedim(1, 3).cpu().numpy())
    png = encoded_png(image)
    write_bytes_atomically(run.folder / "previews" / f"step_{run.state.step:06d}.png", png)
    return Picture(png, width_px=image.shape[1], height_px=image.shape[0])


def _shown(images: TrainingImages) -> np.ndarray:
    """Frames that previews show: watched ones where there are any, for those tell more."""
    of = images.watched if len(images.watched) else images.targets
    return of[np.linspace(0, len(of) - 1, _PREVIEW_IMAGES).round().astype(int)]


def summary(run: Run) -> dict[str, Any]:
    """What a generator's file says about its training."""
    state = run.state
    content = {
        "steps": state.step,
        "seconds": round(state.elapsed_s, 3),
        "images_per_s": round(state.step * run.batch_size / max(state.elapsed_s, 1e-9), 3),
        "batch_size": run.batch_size,
        "parameters": sum(parameter.numel() for parameter in state.average.parameters()),
        "training_frames": len(run.images.targets),
        "watched_frames": len(run.images.watched),
        "stopped_early": run.has_settled and run.done_fraction < 1,
        "is_half_precision": run.is_half,
        "device": run.device.type,
        "threads": torch.get_num_threads(),
        "torch_version": str(torch.__version__),
        "options": asdict(run.options),
        "recipe": asdict(run.options.recipe),
        "last": run.record[-1] if run.record else {},
    }
    if state.best is not None and state.best_step > 0:
        content["best"] = {"step": state.best_step, "watched": round(state.best_error, 6)}
    return content


def write_record(run: Run) -> None:
    """Write `record.json`: the summary and all measurements."""
    content = summary(run) | {"measurements": run.record}
    write_bytes_atomically(run.folder / "record.json", canonical_json(content))
