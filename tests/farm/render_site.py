"""A site with thirty frames of passes and a small untrained generator, for tests that really render."""

import numpy as np
import torch

from dvp_core.data.camera import Crop
from dvp_core.data.passes import PassFrame
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.networks import build_network, config_of_preset
from dvp_core.passes import pass_path, write_pass_frame
from farm.roots import Roots

SIZE = 32
CROP = Crop(0, 0, SIZE, SIZE)
FIRST, LAST = 101, 130


def pass_frame(frame, *, seed=0):
    random = np.random.default_rng([frame, seed])
    images = {name: random.random((SIZE, SIZE, 3), dtype=np.float32) for name in ("color", "corr", "gaze")}
    mask = np.ones((SIZE, SIZE), np.float32)
    return PassFrame(
        frame, **images, mask=mask, depth=mask, crop=CROP, take_sha256="0" * 64, face_model_sha256="1" * 64
    )


def make_site(folder, *, last=LAST):
    for frame in range(FIRST, last + 1):
        write_pass_frame(pass_path(folder / "passes", frame), pass_frame(frame))
    torch.manual_seed(1)
    config = config_of_preset("fast", resolution_px=SIZE, width=16)
    facts = GeneratorFacts("fast", config, CROP, "1" * 64, "2" * 64, "3" * 64, None, {}, {})
    save_generator(folder / "actor.safetensors", build_network(config), facts)
    return Roots({"site": folder})
