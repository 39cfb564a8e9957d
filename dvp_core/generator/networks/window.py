"""The network's input: the current frame's channels and those of the frames before it.

The history may be kept smaller than the current frame, because a network that only reads motion from it
needs no full resolution; the paper's network asks for scale 1 and sees all 99 channels at full size.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """One batch of windows, values in [-1, 1].

    Attributes:
        current: (batch, 9, height, width) channels of the frame to synthesise.
        history: (batch, 9 * older frames, height / scale, width / scale), oldest first.
    """

    current: Tensor
    history: Tensor
