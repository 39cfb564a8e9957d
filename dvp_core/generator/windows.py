"""The sliding window of conditioning images: which frames it holds, and how each pass is read and encoded only once.

A window ends at its own frame. Before the source's first frame that frame repeats; a gap inside is an error, because
a repeated or skipped frame there would be read as motion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dvp_core.data.passes import CHANNELS_PER_FRAME, PassFrame, PassSource, window_frames
from dvp_core.generator.networks import NetworkConfig, Window


@dataclass(frozen=True)
class FrameWindow:
    """Channels of one window in [-1, 1], a tensor a frame, as the network takes them: channels last.

    Attributes:
        newest: (H, W, 9) of the window's last frame.
        older: (H / scale, W / scale, 9) of each frame before it, oldest first.
    """

    newest: Tensor
    older: tuple[Tensor, ...]

    @property
    def current(self) -> np.ndarray:
        """(9, H, W) float32 of the window's last frame."""
        return self.newest.float().movedim(2, 0).numpy()

    @property
    def history(self) -> np.ndarray:
        """(9 * older frames, H / scale, W / scale) float32, oldest first."""
        none = self.newest[:, :, :0]
        return torch.cat(self.older or (none,), dim=2).float().movedim(2, 0).numpy()


def reduced(channels: np.ndarray, scale: int) -> np.ndarray:
    """Return channels (C, H, W) averaged over squares of `scale` pixels."""
    if scale == 1:
        return channels
    count, height, width = channels.shape
    squares = channels.reshape(count, height // scale, scale, width // scale, scale)
    return squares.mean(axis=(2, 4), dtype=np.float32)


@dataclass
class StreamingWindow:
    """Windows of ascending frames from a source: no pass is read or encoded twice, and memory holds one window."""

    source: PassSource
    length: int
    history_scale: int
    dtype: torch.dtype = torch.float32
    older_by_frame: dict[int, Tensor] = field(default_factory=dict)

    def read(self, frame: int) -> tuple[PassFrame, FrameWindow]:
        """Return a frame's passes and its window.

        Raises:
            DataError: A frame of the window is missing or damaged.
        """
        numbers = window_frames(frame, self.source.frames, self.length)
        for number in dict.fromkeys(numbers[:-1]):
            if number != frame and number not in self.older_by_frame:
                self._remember(number, self.source.read(number).network_channels())
        pass_frame = self.source.read(frame)
        channels = pass_frame.network_channels()
        newest = self._encoded(channels)
        if self.length > 1:
            self._remember(frame, channels, newest)
        older = tuple(self.older_by_frame[number] for number in numbers[:-1])
        self._forget_all_but(numbers[1:])
        return pass_frame, FrameWindow(newest, older)

    def _remember(self, frame: int, channels: np.ndarray, encoded: Tensor | None = None) -> None:
        if self.history_scale > 1 or encoded is None:
            encoded = self._encoded(reduced(channels, self.history_scale))
        self.older_by_frame[frame] = encoded

    def _encoded(self, channels: np.ndarray) -> Tensor:
        """Return planar channels as a tensor with channels last, in the network's precision."""
        return torch.from_numpy(channels).movedim(0, 2).to(self.dtype).contiguous()

    def _forget_all_but(self, frames: list[int]) -> None:
        for frame in set(self.older_by_frame) - set(frames):
            del self.older_by_frame[frame]


class WindowBatch:
    """Room for a fixed number of windows, filled one by one and used again and again.

    Where the history has the current frame's size, both lie in one tensor, so that the network joins nothing.
    """

    def __init__(self, config: NetworkConfig, size: int, dtype: torch.dtype) -> None:
        side, small = config.resolution_px, config.resolution_px // config.history_scale
        older = CHANNELS_PER_FRAME * (config.window - 1)
        self.is_joined = config.history_scale == 1
        if self.is_joined:
            self.volume = torch.zeros(size, side, side, older + CHANNELS_PER_FRAME, dtype=dtype)
            self.older, self.newest = self.volume[..., :older], self.volume[..., older:]
            return
        self.volume = None
        self.older = torch.zeros(size, small, small, older, dtype=dtype)
        self.newest = torch.zeros(size, side, side, CHANNELS_PER_FRAME, dtype=dtype)

    def put(self, row: int, window: FrameWindow) -> None:
        """Copy one window into its row."""
        if self.volume is not None:
            torch.cat([*window.older, window.newest], dim=2, out=self.volume[row])
            return
        torch.cat(window.older, dim=2, out=self.older[row])
        self.newest[row] = window.newest

    def window(self) -> Window:
        """The rows as the network takes them: views, not copies."""
        volume = None if self.volume is None else self.volume.movedim(3, 1)
        return Window(self.newest.movedim(3, 1), self.older.movedim(3, 1), volume)
