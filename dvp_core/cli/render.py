"""`dvp render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input, Output, consent_of, frames_of
from dvp_core.cli.progress import shown_progress
from dvp_core.data.render_settings import Precision, RenderWishes
from dvp_core.pipeline.render import render_shot


def render(
    passes: Input,
    output: Output,
    *,
    generator: Path,
    frames: str | None = None,
    consent: Path | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    threads: int | None = None,
    precision: Precision | None = None,
) -> dict[str, Any]:
    """Turn passes into photoreal frames; frames already there are kept.

    Args:
        passes: Folder of pass files.
        output: Folder for frame.####.png.
        generator: The person's `*.safetensors`.
        frames: Such as 1-30,40; all where not given.
        consent: Consent record to name in the label.
        device: cpu or cuda.
        batch_size: Frames painted at once; as the folder was begun, else by the preset.
        threads: Processor threads; as the folder was begun, else as many as there are cores.
        precision: float32 or bfloat16; as the folder was begun, else what is faster here.
    """
    with shown_progress() as progress:
        records = render_shot(
            passes,
            generator,
            output,
            frames=frames_of(frames),
            consent=consent_of(consent),
            device=device,
            wishes=RenderWishes(batch_size, threads, precision),
            progress=progress,
        )
    rendered = [record for record in records if not record.is_reused]
    return {
        "frames": str(output),
        "rendered": len(rendered),
        "kept": len(records) - len(rendered),
        "seconds": sum(record.seconds for record in rendered),
    }
