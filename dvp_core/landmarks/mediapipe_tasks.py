"""MediaPipe's Face Landmarker: 478 points with irises. Needs the extra `mediapipe` and its `face_landmarker.task`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
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

FILE_NAME = "face_landmarker.task"
INSTALL = "pip install 'deep-video-portraits[mediapipe]'"
POINT_COUNT = 478
SEVERAL = 4  # faces looked for at a time where there are several
LOOKS = 24  # frames, spread over the clip, that are looked at to see whether there are


def default_weights() -> Path:
    """Return where the weights are looked for when none are named."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "deep-video-portraits" / FILE_NAME


@dataclass(frozen=True)
class MediaPipeDetector:
    """Runs the Face Landmarker on every frame, in the video mode that follows a face.

    Attributes:
        weights: The `.task` file; the default place where None.
        face: Which face, where several are seen.
        face_count: How many faces to look for at a time; None looks at some frames first and then for one or for four.
            Looking for one, MediaPipe smooths its points, and they lag; looking for several, it smooths nothing and
            its finder runs on every frame.
    """

    weights: Path | None = None
    face: int = 0
    face_count: int | None = None

    def detect(self, source: FrameSource, *, progress: Progress = no_progress) -> LandmarkTrack:
        """Return 478 points a frame with their depth.

        MediaPipe's x and y are parts of the picture's sides from its outer corner, as ours; its z is depth relative to
        the head as a part of the width, nearer is smaller.
        """
        clip = source.clip
        points_px = np.zeros((clip.frame_count, POINT_COUNT, 2))
        depth = np.zeros((clip.frame_count, POINT_COUNT))
        faces_seen = np.zeros(clip.frame_count, dtype=np.int32)
        is_detected = np.zeros(clip.frame_count, dtype=bool)
        crowd = Crowd(clip.fps)
        with self._landmarker(self._largest_face_count(source)) as landmarker:
            for index, plate in enumerate(source.iterate()):
                faces = _faces(landmarker, plate, _milliseconds(index, clip.fps))
                crowd, owners = crowd.followed([seen_face(face, plate) for face in faces], index)
                faces_seen[index] = sum(owner is not None for owner in owners)
                if self.face in owners:
                    face = faces[owners.index(self.face)]
                    points_px[index], depth[index], is_detected[index] = face[:, :2], face[:, 2], True
                progress("landmarks", index + 1, clip.frame_count)
        confidence = np.repeat(is_detected.astype(np.float32)[:, None], POINT_COUNT, axis=1)
        return LandmarkTrack(
            points_px,
            confidence,
            is_detected,
            (clip.width_px, clip.height_px),
            clip.fps,
            depth,
            faces_seen,
        )

    def detect_each(self, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray | None]:
        """Yield for each picture, on its own, the points (478, 2) of its first face; None where there is none."""
        import mediapipe  # pyright: ignore[reportMissingImports]

        with self._landmarker(1, is_movie=False) as landmarker:
            for pixels in pictures:
                picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
                faces = landmarker.detect(picture).face_landmarks
                size = np.array(pixels.shape[1::-1], dtype=np.float64)
                yield np.array([(point.x, point.y) for point in faces[0]]) * size if faces else None

    def _largest_face_count(self, source: FrameSource) -> int:
        """Return how many faces to look for at a time, after a look at some frames where that is not yet known."""
        if self.face_count is not None:
            return max(self.face_count, self.face + 1)
        if self.face > 0 or self._shows_several(source):
            return max(SEVERAL, self.face + 1)
        return 1

    def _shows_several(self, source: FrameSource) -> bool:
        count = source.clip.frame_count
        indices = np.unique(np.linspace(0, count - 1, min(count, LOOKS)).astype(int))
        with self._landmarker(SEVERAL) as landmarker:
            faces = (
                _faces(landmarker, source.read(int(index)), _milliseconds(place, source.clip.fps))
                for place, index in enumerate(indices)
            )
            return any(len(found) > 1 for found in faces)

    def _landmarker(self, face_count: int, *, is_movie: bool = True) -> Any:
        path = self.weights or default_weights()
        if find_spec("mediapipe") is None:
            raise DataError(
                "MediaPipe is not installed",
                remedy="pip install 'deep-video-portraits[mediapipe]', or give --landmarks",
            )
        if not path.is_file():
            raise DataError(
                "the weights of MediaPipe's Face Landmarker are missing",
                where=path,
                remedy=f"name {FILE_NAME} with --weights, or put it there",
            )
        from mediapipe.tasks import python as tasks  # pyright: ignore[reportMissingImports]
        from mediapipe.tasks.python import vision  # pyright: ignore[reportMissingImports]

        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_buffer=path.read_bytes()),
            running_mode=vision.RunningMode.VIDEO if is_movie else vision.RunningMode.IMAGE,
            num_faces=face_count,
        )
        try:
            return vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise DataError(f"is no Face Landmarker: {error}", where=path, remedy=f"fetch {FILE_NAME} anew") from error


def weights_status() -> WeightsStatus:
    """Return whether MediaPipe could run here."""
    path = default_weights()
    if find_spec("mediapipe") is None:
        return WeightsStatus("mediapipe", False, f"the extra is not installed: {INSTALL}")
    if not path.is_file():
        return WeightsStatus("mediapipe", False, f"put {FILE_NAME} at {path}, or name it with --weights")
    return WeightsStatus("mediapipe", True, str(path))


def _milliseconds(index: int, fps: Fraction) -> int:
    """Return a frame's time; MediaPipe wants whole, growing milliseconds, so very fast clips are slowed down."""
    return int(index * max(Fraction(1000) / fps, Fraction(1)))


def _faces(landmarker: Any, plate: np.ndarray, time_ms: int) -> list[np.ndarray]:
    """Return each face's points (478, 3): x, y and relative depth in pixels."""
    import mediapipe  # pyright: ignore[reportMissingImports]

    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(plate))
    height_px, width_px = plate.shape[:2]
    size = np.array([width_px, height_px, width_px], dtype=np.float64)
    found = landmarker.detect_for_video(picture, time_ms).face_landmarks
    return [np.array([(point.x, point.y, point.z) for point in face]) * size for face in found]
