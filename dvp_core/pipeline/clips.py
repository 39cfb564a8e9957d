"""A run of consecutive frames of a clip, and the clip that belongs to a take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvp_core.data.clip import Clip, FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.video import open_clip


@dataclass(frozen=True)
class ClipPart:
    """A `FrameSource` that shows frames `first_index` and on of another."""

    whole: FrameSource
    clip: Clip
    first_index: int

    def read(self, index: int) -> np.ndarray:
        """Return picture `index` of the part."""
        if not 0 <= index < self.clip.frame_count:
            raise DataError(
                f"frame index {index} lies outside 0..{self.clip.frame_count - 1}", where=self.clip.file_name
            )
        return self.whole.read(index + self.first_index)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop` of the part."""
        end = self.clip.frame_count if stop is None else min(stop, self.clip.frame_count)
        return self.whole.iterate(start + self.first_index, end + self.first_index)


def part_of(source: FrameSource, frames: FrameRange) -> ClipPart:
    """Return the part of a clip that holds the given consecutive plate frames.

    Raises:
        DataError: The frames have gaps or lie outside the clip.
    """
    clip = source.clip
    if frames != FrameRange.span(frames.first, frames.last):
        raise DataError("must be one run without gaps", where=f"frames '{frames}'")
    if frames.first < clip.start_frame or frames.last > clip.frames.last:
        raise DataError(f"lie outside the clip's frames {clip.frames}", where=f"frames '{frames}'")
    part = replace(clip, start_frame=frames.first, frame_count=len(frames))
    return ClipPart(source, part, frames.first - clip.start_frame)


def open_clip_of(take: Take, path: Path | str) -> FrameSource:
    """Open the movie that a take was tracked from, cut to the take's frames.

    Raises:
        DataError: Another movie, or one of another size or length.
    """
    return cut_to_take(take, open_clip(path, fps=take.clip.fps), path)


def cut_to_take(take: Take, source: FrameSource, path: Path | str) -> FrameSource:
    """Return the frames of a take out of the clip it was tracked from.

    Raises:
        DataError: Another clip, or one of another size or length.
    """
    if source.clip.sha256 != take.clip.sha256:
        raise DataError(
            f"is not the clip the take was tracked from ('{take.clip.file_name}', {take.clip.sha256[:12]})",
            where=path,
            remedy="Give that clip with the --lens and --pixel-aspect it was tracked with, or track this one",
        )
    if source.clip.start_frame != take.clip.start_frame or source.clip.frame_count != take.clip.frame_count:
        return part_of(source, take.frames)
    return source
