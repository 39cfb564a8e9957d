"""`dvp train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dvp_core.cli.arguments import Input, Output, consent_of
from dvp_core.cli.progress import shown_progress
from dvp_core.pipeline.train import train_generator, train_options


def train(
    take: Input,
    output: Output,
    *,
    clip: Path,
    preset: Literal["fast", "dvp2018", "pix2pix"] = "fast",
    minutes: float | None = None,
    steps: int | None = None,
    hold_out: Literal["none", "last-third"] = "none",
    watch: Literal["auto", "none", "blocks"] = "auto",
    patience: int | None = None,
    passes: Path | None = None,
    face_model: Path | None = None,
    consent: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
) -> dict[str, Any]:
    """Train the generator of one person; stopped, the same command goes on where it stood.

    Args:
        take: The `*.take` as tracked.
        output: The `*.safetensors` to write.
        clip: The movie the take was tracked from.
        preset: fast for minutes on any machine; dvp2018 is the paper's network; pix2pix is that without a window.
        minutes: Stop after so much training.
        steps: Stop after so many steps.
        hold_out: Frames that training must not see, for measuring afterwards.
        watch: Keep every twentieth second from learning, measure on it as training goes on, publish the best weights;
            auto does where the budget is time and there are twenty seconds.
        patience: Stop after so many checks (one every 100 steps) without a better one; 0 never stops.
        passes: Folder of the take's passes, used and filled; rendered anew where not given.
        face_model: The take's face model, where the take may not carry its face.
        consent: Consent record to name in the generator.
        device: Where to compute.
        seed: Of weights and order.
    """
    options = train_options(
        preset=preset,
        minutes=minutes,
        steps=steps,
        hold_out=hold_out,
        watch=watch,
        patience=patience,
        device=device,
        seed=seed,
    )
    with shown_progress() as progress:
        record = train_generator(
            take,
            clip,
            output,
            options=options,
            passes=passes,
            face_model=face_model,
            consent=consent_of(consent),
            progress=progress,
        )
    return {"generator": str(output), "training": record}
