"""face-alignment's 68 points (Bulat & Tzimiropoulos 2017): S3FD finds the face, FAN its points.

The library would download its weights in the middle of a job; here they must be at hand before, and a missing file is
an error that says where it goes. The adapter was run with the real networks and weights made by a test, never with the
published weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.clip import FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress
from dvp_core.landmarks.detector import WeightsStatus
from dvp_core.landmarks.which_face import Crowd, seen_face

FINDER_FILE = "s3fd-619a316812.pth"
POINTS_FILE = "2DFAN4-11f355bf06.pth.tar"
POINT_COUNT = 68


def default_weights() -> Path:
    """Return the folder in which face-alignment itself keeps its weights."""
    from torch.hub import get_dir

    return Path(get_dir()) / "checkpoints"


@dataclass(frozen=True)
class FaceAlignmentDetector:
    """Runs both networks on every frame.

    Attributes:
        weights: Folder with both files; the library's own cache where None.
        face: Which face, where several are seen.
        device: "cpu" or "cuda".
    """

    weights: Path | None = None
    face: int = 0
    device: str = "cpu"

    def detect(self, source: FrameSource, *, progress: Progress = no_progress) -> LandmarkTrack:
        """Return 68 points a frame; FAN counts from the outer corner of the first pixel, as we do."""
        clip = source.clip
        points = np.zeros((clip.frame_count, POINT_COUNT, 2))
        confidence = np.zeros((clip.frame_count, POINT_COUNT), dtype=np.float32)
        is_detected = np.zeros(clip.frame_count, dtype=bool)
        network = load_network(self.weights or default_weights(), self.device)
        faces_seen = np.zeros(clip.frame_count, dtype=np.int32)
        crowd = Crowd(clip.fps)
        for index, plate in enumerate(source.iterate()):
            faces, scores = points_of(network, plate)
            crowd, owners = crowd.followed([seen_face(face, plate) for face in faces], index)
            faces_seen[index] = sum(owner is not None for owner in owners)
            if self.face in owners:
                place = owners.index(self.face)
                points[index], confidence[index] = faces[place], np.clip(scores[place], 0.01, 1.0)
                is_detected[index] = True
            progress("landmarks", index + 1, clip.frame_count)
        size_wh = (clip.width_px, clip.height_px)
        return LandmarkTrack(points, confidence, is_detected, size_wh, clip.fps, faces_seen=faces_seen)


def points_of(
    network: Any,
    plate: np.ndarray,
    boxes: list[np.ndarray] | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the points (68, 2) of each face and their scores (68,).

    Args:
        network: From `load_network`.
        plate: (H, W, 3) uint8.
        boxes: Faces as (x0, y0, x1, y1, score); found by S3FD where None.
    """
    boxes = list(network.face_detector.detect_from_image(plate.copy())) if boxes is None else boxes
    if not boxes:
        return [], []
    faces, scores, _ = network.get_landmarks_from_image(plate.copy(), boxes, return_landmark_score=True)
    return (
        [np.asarray(face, dtype=np.float64) for face in faces],
        [np.asarray(score, dtype=np.float64).ravel() for score in scores],
    )


def load_network(folder: Path, device: str = "cpu") -> Any:
    """Return face-alignment's networks with the weights of a folder.

    Raises:
        DataError: A file is missing or holds something else.
    """
    for name in (FINDER_FILE, POINTS_FILE):
        if not (folder / name).is_file():
            raise DataError(
                f"face-alignment's weights {name} are missing",
                where=folder / name,
                remedy=f"fetch https://www.adrianbulat.com/downloads/python-fan/{name} and put it there, or name a "
                "folder that holds it with --weights",
            )
    import torch
    from face_alignment import FaceAlignment, LandmarksType
    from face_alignment.models import FAN

    class FromFolder(FaceAlignment):
        """The library's class, its weights from our folder instead of a download."""

        def _load_native(
            self, network_name: str, network_size: int, device: str, dtype: torch.dtype
        ) -> torch.nn.Module:
            network = FAN(network_size)
            network.load_state_dict(torch.load(folder / POINTS_FILE, map_location=device, weights_only=True))
            return network.to(device, dtype=dtype).eval()

    try:
        return FromFolder(
            LandmarksType.TWO_D,
            device=device,
            flip_input=False,
            compile=False,
            face_detector_kwargs={"path_to_detector": folder / FINDER_FILE},
        )
    except (RuntimeError, KeyError, EOFError, OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"holds no weights of face-alignment: {error}", where=folder, remedy="fetch them anew"
        ) from error


def weights_status() -> WeightsStatus:
    """Return whether face-alignment could run here."""
    if find_spec("face_alignment") is None or find_spec("torch") is None:
        return WeightsStatus("face-alignment", False, "the package is not installed")
    folder = default_weights()
    missing = [name for name in (FINDER_FILE, POINTS_FILE) if not (folder / name).is_file()]
    if missing:
        return WeightsStatus("face-alignment", False, f"put {' and '.join(missing)} into {folder}")
    return WeightsStatus("face-alignment", True, str(folder))
