"""A generator against frames it has not seen, and against the nearest frame it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvp_core.compose import crop_plate
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.progress import Progress, no_progress
from dvp_core.evaluate import Report, evaluate_take
from dvp_core.generator import load_generator
from dvp_core.pipeline.clips import open_clip_of
from dvp_core.pipeline.model import load_take
from dvp_core.pipeline.passes import export_passes_of
from dvp_core.pipeline.track import given_points


def evaluate_generator(
    take: Path | str,
    clip: Path | str,
    generator: Path | str,
    output: Path | str,
    *,
    frames: FrameRange | None = None,
    face_model: Path | str | None = None,
    landmarks: Path | str | None = None,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Report:
    """Measure a generator by self-reenactment and write the report into a folder.

    Args:
        take: The `*.take` as tracked.
        clip: The movie it was tracked from.
        generator: The `*.safetensors`.
        output: Folder for `report.json`, `report.png`, `report.html` and `pictures.npz`; the passes stand in `passes/`
            below it.
        frames: Frames to measure; the held-out last third where not given.
        face_model: See `load_take`.
        landmarks: The `*.landmarks.npz` it was tracked from; with them the pictures are tracked again.
        device: "cpu" or "cuda".
        progress: Told after every frame.
    """
    tracked = load_take(take, face_model=face_model)
    source = open_clip_of(tracked, clip)

    def plate_crop(frame: int) -> np.ndarray:
        return crop_plate(source.read(tracked.index_of(frame)), tracked.crop)

    passes = export_passes_of(tracked, Path(output) / "passes", progress=progress)
    return evaluate_take(
        tracked,
        passes,
        plate_crop,
        load_generator(generator, device=device),
        output,
        frames=frames,
        landmarks=given_points(source, landmarks),
        progress=progress,
    )
