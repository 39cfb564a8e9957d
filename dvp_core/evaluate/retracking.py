"""Pose and expression of made pictures, found by the tracker that found those of the plate.

No detector is asked, whose errors would be larger than a good generator's. The clip's own points are moved by optical
flow from the plate's crop to the picture made of the same frame, and the ordinary tracker fits a person to points and
pictures: shape and lens as the take has them, skin and calibration from the plate's crops. The plate's crops are
followed in the same way, so that pictures equal to the plate have no error at all, and what both share (the points'
noise, the crop's resolution) falls out.

A picture that shows next to nothing would leave the points where they are and seem perfect. So a frame whose points'
surroundings do not look like the plate's is lost: it has no error, and is counted.

It measures where things are and not how they look: a mouth that is smeared where it should be counts little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dvp_core.data.clip import Clip
from dvp_core.data.detector_table import DetectorTable
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.landmark_track import LandmarkTrack
from dvp_core.data.progress import Progress, no_progress
from dvp_core.data.take import Take
from dvp_core.evaluate.point_flow import likeness, moved_points
from dvp_core.face.detectors import detector_table
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz
from dvp_core.tracking import TrackOptions
from dvp_core.tracking.conductor import tracked_curves
from dvp_core.tracking.curves import Curves
from dvp_core.tracking.setup import KnownClip, clip_points, known_person

STAGE = "tracking again"
MOST_FRAMES = 75
LEAST_FRAMES = 8
LEAST_LIKENESS = 0.5
"""Median correlation of the points' surroundings below which a picture shows no face where the plate does. Good
pictures have 0.9, the nearest training frame or smeared ones 0.8, untrained ones 0."""
_KEY_FRAMES = 10


@dataclass(frozen=True)
class TrackingErrors:
    """How far the tracker finds made pictures from the plate, means over the frames that are not lost.

    None where too few are left.

    Attributes:
        pose_error_deg: Angle between the head's rotations.
        position_error_mm: Distance between the head's places.
        expression_error: Mean absolute difference of the expressions' coefficients.
        gaze_error_deg: Difference of the directions in which the eyes look, both eyes.
        retracked_frames: How many frames were tracked again.
        lost_frames: How many of these show no face where the plate does.
    """

    pose_error_deg: float | None
    position_error_mm: float | None
    expression_error: float | None
    gaze_error_deg: float | None
    retracked_frames: int
    lost_frames: int


@dataclass(frozen=True)
class PlateFollowed:
    """The plate's crops of T consecutive frames, their person, and how the tracker finds them.

    Attributes:
        frames: Plate frame numbers.
        crops: (T, R, R, 3) uint8.
        points_px: (T, P, 2) the clip's points in the crop.
        known: The crops as a clip on a canvas of the plate's shape, its person known.
        curves: What the tracker found.
    """

    frames: FrameRange
    crops: np.ndarray
    points_px: np.ndarray
    known: KnownClip
    curves: Curves


@dataclass(frozen=True)
class CropClip:
    """Crops at their place on black canvases of the plate's shape, scaled to the crop's resolution.

    So the optical axis stays in the picture's middle, where the tracker expects it. Implements `FrameSource`.
    """

    clip: Clip
    crops: np.ndarray
    left_px: int
    top_px: int

    def read(self, index: int) -> np.ndarray:
        """Return canvas `index`, (height, width, 3) uint8."""
        canvas = np.zeros((self.clip.height_px, self.clip.width_px, 3), np.uint8)
        size = self.crops.shape[1]
        top, left = max(self.top_px, 0), max(self.left_px, 0)
        shown = self.crops[index, top - self.top_px :, left - self.left_px :]
        part = canvas[top : self.top_px + size, left : self.left_px + size]
        part[:] = shown[: part.shape[0], : part.shape[1]]
        return canvas

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the canvases `start` to `stop` (not included; None: to the end) in order."""
        for index in range(start, len(self.crops) if stop is None else stop):
            yield self.read(index)


@dataclass
class Retracker:
    """Keeps the pictures of the frames to track again while all frames pass by; the rest is never in memory."""

    take: Take
    landmarks: LandmarkTrack | None
    frames: FrameRange | None
    pictures: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, frame: int, images: Mapping[str, np.ndarray]) -> None:
        """Take note of one frame, (R, R, 3) uint8 by way of making it."""
        if self.frames is not None and frame in self.frames:
            for name, image in images.items():
                self.pictures.setdefault(name, []).append(image)

    def errors(self, plate: str, progress: Progress = no_progress) -> dict[str, TrackingErrors]:
        """Return by way of making pictures how far the tracker finds them from the plate; nothing where not asked.

        Args:
            plate: The way that is the plate itself.
            progress: Told after every way.
        """
        if self.landmarks is None or self.frames is None:
            return {}
        crops = np.array(self.pictures[plate])
        made = {name: np.array(images) for name, images in self.pictures.items() if name != plate}
        progress(STAGE, 0, len(made) + 1)
        followed = follow_plate(self.take, self.landmarks, self.frames, crops)
        found: dict[str, TrackingErrors] = {}
        for count, (name, images) in enumerate(made.items(), start=1):
            progress(STAGE, count, len(made) + 1)
            found[name] = tracking_errors(followed, images)
        progress(STAGE, len(made) + 1, len(made) + 1)
        return found


def retracker(take: Take, landmarks: LandmarkTrack | None, wanted: FrameRange) -> Retracker:
    """Return what tracks some of the wanted frames again, or nothing where there are no points or too few frames."""
    return Retracker(take, landmarks, None if landmarks is None else retracked_frames(take, landmarks, wanted))


def retracked_frames(take: Take, landmarks: LandmarkTrack, wanted: FrameRange) -> FrameRange | None:
    """Return the frames to track again: the middle of the longest run of consecutive wanted ones that show a face.

    None where the run is too short to tell the person's skin from.

    Raises:
        DataError: The points are of another clip.
    """
    if landmarks.frame_count != take.frame_count:
        raise DataError(
            f"hold {landmarks.frame_count} frames, the take {take.frame_count}",
            where="landmarks",
            remedy="Give the points that this very take was tracked from",
        )
    is_seen = landmarks.is_detected & take.is_tracked
    numbers = np.array([frame for frame in wanted if is_seen[take.index_of(frame)]])
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    longest = max(runs, key=len)
    if len(longest) < LEAST_FRAMES:
        return None
    first = max(len(longest) - MOST_FRAMES, 0) // 2
    return FrameRange.of(int(number) for number in longest[first : first + MOST_FRAMES])


def follow_plate(take: Take, landmarks: LandmarkTrack, frames: FrameRange, crops: np.ndarray) -> PlateFollowed:
    """Return how the tracker finds the plate's crops, with the person as they show her.

    Args:
        take: The take, with its face.
        landmarks: Points of all its frames.
        frames: T consecutive frames, each with a face.
        crops: (T, R, R, 3) uint8, the plate's crops of these frames.

    Raises:
        DataError: The take carries no face.
    """
    if take.face is None:
        raise DataError("carries no face", where=f"take '{take.subject}'", remedy="Load it with its face model")
    start = take.index_of(frames.first)
    track = landmarks.part(start, start + len(frames))
    canvas = _canvas(take, crops)
    points_px = take.crop.to_crop_px(track.points_px)
    own = _on_canvas(canvas, track, points_px)
    points = clip_points(own)
    options = TrackOptions(
        focal_px=take.camera.focal_px * take.crop.scale,
        resolution_px=take.crop.resolution_px,
        key_frame_count=_KEY_FRAMES,
    )
    table = _table(take, own)
    person = known_person(canvas, points, own.is_detected, take.face, options, no_progress, table=table)
    known = KnownClip(canvas, own, points, person)
    return PlateFollowed(frames, crops, points_px, known, tracked_curves(known))


def tracking_errors(plate: PlateFollowed, made: np.ndarray) -> TrackingErrors:
    """Return how far the tracker finds made pictures from the plate.

    Args:
        plate: The plate's crops, followed.
        made: (T, R, R, 3) uint8, the pictures made of the same frames.
    """
    found = follow_made(plate, made)
    count = len(made)
    if found is None:
        return TrackingErrors(None, None, None, None, retracked_frames=count, lost_frames=count)
    return _differences(found, plate.curves)


@dataclass(frozen=True)
class MadeFollowed:
    """What the tracker finds in made pictures, and in which of them (T,) it finds a face."""

    curves: Curves
    is_found: np.ndarray


def follow_made(plate: PlateFollowed, made: np.ndarray) -> MadeFollowed | None:
    """Return what the tracker finds in made pictures (T, R, R, 3) uint8, None where it finds too few faces."""
    pairs = list(zip(plate.crops, made, plate.points_px, strict=True))
    moved = [moved_points(*pair) for pair in pairs]
    alike = [np.median(likeness(*pair, places)) for pair, places in zip(pairs, moved, strict=True)]
    is_found = np.array(alike) >= LEAST_LIKENESS
    if is_found.sum() < LEAST_FRAMES:
        return None
    before = plate.known.source
    assert isinstance(before, CropClip)
    canvas = replace(before, crops=made)
    track = replace(_on_canvas(canvas, plate.known.landmarks, np.array(moved)), is_detected=is_found)
    # The eyes' distance is a yardstick of the points' noise: the plate's, so that equal pictures have equal weights.
    points = replace(clip_points(track), eye_distance_px=plate.known.points.eye_distance_px)
    curves = tracked_curves(replace(plate.known, source=canvas, landmarks=track, points=points))
    return MadeFollowed(curves, is_found)


def _canvas(take: Take, crops: np.ndarray) -> CropClip:
    scale, clip = take.crop.scale, take.clip
    width, height = (max(round(side * scale), 8) for side in (clip.width_px, clip.height_px))
    shown = replace(clip, width_px=width, height_px=height, frame_count=len(crops))
    return CropClip(shown, crops, round(take.crop.x_px * scale), round(take.crop.y_px * scale))


def _on_canvas(canvas: CropClip, track: LandmarkTrack, points_px: np.ndarray) -> LandmarkTrack:
    """Return a track with other points, given in the crop, as they lie on the canvas."""
    size_wh = (canvas.clip.width_px, canvas.clip.height_px)
    place = np.array([canvas.left_px, canvas.top_px])
    return replace(track, points_px=points_px + place, size_wh=size_wh, depth=None)


def _table(take: Take, landmarks: LandmarkTrack) -> DetectorTable | None:
    """Return how the detector sees the take's face: the table that ships for its model, this identity put in."""
    if take.face is None or landmarks.point_count == 68:
        return None
    count = len(take.identity)
    with_modes = replace(take.face, identity_basis=np.zeros((count, take.face.vertex_count, 3), np.float32))
    table = detector_table(with_modes)
    if table is None:
        return None
    offset_mm = table.offset_mm + table.identity_mm @ take.identity.astype(np.float64)
    return replace(table, offset_mm=offset_mm, identity_mm=table.identity_mm[..., :0])


def _differences(made: MadeFollowed, wanted: Curves) -> TrackingErrors:
    found, seen = made.curves, made.is_found
    turns = [matrix_from_quaternion_wxyz(curves.rotation_wxyz[seen].astype(np.float64)) for curves in (found, wanted)]
    places = found.translation_m[seen].astype(np.float64) - wanted.translation_m[seen]
    expression = found.expression[seen].astype(np.float64) - wanted.expression[seen]
    gaze = found.gaze_rad[seen].astype(np.float64) - wanted.gaze_rad[seen]
    gaze[..., 0] *= np.cos(wanted.gaze_rad[seen, :, 1])
    return TrackingErrors(
        pose_error_deg=float(angle_between_deg(*turns).mean()),
        position_error_mm=1000 * float(np.linalg.norm(places, axis=1).mean()),
        expression_error=float(np.abs(expression).mean()),
        gaze_error_deg=float(np.degrees(np.linalg.norm(gaze, axis=-1)).mean()),
        retracked_frames=len(seen),
        lost_frames=int((~seen).sum()),
    )
