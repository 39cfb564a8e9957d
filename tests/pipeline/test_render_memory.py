"""Ten minutes are rendered in the memory of a second, and no pass is read twice on the way to a published frame."""

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from dvp_core.data.camera import Crop
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame
from dvp_core.data.render_settings import RenderSettings
from dvp_core.generator import load_generator, synthesise
from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
from dvp_core.generator.networks import build_network, config_of_preset
from dvp_core.pipeline.render_frames import CachedPasses, Shot, render_frames

SIZE = 32
CROP = Crop(0, 0, SIZE, SIZE)


class Noise:
    """New images at every reading, as from a disk."""

    def __init__(self, count):
        self.frames = FrameRange.span(1, count)
        self.reads = Counter()

    def read(self, frame):
        self.reads[frame] += 1
        random = np.random.default_rng(frame)
        images = [random.random((SIZE, SIZE, 3), dtype=np.float32) for _ in range(3)]
        mask = np.ones((SIZE, SIZE), np.float32)
        return PassFrame(frame, *images, mask, mask, CROP, "0" * 64, "1" * 64)


@pytest.fixture(scope="module", params=["fast", "dvp2018"])
def generator(request, tmp_path_factory):
    torch.manual_seed(0)
    config = config_of_preset(request.param, resolution_px=SIZE, width=8)
    path = tmp_path_factory.mktemp("memory") / "g.safetensors"
    facts = GeneratorFacts(request.param, config, CROP, "1" * 64, "2" * 64, "3" * 64, None, {}, {})
    save_generator(path, build_network(config), facts)
    return load_generator(path, device="cpu", settings=RenderSettings(batch_size=4))


def resident_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this system tells no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own account of memory")
def test_memory_stays_flat_over_a_long_shot(generator):
    passes = CachedPasses(Noise(700), limit=15)
    own, resident = [], []
    tracemalloc.start()
    try:
        for frame, _ in synthesise(generator, passes, passes.frames):
            passes.content_sha256(frame)
            if frame % 100 == 0:
                own.append(tracemalloc.get_traced_memory()[0])
                resident.append(resident_bytes())
    finally:
        tracemalloc.stop()
    frame_bytes = 11 * SIZE * SIZE * 4
    assert len(passes.kept) == 15
    assert max(own[1:]) - own[0] < 8 * frame_bytes  # of 600 frames, whose hashes are kept
    assert max(resident[1:]) - resident[0] < 100 * frame_bytes  # torch's allocator settles; 600 frames are 27 MB


def test_publishing_reads_every_pass_once(generator, tmp_path):
    passes = Noise(40)
    shot = Shot(CachedPasses(passes, limit=generator.facts.config.window + 4), generator, "9" * 64)
    records = list(render_frames(shot, passes.frames.numbers, output=tmp_path / "f.####.png"))
    assert [record.frame for record in records] == list(passes.frames)
    assert passes.reads == dict.fromkeys(passes.frames, 1)
    assert all(record.seconds > 0 for record in records)
