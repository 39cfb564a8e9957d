"""Points that stand in a file already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dvp_core.data.clip import FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import LandmarkTrack, read_landmarks
from dvp_core.data.progress import Progress, no_progress


@dataclass(frozen=True)
class FromFile:
    """Takes the points of a `*.landmarks.npz`."""

    path: Path

    def detect(self, source: FrameSource, *, progress: Progress = no_progress) -> LandmarkTrack:
        """Return the file's points, checked against the clip."""
        track = read_landmarks(self.path)
        if track.frame_count != source.clip.frame_count:
            raise DataError(
                f"holds {track.frame_count} frames, the clip {source.clip.frame_count}",
                where=self.path,
                remedy="give the landmarks of this very clip, or leave them out to detect them",
            )
        progress("landmarks", track.frame_count, track.frame_count)
        return track
