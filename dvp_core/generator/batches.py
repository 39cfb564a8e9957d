"""Batches by step number, by the shortest way to the device: the same numbers whichever way they come.

On a processor a batch is read when it is wanted. For a graphics card the whole footage moves there once, as the
integers it is kept in, where it fits; where not, a thread reads ahead into pinned memory while the card computes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dvp_core.data.ahead import ahead
from dvp_core.generator.dataset import TrainingImages
from dvp_core.generator.networks import Window
from dvp_core.generator.pairs import frame_pairs

Batch = tuple[Window, Tensor]
"""Windows, and the plates of their current frames."""

AHEAD = 3
"""Batches read before they are wanted."""
RESIDENT_SHARE = 0.5
"""Share of the card's free memory that footage may take; the rest is for weights and activations."""


def chosen_frames(targets: np.ndarray, batch_size: int, *, seed: int, step: int) -> np.ndarray:
    """Return a step's frames: a new shuffle every time round, known from seed and step alone."""
    turn, place = divmod(step, len(targets) // batch_size)
    order = np.random.default_rng([seed, turn]).permutation(len(targets))
    return targets[order[place * batch_size : (place + 1) * batch_size]]


def chosen_pairs(pairs: np.ndarray, batch_size: int, *, seed: int, step: int) -> np.ndarray:
    """Return a step's frames as pairs (P, 2) give them: the earlier ones, then those that follow them."""
    rows = chosen_frames(np.arange(len(pairs)), batch_size // 2, seed=seed, step=step)
    return pairs[rows].T.ravel()


@contextmanager
def batches(
    images: TrainingImages,
    device: torch.device,
    batch_size: int,
    *,
    seed: int,
    first_step: int,
    is_paired: bool = False,
) -> Iterator[Iterator[Batch]]:
    """Give an endless iterator over the batches of a step and those after it, on the device.

    Args:
        images: What to learn from.
        device: Where batches are wanted.
        batch_size: Frames a step; even where they come in pairs.
        seed: Of their order.
        first_step: Where to begin.
        is_paired: Give pairs of consecutive frames, see `pairs.py`.
    """
    pairs = frame_pairs(images.targets, images.clip_starts) if is_paired else None

    def chosen(*, step: int) -> np.ndarray:
        if pairs is None:
            return chosen_frames(images.targets, batch_size, seed=seed, step=step)
        return chosen_pairs(pairs, batch_size, seed=seed, step=step)

    if device.type != "cuda":
        yield on_demand(lambda step: images.batch(chosen(step=step), device), first_step)
    elif fits(images, device):
        resident = resident_images(images, device)
        yield on_demand(lambda step: resident.batch(chosen(step=step)), first_step)
    else:
        read = on_demand(lambda step: images.batch(chosen(step=step), _CPU, is_pinned=True), first_step)
        with closing(ahead(read, count=AHEAD)) as coming:
            yield (_moved(batch, device) for batch in coming)


_CPU = torch.device("cpu")


def on_demand(read: Callable[[int], Batch], first_step: int) -> Generator[Batch, None, None]:
    """Yield one step's batch after the other, each read when it is wanted."""
    step = first_step
    while True:
        yield read(step)
        step += 1


def _moved(batch: Batch, device: torch.device) -> Batch:
    window, wanted = batch
    current, history, wanted = (part.to(device, non_blocking=True) for part in (window.current, window.history, wanted))
    return Window(current, history), wanted


@dataclass(frozen=True)
class ResidentImages:
    """`TrainingImages` on a device, as the integers that they are kept in.

    Attributes:
        colours: (N, H, W, 6) uint8.
        places: (N, H, W, 3) int16, whose bits are the 16 of an unsigned number.
        plates: (N, H, W, 3) uint8.
        history: (N, H / scale, W / scale, 9) float16.
        clip_starts: (N,) int64.
        older_count: Frames in a window before the current one.
    """

    colours: Tensor
    places: Tensor
    plates: Tensor
    history: Tensor
    clip_starts: Tensor
    older_count: int

    def batch(self, indices: np.ndarray) -> Batch:
        """Return what `TrainingImages.batch` does, made on the device."""
        rows = torch.from_numpy(indices).to(self.colours.device)
        colours = self.colours[rows].float() * (2 / 255)
        places = (self.places[rows].int() & 0xFFFF).float() * (2 / 0xFFFF)
        current = torch.cat([colours[..., :3], places, colours[..., 3:]], dim=3) - 1
        back = torch.arange(self.older_count, 0, -1, device=rows.device)
        older = self.history[torch.maximum(rows[:, None] - back, self.clip_starts[rows][:, None])]
        flat = older.permute(0, 2, 3, 1, 4).flatten(3).float()
        wanted = self.plates[rows].float() * (2 / 255) - 1
        return Window(current.permute(0, 3, 1, 2), flat.permute(0, 3, 1, 2)), wanted.permute(0, 3, 1, 2)


def resident_images(images: TrainingImages, device: torch.device) -> ResidentImages:
    """Move all footage to a device."""

    def moved(array: np.ndarray) -> Tensor:
        whole = torch.empty(array.shape, dtype=torch.from_numpy(array[:0].copy()).dtype, device=device)
        for row, frame in enumerate(array):  # a frame at a time: the memory map is never in memory as a whole
            whole[row] = torch.from_numpy(np.array(frame))
        return whole

    return ResidentImages(
        colours=moved(images.colours),
        places=moved(images.places.view(np.int16)),
        plates=moved(images.plates),
        history=moved(images.history),
        clip_starts=torch.from_numpy(images.clip_starts).to(device),
        older_count=images.window - 1,
    )


def fits(images: TrainingImages, device: torch.device) -> bool:
    """Say whether all footage may stand in a graphics card's memory."""
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return images.byte_count <= RESIDENT_SHARE * free_bytes
