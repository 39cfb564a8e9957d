"""A small shot that really renders: random passes of 32 pixels and an untrained generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.passes import PassFrame
from dvp_core.passes import pass_path, write_pass_frame

SIZE = 32
CROP = Crop(0, 0, SIZE, SIZE)
PASSES = "passes"
GENERATOR = "actor.safetensors"


def pass_frame(frame: int, *, seed: int = 0) -> PassFrame:
    """Return the passes of one frame, random but always the same."""
    random = np.random.default_rng([frame, seed])
    images = {name: random.random((SIZE, SIZE, 3), dtype=np.float32) for name in ("color", "corr", "gaze")}
    mask = np.ones((SIZE, SIZE), np.float32)
    return PassFrame(
        frame, **images, mask=mask, depth=mask, crop=CROP, take_sha256="0" * 64, face_model_sha256="1" * 64
    )


def write_shot(folder: Path, *, first: int, last: int) -> None:
    """Write the passes of a span of frames and a generator into a folder."""
    for frame in range(first, last + 1):
        write_pass_frame(pass_path(folder / PASSES, frame), pass_frame(frame))
    write_generator(folder / GENERATOR)


def write_generator(path: Path) -> None:
    """Write a small generator whose weights are random but always the same."""
    import torch

    from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
    from dvp_core.generator.networks import build_network, config_of_preset

    torch.manual_seed(1)
    config = config_of_preset("fast", resolution_px=SIZE, width=16)
    facts = GeneratorFacts("fast", config, CROP, "1" * 64, "2" * 64, "3" * 64, None, {}, {})
    save_generator(path, build_network(config), facts)
