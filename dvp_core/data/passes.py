"""The conditioning images of one frame, and the door through which a generator reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.maths.colour import srgb_encode

WINDOW_FRAMES = 11
CHANNELS_PER_FRAME = 9


@dataclass(frozen=True)
class PassFrame:
    """What the generator knows of one frame. H = W = the crop's resolution; zero where there is no face.

    Attributes:
        frame: Plate frame number.
        color: (H, W, 3) float32, the face under the estimated light, scene-linear Rec.709.
        corr: (H, W, 3) float32, each point's place in the mean face, 0..1.
        gaze: (H, W, 3) float32, eye openings white, irises as blue discs at the gaze.
        mask: (H, W) float32, 1 on the face.
        depth: (H, W) float32, metres.
        crop: The square of the plate that is shown.
        take_sha256: Hash of the take it came from.
        face_model_sha256: Hash of the take's face model.
    """

    frame: int
    color: np.ndarray
    corr: np.ndarray
    gaze: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    crop: Crop
    take_sha256: str
    face_model_sha256: str

    def network_channels(self) -> np.ndarray:
        """Return (9, H, W) float32 in [-1, 1]: colour sRGB-encoded, correspondence and gaze as data, black is -1."""
        images = (srgb_encode(np.clip(self.color, 0.0, 1.0)), self.corr, self.gaze)
        channels = np.empty((CHANNELS_PER_FRAME, *self.color.shape[:2]), dtype=np.float32)
        for index, image in enumerate(images):
            channels[3 * index : 3 * index + 3] = np.moveaxis(image, 2, 0)
        channels *= 2
        channels -= 1
        return channels

    @cached_property
    def content_sha256(self) -> str:
        """Hash over the channels as a file stores them (half: colour, gaze, mask), never over a file's bytes."""
        halves = {name: getattr(self, name).astype(np.float16) for name in ("color", "gaze", "mask")}
        floats = {name: getattr(self, name).astype(np.float32) for name in ("corr", "depth")}
        return sha256_of_arrays(halves | floats)


class PassSource(Protocol):
    """Pass frames by plate frame number."""

    @property
    def frames(self) -> FrameRange:
        """The frames that can be read."""
        ...

    def read(self, frame: int) -> PassFrame:
        """Return one frame's passes; a missing or damaged one raises `DataError`."""
        ...


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
