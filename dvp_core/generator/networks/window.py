"""The network's input: the current frame's channels and those of the frames before it.

The history may be kept smaller than the current frame, because a network that only reads motion from it
needs no full resolution; the paper's network asks for scale 1 and sees all 99 channels at full size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """One batch of windows, values in [-1, 1].

    Attributes:
        current: (batch, 9, height, width) channels of the frame to synthesise.
        history: (batch, 9 * older frames, height / scale, width / scale), oldest first.
        volume: The tensor of which both are parts, history first, where there is one.
    """

    current: Tensor
    history: Tensor
    volume: Tensor | None = None

    def joined(self) -> Tensor:
        """All channels (batch, 9 * frames, height, width), oldest first; only of a history at full size."""
        return torch.cat([self.history, self.current], dim=1) if self.volume is None else self.volume

    def to(self, device: torch.device) -> Window:
        """Return the batch on a device."""
        if self.volume is None:
            return Window(self.current.to(device), self.history.to(device))
        volume, older = self.volume.to(device), self.history.shape[1]
        return Window(volume[:, older:], volume[:, :older], volume)
