"""A tiny face before a wall, and generators that have hardly learned it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dvp_core.data.take import Take
from dvp_core.generator import Generator, TrainOptions, load_generator, train
from dvp_core.passes import RenderedPasses


@dataclass(frozen=True)
class Scene:
    take: Take
    passes: RenderedPasses

    def plate_crops(self, frame):
        corr = self.passes.read(frame).corr
        wall = np.full_like(corr, 0.2)
        return np.rint(np.where(self.passes.read(frame).mask[..., None] > 0, corr, wall) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def scene(tiny_take):
    take = replace(tiny_take, crop=replace(tiny_take.crop, resolution_px=32))
    return Scene(take, RenderedPasses(take))


@pytest.fixture(scope="session")
def generators(scene, tmp_path_factory) -> dict[str, Generator]:
    folder = tmp_path_factory.mktemp("generators")
    return {name: _trained(scene, folder / f"{name}.safetensors", seed) for seed, name in enumerate(("one", "other"))}


def _trained(scene, path, seed):
    options = TrainOptions(steps=3, width=8, hold_out="last-third", threads=1, least_frames=2, device="cpu", seed=seed)
    return load_generator(train(scene.take, scene.passes, scene.plate_crops, path, options=options))
