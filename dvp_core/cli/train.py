"""`dvp train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.cli.arguments import Output, consent_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.train import (
    TrainingInputs,
    make_images,
    paired,
    train_generator,
    train_options,
    training_summary,
)

Part = Literal[
    "pairs",
    "change",
    "adversaries",
    "feature-matching",
    "temporal-adversary",
    "crop-adversaries",
    "averaging",
]


def train(
    takes: tyro.conf.Positional[tuple[Path, ...]],
    output: Output,
    *,
    clip: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH"), tyro.conf.UseAppendAction],
    preset: Literal["auto", "fast", "best", "dvp2018", "pix2pix"] = "auto",
    without: Annotated[tuple[Part, ...], tyro.conf.UseAppendAction] = (),
    minutes: float | None = None,
    steps: int | None = None,
    hold_out: Literal["none", "last-third"] = "none",
    watch: Literal["auto", "none", "blocks"] = "auto",
    patience: int | None = None,
    pass_noise_px: float | None = None,
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None,
    passes: Path | None = None,
    face_model: Path | None = None,
    consent: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    compiled: bool = False,
    images_only: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Train the generator of one person; stopped, the same command goes on where it stood.

    Args:
        takes: The `*.take` as tracked; several of one person, filmed from one place, are learned together.
        output: The `*.safetensors` to write.
        clip: The movie the take was tracked from; given once for every take, in their order.
        preset: best for minutes on a graphics card, fast for minutes on a processor; auto is one of these;
            dvp2018 is the paper's network; pix2pix is that without a window.
        without: A part of the preset's training to leave out, to see what it is worth; may be given several times.
        minutes: Stop after so much training.
        steps: Stop after so many steps.
        hold_out: Frames that training must not see, for measuring afterwards.
        watch: Keep every twentieth second from learning, measure on it as training goes on, publish the best weights;
            auto does where the budget is time and there are twenty seconds.
        patience: Stop after so many checks (one every 100 steps) without a better one; 0 never stops.
        pass_noise_px: Shake the passes by so many pixels at each step, against errors of the tracking.
        start_from: An earlier generator of the same preset and resolution to begin with.
        passes: Folder of the take's passes, used and filled; rendered anew where not given. Several takes get a folder
            each in it.
        face_model: The take's face model, where the take may not carry its face.
        consent: Consent record to name in the generator.
        device: Where to compute.
        compiled: Let torch compile the network first: minutes at the start, faster steps on a graphics card.
        images_only: Only make what training reads, `<output>.training/images`: copied along with the take, it lets this
            command run where neither clip nor passes are.
        seed: Of weights and order.
    """
    options = train_options(
        preset=preset,
        without=without,
        minutes=minutes,
        steps=steps,
        hold_out=hold_out,
        watch=watch,
        patience=patience,
        pass_noise_px=pass_noise_px,
        device=device,
        is_compiled=compiled,
        seed=seed,
    )
    (take, movie), *further = paired(takes, clip)
    if images_only:
        with shown_progress() as progress:
            inputs = TrainingInputs([(take, movie), *further], passes, face_model)
            return {"images": str(make_images(inputs, output, options=options, tell=_warn, progress=progress))}
    with shown_progress() as progress:
        record = train_generator(
            take,
            movie,
            output,
            further=further,
            options=options,
            start_from=start_from,
            passes=passes,
            face_model=face_model,
            consent=consent_of(consent),
            tell=_warn,
            progress=progress,
        )
    sys.stderr.write(training_summary(record))
    return {"generator": str(output), "training": record}


def _warn(sentence: str) -> None:
    sys.stderr.write(f"warning: {sentence}\n")
