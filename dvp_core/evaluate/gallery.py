"""The few pictures that an evaluation keeps of thousands, and their file, from which pages are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_arrays, take_array, write_arrays
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.evaluate.regions import EYES, MOUTH, detail_boxes, mouth_row

PLATE, NEAREST, GENERATOR = "plate", "nearest", "generator"
_WAYS = (PLATE, NEAREST, GENERATOR)
_PICTURE_COUNT = 5
_SLICE_FRAMES = 160
_FACTS = ("frames", "slice_frames", "mouth_boxes", "eye_boxes")


@dataclass(frozen=True)
class Gallery:
    """P pictured frames and a slice through T consecutive ones, each as every way of making frames shows it.

    Attributes:
        frames: (P,) plate frame numbers.
        slice_frames: (T,) plate frame numbers.
        mouth_boxes: (P, 4) left, top, right, bottom of the mouth in the crop.
        eye_boxes: (P, 4) of both eyes.
        pictures: By way of making them, (P, R, R, 3) uint8 sRGB; "plate" is the wanted one.
        slices: By way of making them, (T, R, 3) uint8: one row of pixels through the mouth, a line a frame.
    """

    frames: np.ndarray
    slice_frames: np.ndarray
    mouth_boxes: np.ndarray
    eye_boxes: np.ndarray
    pictures: Mapping[str, np.ndarray]
    slices: Mapping[str, np.ndarray]


@dataclass
class GalleryMaker:
    """Keeps what a gallery shows while the frames pass by."""

    frames: np.ndarray
    slice_frames: np.ndarray
    mouth_boxes: np.ndarray
    eye_boxes: np.ndarray
    row: int
    pictures: dict[str, list[np.ndarray]] = field(default_factory=dict)
    slices: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, frame: int, images: Mapping[str, np.ndarray]) -> None:
        """Take note of one frame, (R, R, 3) uint8 by way of making it."""
        for name, image in images.items():
            if frame in self.frames:
                self.pictures.setdefault(name, []).append(image)
            if frame in self.slice_frames:
                self.slices.setdefault(name, []).append(image[self.row].copy())

    def gallery(self) -> Gallery:
        """Return what was kept."""
        return Gallery(
            self.frames,
            self.slice_frames,
            self.mouth_boxes,
            self.eye_boxes,
            {name: np.array(images) for name, images in self.pictures.items()},
            {name: np.array(rows) for name, rows in self.slices.items()},
        )


def gallery_maker(take: Take, wanted: FrameRange) -> GalleryMaker:
    """Return a maker that keeps an even pick of the wanted frames, and a slice through those in the middle."""
    numbers = np.array(wanted.numbers)
    picked = np.unique(np.linspace(0, len(numbers) - 1, _PICTURE_COUNT + 2)[1:-1].round().astype(int))
    first = max(len(numbers) - _SLICE_FRAMES, 0) // 2
    frames, slice_frames = numbers[picked], numbers[first : first + _SLICE_FRAMES]
    indices = frames - take.clip.start_frame
    return GalleryMaker(
        frames,
        slice_frames,
        detail_boxes(take, indices, MOUTH),
        detail_boxes(take, indices, EYES),
        mouth_row(take, slice_frames - take.clip.start_frame),
    )


def joined(galleries: Mapping[str, Gallery]) -> Gallery:
    """Return one gallery of several evaluations of the same frames, each generator under its own name.

    Raises:
        DataError: None, or of different frames.
    """
    if not galleries:
        raise DataError("no evaluation is given", where="comparison")
    first = next(iter(galleries.values()))
    for name, gallery in galleries.items():
        if not all(np.array_equal(getattr(gallery, fact), getattr(first, fact)) for fact in _FACTS):
            raise DataError("shows other frames than the first", where=f"evaluation of {name}", remedy="Evaluate again")
    return Gallery(
        first.frames,
        first.slice_frames,
        first.mouth_boxes,
        first.eye_boxes,
        _joined({name: gallery.pictures for name, gallery in galleries.items()}),
        _joined({name: gallery.slices for name, gallery in galleries.items()}),
    )


def _joined(images: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    first = next(iter(images.values()))
    return {PLATE: first[PLATE], NEAREST: first[NEAREST]} | {name: own[GENERATOR] for name, own in images.items()}


def write_gallery(path: Path | str, gallery: Gallery) -> None:
    """Write a gallery as an archive of arrays."""
    arrays = {fact: getattr(gallery, fact) for fact in _FACTS}
    arrays |= {f"pictures/{name}": images for name, images in gallery.pictures.items()}
    arrays |= {f"slices/{name}": rows for name, rows in gallery.slices.items()}
    write_arrays(path, arrays)


def read_gallery(path: Path | str) -> Gallery:
    """Read what `write_gallery` wrote.

    Raises:
        DataError: No such file, or another content.
    """
    arrays = read_arrays(path)
    frames, slice_frames = (
        take_array(arrays, name, (None,), np.int64, where=path) for name in ("frames", "slice_frames")
    )
    count = len(frames)
    mouth_boxes, eye_boxes = (
        take_array(arrays, name, (count, 4), np.int64, where=path) for name in ("mouth_boxes", "eye_boxes")
    )
    plate = take_array(arrays, f"pictures/{PLATE}", (count, None, None, 3), np.uint8, where=path)
    shapes = {"pictures": plate.shape, "slices": (len(slice_frames), plate.shape[2], 3)}
    images = {
        kind: {way: take_array(arrays, f"{kind}/{way}", shape, np.uint8, where=path) for way in _WAYS}
        for kind, shape in shapes.items()
    }
    return Gallery(frames, slice_frames, mouth_boxes, eye_boxes, images["pictures"], images["slices"])
