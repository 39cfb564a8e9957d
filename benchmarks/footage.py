"""A clip, its take, its crops and its passes for a script that shall run on a bare GPU machine too.

Where PyAV and the program's other libraries for movies and labels are missing, OpenCV reads the movie and the tracker
is called directly; passes are drawn in memory on every machine. What is different then is said on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

import dvp_core
from dvp_core.compose import crop_plate
from dvp_core.data.clip import Clip, FrameSource
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sha256_of_file, write_atomically, write_bytes_atomically
from dvp_core.data.landmark_track import read_landmarks
from dvp_core.data.progress import Progress
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.edit import DEFAULT_SMOOTHING, smooth
from dvp_core.generator import PlateCrops
from dvp_core.pipeline import recipe
from dvp_core.pipeline.model import load_face_model, load_take
from dvp_core.tracking import TrackOptions, track
from dvp_core.tracking.batched.options import Batches, Device

_WITHOUT_PYAV = "PyAV is not here: OpenCV reads the movie, takes it for BT.601, and colours can differ by some levels"
_WITHOUT_CUTS = "scene cuts are not looked for here: the clip has to be one shot"


def is_bare() -> bool:
    """Say whether the libraries that the program reads movies and consent records with are missing."""
    return not all(find_spec(name) for name in ("av", "cryptography"))


def found_landmarks(clip: Path, output: Path, progress: Progress) -> Path:
    """Return the file of a clip's points, detected where it does not stand there yet.

    Raises:
        DataError: On a bare machine.
    """
    if is_bare():
        raise DataError("a bare machine finds no landmarks", where=clip, remedy="Give --landmarks")
    from dvp_core.pipeline.track import find_landmarks  # brings PyAV
    from dvp_core.video import clip_sha256

    steps = recipe.recipe_of("landmarks", {}, {"clip_sha256": clip_sha256(clip)})
    if not recipe.is_fresh(output, steps):
        find_landmarks(clip, output, progress=progress)
        recipe.record(output, steps)
    return output


def tracked_take(
    clip: Path,
    output: Path,
    *,
    landmarks: Path,
    face_model: Path | None,
    consent: Path | None,
    options: TrackOptions,
    device: Device,
    progress: Progress,
) -> Take:
    """Track a clip into a `*.take` with its face, or return the one that stands there when nothing has changed.

    Args:
        clip: The movie.
        output: The `*.take`.
        landmarks: Its points.
        face_model: A `*.face.npz`; the built-in face where not given.
        consent: A consent record, whose hash the take will carry; not on a bare machine.
        options: How to track.
        device: "cuda" fits the frames in batches on a graphics card.
        progress: Told as the work goes on.

    Raises:
        DataError: As `dvp_core.tracking.track`, or a wish that a bare machine cannot meet.
    """
    if is_bare():
        _track_bare(clip, output, landmarks, face_model, consent, options, device, progress)
    else:
        from dvp_core.pipeline.track import track_clip  # brings PyAV

        track_clip(
            clip,
            output,
            landmarks=landmarks,
            face_model=face_model,
            consent=consent,
            options=options,
            device=device,
            progress=progress,
        )
    return load_take(output, face_model=face_model)


def _track_bare(
    clip: Path,
    output: Path,
    landmarks: Path,
    face_model: Path | None,
    consent: Path | None,
    options: TrackOptions,
    device: Device,
    progress: Progress,
) -> Take:
    if consent is not None:
        raise DataError(
            "a bare machine reads no consent record",
            where=consent,
            remedy="Leave --consent out, or track elsewhere and give --take",
        )
    steps = recipe.recipe_of(
        "track on a bare machine",
        {"clip": clip, "landmarks": landmarks, "face_model": face_model},
        {"options": asdict(options), "device": device},
    )
    if recipe.is_fresh(output, steps):
        return read_take(output)
    sys.stderr.write(f"{_WITHOUT_PYAV}; {_WITHOUT_CUTS}\n")
    source, points = OpenCvMovie(clip), read_landmarks(landmarks)
    batches = None if device == "cpu" else Batches(device=device)
    model = load_face_model(face_model)
    tracked = track(source, points, model, options=options, batches=batches, progress=progress)
    take = smooth(replace(tracked, subject=clip.stem, tool_version=dvp_core.__version__), DEFAULT_SMOOTHING)
    write_take(output, take)
    recipe.record(output, steps)
    return take


def source_of(take: Take, clip: Path) -> FrameSource:
    """Open the movie that a take was tracked from.

    Raises:
        DataError: Another movie; on a bare machine also a take of a part of it, or of an undistorted plate.
    """
    if find_spec("av"):
        from dvp_core.pipeline.clips import open_clip_of  # brings PyAV

        return open_clip_of(take, clip)
    sys.stderr.write(f"{_WITHOUT_PYAV}\n")
    source = OpenCvMovie(clip)
    for what in ("sha256", "frame_count", "width_px", "height_px"):
        own, wanted = getattr(source.clip, what), getattr(take.clip, what)
        if own != wanted:
            raise DataError(
                f"its {what} is {own}, that of the take's clip '{take.clip.file_name}' {wanted}",
                where=clip,
                remedy="Give the whole movie that the take was tracked from",
            )
    return source


class OpenCvMovie:
    """A movie read by OpenCV, quick in order and slow at random; implements `FrameSource`.

    Args:
        path: The movie.

    Raises:
        DataError: OpenCV cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0
        self._capture = self._opened()
        frame_count = 0
        while self._capture.grab():  # a container's own count may be wrong
            frame_count += 1
        if not frame_count:
            raise DataError("holds no frame that OpenCV can read", where=path)
        self._reopen()
        self.clip = Clip(
            file_name=path.name,
            sha256=sha256_of_file(path),
            width_px=int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height_px=int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=Fraction(self._capture.get(cv2.CAP_PROP_FPS)).limit_denominator(1001),
            start_frame=1,
            frame_count=frame_count,
        )

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise DataError("cannot be read by OpenCV", where=self._path, remedy="Check the path")
        return capture

    def _reopen(self) -> None:
        self._capture.release()
        self._capture, self._next = self._opened(), 0

    def read(self, index: int) -> np.ndarray:
        """Return picture `index` as sRGB-encoded RGB, shape (height, width, 3), uint8.

        Raises:
            DataError: No such picture.
        """
        if index < self._next:
            self._reopen()
        while self._next < index and self._capture.grab():
            self._next += 1
        is_read, picture = self._capture.read()
        if not is_read or self._next != index:
            raise DataError(f"has no picture {index}", where=self._path)
        self._next += 1
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop` (not included; None: to the end) in order."""
        end = self.clip.frame_count if stop is None else min(stop, self.clip.frame_count)
        for index in range(start, end):
            yield self.read(index)


def stored_crops(take: Take, clip: Path, folder: Path) -> PlateCrops:
    """Return the plate's crops by frame, from a file made once by reading the movie from its first frame to its last.

    Measuring looks training frames up at random, for which a movie is slow. The file is memory-mapped. Copied along
    with a take from another machine, it also spares a bare one the movie, and keeps the colours exact.

    Raises:
        DataError: Not the take's movie, or a full disk.
    """
    path, facts_path = folder / "crops.npy", folder / "crops.json"
    facts = {"clip_sha256": take.clip.sha256, "crop": asdict(take.crop), "frames": str(take.frames)}
    is_there = path.is_file() and facts_path.is_file() and read_json(facts_path) == facts
    if not is_there:
        source = source_of(take, clip)
        write_atomically(path, lambda temporary: _write_crops(temporary, take, source))
        write_bytes_atomically(facts_path, canonical_json(facts))
    crops = np.load(path, mmap_mode="r", allow_pickle=False)
    return lambda frame: np.array(crops[take.index_of(frame)])


def _write_crops(path: Path, take: Take, source: FrameSource) -> None:
    size = take.crop.resolution_px
    crops = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(take.frame_count, size, size, 3))
    for index, plate in enumerate(source.iterate()):
        crops[index] = crop_plate(plate, take.crop)
    crops.flush()
