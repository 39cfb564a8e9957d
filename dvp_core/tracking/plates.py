"""A clip's plates one after the other, each with what the fit reads of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from dvp_core.tracking.frames import FramePictures
from dvp_core.tracking.setup import KnownClip, frame_pictures


@dataclass(frozen=True)
class PreparedPlate:
    """One frame as it is fitted.

    Attributes:
        index: Its number in the clip.
        plate: (H, W, 3) uint8.
        pictures: The plate around the head; None where no face is, or points alone are used.
    """

    index: int
    plate: np.ndarray
    pictures: FramePictures | None


def prepared_plates(clip: KnownClip) -> Generator[PreparedPlate, None, None]:
    """Yield every frame of a clip, prepared."""
    for index, plate in enumerate(clip.source.iterate()):
        yield prepared_plate(clip, index, plate)


def prepared_plate(clip: KnownClip, index: int, plate: np.ndarray) -> PreparedPlate:
    """Return one frame of a clip, prepared."""
    problem, pictures = clip.person.problem, None
    if clip.landmarks.is_detected[index] and problem.photometric is not None:
        pictures = frame_pictures(plate, clip.points.frame(index), problem.photometric, problem.texture)
    return PreparedPlate(index, plate, pictures)
