"""The sliding window of conditioning images: which frames it holds, and how each pass is read only once.

A window ends at its own frame. Before the source's first frame that frame repeats; a gap inside is an error, because
a repeated or skipped frame there would be read as motion.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.passes import PassFrame, PassSource


@dataclass(frozen=True)
class FrameWindow:
    """Channels of one window in [-1, 1].

    Attributes:
        current: (9, H, W) float32 of the window's last frame.
        history: (9 * older frames, H / scale, W / scale) float32, oldest first.
    """

    current: np.ndarray
    history: np.ndarray


def window_frames(frame: int, frames: FrameRange, length: int) -> list[int]:
    """Return the frame numbers of the window that ends at `frame`, oldest first.

    Raises:
        DataError: A frame of the window is not among `frames`.
    """
    wanted = [max(frame - back, min(frames.first, frame)) for back in range(length - 1, -1, -1)]
    for number in wanted:
        if number not in frames:
            raise DataError(
                f"the passes of frame {number} are missing, which frame {frame} needs with the {length - 1} before it",
                where=f"passes {frames}",
                remedy="Export the missing frames' passes",
            )
    return wanted


def reduced(channels: np.ndarray, scale: int) -> np.ndarray:
    """Return channels (C, H, W) averaged over squares of `scale` pixels."""
    if scale == 1:
        return channels
    count, height, width = channels.shape
    squares = channels.reshape(count, height // scale, scale, width // scale, scale)
    return squares.mean(axis=(2, 4), dtype=np.float32)


@dataclass
class StreamingWindow:
    """Windows of ascending frames from a source, with no pass read twice and memory for one window only."""

    source: PassSource
    length: int
    history_scale: int
    reduced_by_frame: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict)

    def read(self, frame: int) -> tuple[PassFrame, FrameWindow]:
        """Return a frame's passes and its window.

        Raises:
            DataError: A frame of the window is missing or damaged.
        """
        numbers = window_frames(frame, self.source.frames, self.length)
        for number in dict.fromkeys(numbers[:-1]):
            if number != frame and number not in self.reduced_by_frame:
                self._remember(number, self.source.read(number).network_channels())
        pass_frame = self.source.read(frame)
        current = pass_frame.network_channels()
        if self.length > 1:
            self._remember(frame, current)
        history = [self.reduced_by_frame[number] for number in numbers[:-1]]
        self._forget_all_but(numbers[1:])
        return pass_frame, FrameWindow(current, _stacked(history, current, self.history_scale))

    def _remember(self, frame: int, channels: np.ndarray) -> None:
        self.reduced_by_frame[frame] = reduced(channels, self.history_scale)

    def _forget_all_but(self, frames: list[int]) -> None:
        for frame in set(self.reduced_by_frame) - set(frames):
            del self.reduced_by_frame[frame]


def _stacked(history: list[np.ndarray], current: np.ndarray, scale: int) -> np.ndarray:
    if not history:
        return np.zeros((0, current.shape[1] // scale, current.shape[2] // scale), dtype=np.float32)
    return np.concatenate(history)
