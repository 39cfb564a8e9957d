"""One tiny training run shared by the tests that need a generator."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from disc_scene import DiscPasses, make_take, plate_crops

from dvp_core.data.take import Take
from dvp_core.generator import TrainOptions, train


@dataclass(frozen=True)
class Trained:
    take: Take
    passes: DiscPasses
    path: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    take = make_take()
    passes = DiscPasses(take)
    options = TrainOptions(steps=120, hold_out="last-third", threads=1, least_frames=2, device="cpu", width=16)
    path = train(take, passes, plate_crops, tmp_path_factory.mktemp("trained") / "disc.safetensors", options=options)
    return Trained(take, passes, path)
