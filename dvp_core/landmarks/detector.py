"""What every detector of facial points offers, and what is known of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dvp_core.data.clip import FrameSource
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress


class Detector(Protocol):
    """Finds the facial points of every frame of a clip."""

    def detect(self, source: FrameSource, *, progress: Progress = no_progress) -> LandmarkTrack:
        """Return the points in plate pixels (centres at +0.5); frames without a face are marked.

        Args:
            source: The clip.
            progress: Told after every frame.

        Raises:
            DataError: The weights are missing or another file.
        """
        ...


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a detector could run here.

    Attributes:
        detector: Its name on the command line.
        is_present: Package and weights are at hand.
        detail: Where they are, or where they go.
    """

    detector: str
    is_present: bool
    detail: str
