"""Generator and passes to frames: a stream whose bytes depend on nothing but the window's passes.

One frame at a time on one processor thread: batch size and thread count change the order in which convolutions add
up, and with it the last bits of a pixel. So chunking, order and worker count change no byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame, PassSource
from dvp_core.generator.checkpoint import GeneratorFacts, read_generator
from dvp_core.generator.devices import chosen_device, placed
from dvp_core.generator.networks import Window
from dvp_core.generator.options import Device
from dvp_core.generator.windows import FrameWindow, StreamingWindow


@dataclass(frozen=True)
class Generator:
    """A trained network, ready to paint."""

    network: nn.Module
    facts: GeneratorFacts
    device: torch.device

    def paint(self, window: FrameWindow) -> np.ndarray:
        """Return the window's current frame, (H, W, 3) uint8 sRGB."""
        tensors = Window(_as_batch(window.current, self.device), _as_batch(window.history, self.device))
        with torch.inference_mode(), deterministic():
            image = self.network(tensors)[0]
            levels = ((image.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            return levels.movedim(0, 2).contiguous().cpu().numpy()


def load_generator(path: Path | str, *, device: Device | str = "auto") -> Generator:
    """Read a generator's `*.safetensors` and check it thoroughly.

    Raises:
        DataError: No such file, or not a generator that can be trusted; no such device.
    """
    network, facts = read_generator(path)
    where = chosen_device(device)
    return Generator(placed(network, where), facts, where)


def synthesise(generator: Generator, source: PassSource, frames: FrameRange) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (plate frame number, (H, W, 3) uint8) for the given frames in order.

    Before the source's first frame that frame repeats. Every pass is read once, and memory holds one window.

    Raises:
        DataError: A missing frame, or passes of another crop, resolution or face model than the generator's.
    """
    config = generator.facts.config
    windows = StreamingWindow(source, config.window, config.history_scale)
    for frame in frames:
        pass_frame, window = windows.read(frame)
        _check(pass_frame, generator.facts)
        yield frame, generator.paint(window)


def _check(pass_frame: PassFrame, facts: GeneratorFacts) -> None:
    where = f"passes of frame {pass_frame.frame}"
    size = facts.config.resolution_px
    if pass_frame.color.shape != (size, size, 3):
        raise DataError(
            f"are {pass_frame.color.shape[1]}x{pass_frame.color.shape[0]} px, but the generator paints {size} px",
            where=where,
            remedy="Export the passes at the generator's resolution, or train a generator on this take",
        )
    if pass_frame.crop != facts.crop:
        raise DataError(f"show {pass_frame.crop}, but the generator knows {facts.crop}", where=where)
    if pass_frame.face_model_sha256 != facts.face_model_sha256:
        raise DataError(
            "were made with another face model than the generator's",
            where=where,
            remedy="Track with the face model that the generator was trained with",
        )


def _as_batch(channels: np.ndarray, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(channels)).to(device)
    return tensor[None].contiguous(memory_format=torch.channels_last)


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread, and algorithms that give the same bits every time."""
    threads, was_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(was_deterministic)
        torch.backends.cudnn.benchmark = benchmark
