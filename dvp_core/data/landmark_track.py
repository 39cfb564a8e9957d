"""Facial points of a whole clip in the picture, depth where known, and their file form `*.landmarks.npz`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, take_array, write_arrays

POINT_COUNTS = (68, 478)


@dataclass(frozen=True)
class LandmarkTrack:
    """Points found by a detector on every frame.

    Attributes:
        points_px: (frame, point, 2) float64 in plate pixels, pixel centres at +0.5; zero where not detected.
        confidence: (frame, point) float32, 0..1.
        is_detected: (frame,) bool.
        size_wh: Width and height of the plate in pixels, where known.
        fps: Frame rate, where known.
        depth: (frame, point) float64, where the detector tells it: each point's depth relative to its head, in plate
            pixels at the scale of x, nearer to the camera is smaller; zero where not detected.
        faces_seen: (frame,) int32, where known: how many faces the detector saw, the followed one among them.
    """

    points_px: np.ndarray
    confidence: np.ndarray
    is_detected: np.ndarray
    size_wh: tuple[int, int] | None = None
    fps: Fraction | None = None
    depth: np.ndarray | None = None
    faces_seen: np.ndarray | None = None

    def __post_init__(self) -> None:
        frame_count, point_count = self.points_px.shape[:2]
        if self.points_px.shape != (frame_count, point_count, 2) or point_count not in POINT_COUNTS:
            raise DataError(f"landmarks have shape {self.points_px.shape}, expected (frames, 68 or 478, 2)")
        if self.confidence.shape != (frame_count, point_count) or self.is_detected.shape != (frame_count,):
            raise DataError("landmark confidence or detection flags do not match the points")
        if self.depth is not None and self.depth.shape != (frame_count, point_count):
            raise DataError(f"landmark depth has shape {self.depth.shape}, expected {(frame_count, point_count)}")
        if self.faces_seen is not None and self.faces_seen.shape != (frame_count,):
            raise DataError(f"counts of faces have shape {self.faces_seen.shape}, expected {(frame_count,)}")

    @property
    def frame_count(self) -> int:
        """How many frames the track covers."""
        return len(self.points_px)

    @property
    def point_count(self) -> int:
        """68 (iBUG) or 478 (MediaPipe with irises)."""
        return self.points_px.shape[1]

    def part(self, start: int, stop: int) -> LandmarkTrack:
        """Return the frames of index `start` to `stop` (not included) as a track of their own.

        Raises:
            DataError: The track has no such frames.
        """
        if not 0 <= start < stop <= self.frame_count:
            raise DataError(f"landmarks of frames {start} to {stop} are wanted, there are {self.frame_count}")
        chosen = slice(start, stop)
        return replace(
            self,
            points_px=np.ascontiguousarray(self.points_px[chosen]),
            confidence=self.confidence[chosen],
            is_detected=self.is_detected[chosen],
            depth=None if self.depth is None else self.depth[chosen],
            faces_seen=None if self.faces_seen is None else self.faces_seen[chosen],
        )


def write_landmarks(path: Path | str, track: LandmarkTrack) -> None:
    """Write a `*.landmarks.npz`; frames without a face are stored as NaN points with zero confidence.

    Depth, where the track has it, becomes the points' third column.
    """
    points = np.empty((*track.points_px.shape[:2], 2 if track.depth is None else 3), dtype=np.float32)
    points[..., :2] = track.points_px
    if track.depth is not None:
        points[..., 2] = track.depth
    points[~track.is_detected] = np.nan
    arrays: dict[str, np.ndarray] = {
        f"landmarks{track.point_count}": points,
        "confidence": track.confidence.astype(np.float32, copy=False),
    }
    if track.size_wh is not None:
        arrays["size_wh"] = np.array(track.size_wh, dtype=np.int64)
    if track.faces_seen is not None:
        arrays["faces_seen"] = track.faces_seen.astype(np.int32)
    if track.fps is not None:
        arrays["fps"] = np.array([track.fps.numerator, track.fps.denominator], dtype=np.int64)
    write_arrays(path, arrays)


def read_landmarks(path: Path | str) -> LandmarkTrack:
    """Read a `*.landmarks.npz`.

    Required is `landmarks68` or `landmarks478` (frame, point, 2 or 3); `confidence`, `fps`, `size_wh` and `faces_seen`
    are used where they stand; other arrays are ignored. A frame whose points are not finite, or whose confidence is
    zero, has no face. The third column is the depth, unless it is not finite on a frame with a face: then the track
    has none.

    Raises:
        DataError: No such file, or another content.
    """
    arrays = read_arrays(path)
    names = [name for name in ("landmarks478", "landmarks68") if name in arrays]
    if not names:
        raise DataError(
            f"holds neither landmarks68 nor landmarks478 (it has: {', '.join(sorted(arrays)) or 'nothing'})",
            where=path,
        )
    points = arrays[names[0]]
    point_count = int(names[0].removeprefix("landmarks"))
    if points.ndim != 3 or points.shape[1] != point_count or points.shape[2] not in (2, 3) or points.dtype.kind != "f":
        raise DataError(f"{names[0]} has shape {points.shape} of {points.dtype}, expected floats", where=path)
    columns, points = points, points[..., :2].astype(np.float64)
    is_finite = np.isfinite(points).all(axis=(1, 2))
    confidence = _confidence(arrays, len(points), point_count, is_finite, path)
    is_detected = is_finite & (confidence.max(axis=1, initial=0.0) > 0)
    points[~is_detected] = 0.0
    depth = _depth(columns, is_detected)
    faces_seen = (
        take_array(arrays, "faces_seen", (len(points),), np.int32, where=path) if "faces_seen" in arrays else None
    )
    return LandmarkTrack(points, confidence, is_detected, _size(arrays, path), _fps(arrays, path), depth, faces_seen)


def _depth(columns: np.ndarray, is_detected: np.ndarray) -> np.ndarray | None:
    if columns.shape[2] < 3 or not np.isfinite(columns[is_detected, :, 2]).all():
        return None
    return np.where(is_detected[:, None], columns[..., 2], 0.0).astype(np.float64)


def _confidence(
    arrays: dict[str, np.ndarray], frame_count: int, point_count: int, is_finite: np.ndarray, path: Path | str
) -> np.ndarray:
    if "confidence" not in arrays:
        return np.repeat(is_finite.astype(np.float32)[:, None], point_count, axis=1)
    confidence = arrays["confidence"].astype(np.float32)
    if confidence.shape == (frame_count,):
        confidence = np.repeat(confidence[:, None], point_count, axis=1)
    if confidence.shape != (frame_count, point_count) or not np.isfinite(confidence).all():
        raise DataError(f"confidence has shape {confidence.shape} or is not finite", where=path)
    return np.clip(confidence, 0.0, 1.0)


def _size(arrays: dict[str, np.ndarray], path: Path | str) -> tuple[int, int] | None:
    if "size_wh" not in arrays:
        return None
    width, height = take_array(arrays, "size_wh", (2,), np.int64, where=path)
    return int(width), int(height)


def _fps(arrays: dict[str, np.ndarray], path: Path | str) -> Fraction | None:
    """Read a frame rate stored as one float or as numerator and denominator."""
    if "fps" not in arrays:
        return None
    values = np.atleast_1d(arrays["fps"]).astype(np.float64)
    if values.shape not in ((1,), (2,)) or not np.isfinite(values).all() or (values <= 0).any():
        raise DataError(f"fps is {arrays['fps']}, expected a positive rate", where=path)
    if values.shape == (2,):
        return Fraction(int(values[0]), int(values[1]))
    nearest_ntsc = Fraction(round(float(values[0]) * 1.001) * 1000, 1001)
    if abs(float(nearest_ntsc) - values[0]) < 5e-4 and values[0] != round(values[0]):
        return nearest_ntsc
    return Fraction(float(values[0])).limit_denominator(1001)
