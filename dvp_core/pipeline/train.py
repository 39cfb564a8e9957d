"""Take and clip to the generator of one person."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.compose import crop_plate
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.generator import TrainOptions, load_generator, train
from dvp_core.pipeline import recipe
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.consent import consent_sha256
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.passes import export_passes_of


def train_options(**wishes: Any) -> TrainOptions:
    """Return the defaults of training with a user's wishes; see `TrainOptions`."""
    return TrainOptions(**wishes)


def train_generator(
    take: Path | str,
    clip: Path | str,
    output: Path | str,
    *,
    options: TrainOptions | None = None,
    passes: Path | str | None = None,
    face_model: Path | str | None = None,
    consent: Path | str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Train the generator of a take's person, or keep the one that stands there when nothing has changed.

    Args:
        take: The `*.take` as tracked (not edited).
        clip: The movie it was tracked from.
        output: The `*.safetensors`.
        options: How, and for how long.
        passes: Folder of the take's passes; rendered where missing, and for this run alone where not given.
        face_model: See `load_take`.
        consent: Consent record to name in the generator.
        progress: Told as the work goes on.

    Returns:
        The training record.
    """
    options = options or TrainOptions()
    steps = recipe.recipe_of("train", {"take": take, "consent": consent}, asdict(options))
    if not recipe.is_fresh(output, steps):
        tracked = load_take(take, face_model=face_model)
        source = open_clip_of(tracked, clip)

        def plate_crop(frame: int) -> np.ndarray:
            return crop_plate(source.read(tracked.index_of(frame)), tracked.crop)

        with _pass_folder(passes) as folder:
            rendered = export_passes_of(tracked, folder, frames=_needed(tracked, options), progress=progress)
            train(
                tracked,
                rendered,
                plate_crop,
                output,
                options=options,
                consent_sha256=consent_sha256(consent),
                progress=progress,
            )
        recipe.record(output, steps)
    return dict(load_generator(output).facts.record)


def _needed(take: Take, options: TrainOptions) -> FrameRange:
    stop = take.clip.hold_out_start if options.hold_out == "last-third" else take.frame_count
    return FrameRange(take.frames.numbers[:stop])


@contextmanager
def _pass_folder(passes: Path | str | None) -> Iterator[Path | str]:
    if passes is not None:
        yield passes
        return
    with tempfile.TemporaryDirectory(prefix="dvp-passes-") as folder:
        yield folder
