"""Chooses a detector by name, and tells which could run here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dvp_core.data.errors import DataError
from dvp_core.landmarks import face_alignment_68, mediapipe_tasks
from dvp_core.landmarks.detector import Detector, WeightsStatus

DetectorName = Literal[
    "auto",  # MediaPipe where its package and weights are at hand, else face-alignment
    "mediapipe",
    "face-alignment",
]


def detector_named(name: DetectorName = "auto", *, weights: Path | str | None = None, face: int = 0) -> Detector:
    """Return a detector.

    Args:
        name: Which; "auto" goes by the suffix of the weights where they are named.
        weights: MediaPipe's `.task` file or face-alignment's folder; their usual places where None.
        face: Which face, where several are seen: 0 is the largest at first sight.

    Raises:
        DataError: No detector can run here.
    """
    path = None if weights is None else Path(weights)
    if name == "auto":
        name = _first_that_runs(path)
    if name == "mediapipe":
        return mediapipe_tasks.MediaPipeDetector(path, face)
    return face_alignment_68.FaceAlignmentDetector(path, face)


def weights_status() -> tuple[WeightsStatus, ...]:
    """Return for each detector whether it could run here, and else where its weights go."""
    return mediapipe_tasks.weights_status(), face_alignment_68.weights_status()


def _first_that_runs(weights: Path | None) -> Literal["mediapipe", "face-alignment"]:
    if weights is not None:
        return "mediapipe" if weights.suffix == ".task" else "face-alignment"
    statuses = weights_status()
    if statuses[0].is_present:
        return "mediapipe"
    if statuses[1].is_present:
        return "face-alignment"
    details = "; ".join(f"{status.detector}: {status.detail}" for status in statuses)
    raise DataError(
        f"no landmark detector can run here ({details})",
        remedy="put the weights there, name them with --weights, or give the points with --landmarks",
    )
