"""Generator and passes to frames: a stream whose bytes depend on nothing but the window's passes and the settings.

Batch size and thread count change the order in which convolutions add up, and with it the last bits of a pixel. So
both are fixed beforehand and the last batch is filled up; within a batch no frame knows of another. Then chunking,
order and worker count change no byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame, PassSource
from dvp_core.data.render_settings import RenderSettings
from dvp_core.generator.checkpoint import GeneratorFacts, read_generator
from dvp_core.generator.devices import chosen_device, placed
from dvp_core.generator.networks import Window
from dvp_core.generator.options import Device
from dvp_core.generator.painting import input_dtype, made_to_paint
from dvp_core.generator.settings import check_settings, dtype_of
from dvp_core.generator.windows import StreamingWindow, WindowBatch


@dataclass(frozen=True)
class Generator:
    """A trained network, ready to paint.

    Attributes:
        network: Made to paint, see `painting.py`.
        facts: What its file says.
        device: Where it computes.
        settings: What its frames' last bits depend on.
        parameter_count: Trained numbers.
    """

    network: nn.Module
    facts: GeneratorFacts
    device: torch.device
    settings: RenderSettings
    parameter_count: int

    def paint(self, window: Window) -> np.ndarray:
        """Return the current frames (batch, H, W, 3), uint8 sRGB, of a batch of the settings' size."""
        with torch.inference_mode(), deterministic(self.settings.threads):
            image = self.network(window.to(self.device))
            levels = ((image.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            return levels.movedim(1, 3).contiguous().cpu().numpy()


def load_generator(
    path: Path | str, *, device: Device | str = "auto", settings: RenderSettings | None = None
) -> Generator:
    """Read a generator's `*.safetensors`, check it thoroughly, and make it ready to paint.

    Args:
        path: The file.
        device: "auto", "cpu" or "cuda".
        settings: What its frames' last bits depend on; the reference settings where not given.

    Raises:
        DataError: No such file, or not a generator that can be trusted; no such device, or one that cannot compute
            in the settings' precision.
    """
    settings = RenderSettings() if settings is None else settings
    where = chosen_device(device)
    check_settings(settings, where)
    network, facts = read_generator(path)
    parameter_count = sum(parameter.numel() for parameter in network.parameters())
    painter = made_to_paint(placed(network, where), dtype_of(settings.precision))
    return Generator(painter, facts, where, settings, parameter_count)


def synthesise(generator: Generator, source: PassSource, frames: FrameRange) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (plate frame number, (H, W, 3) uint8) for the given frames in order.

    Before the source's first frame that frame repeats. Every pass is read and encoded once, and memory holds one
    batch of windows. Frames before one that cannot be read are yielded before its error is raised.

    Raises:
        DataError: A missing frame, or passes of another crop, resolution or face model than the generator's.
    """
    for batch in synthesise_batches(generator, source, frames):
        yield from batch


def synthesise_batches(
    generator: Generator, source: PassSource, frames: FrameRange
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Yield what `synthesise` does, a list for each call of the network.

    Raises:
        DataError: As `synthesise`.
    """
    config, size = generator.facts.config, generator.settings.batch_size
    dtype = input_dtype(generator.network, dtype_of(generator.settings.precision))
    windows = StreamingWindow(source, config.window, config.history_scale, dtype)
    batch = WindowBatch(config, size, dtype)
    for group in frames.chunks(size):
        read, error = _fill(batch, windows, group, generator.facts)
        if read:
            yield list(zip(read, generator.paint(batch.window()), strict=False))
        if error is not None:
            raise error


def _fill(
    batch: WindowBatch, windows: StreamingWindow, frames: FrameRange, facts: GeneratorFacts
) -> tuple[list[int], DataError | None]:
    """Put frames into a batch; return those that could be read, and why the next one could not."""
    read: list[int] = []
    for frame in frames:
        try:
            pass_frame, window = windows.read(frame)
            _check(pass_frame, facts)
        except DataError as error:
            return read, error
        batch.put(len(read), window)
        read.append(frame)
    return read, None


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


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """A fixed number of threads, and algorithms that give the same bits every time."""
    guards: Any = torch.utils.deterministic  # its one option is a property that type checkers do not see
    before = torch.get_num_threads()
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    was_filled = guards.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    guards.fill_uninitialized_memory = False  # a guard against bugs that writes every image twice
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(was_deterministic)
        guards.fill_uninitialized_memory = was_filled
        torch.backends.cudnn.benchmark = benchmark
