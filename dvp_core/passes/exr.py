"""Passes as multilayer OpenEXR files: ZIP, because it loses nothing and its checksum finds every flipped bit.

Files of the project itself name their channels `color.R`; where Blender renders them itself it puts the view layer's
name before it and, from 5.0 on, writes several parts. The reader takes all of these, and finds channels by name only.
The OpenEXR library is imported when pixels are read: Blender has none, and only writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import write_bytes_atomically
from dvp_core.data.passes import PassFrame
from dvp_core.passes.exr_header import REMEDY, ExrPart, read_exr_header
from dvp_core.passes.exr_writing import encode_exr

FORMAT_VERSION = "1"
PASS_CHANNELS: Mapping[str, str] = {
    "color": "RGB",
    "corr": "XYZ",
    "gaze": "RGB",
    "mask": "A",
    "depth": "Z",
}
HALF_PASSES = frozenset({"color", "gaze", "mask"})
_LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class PassHeader:
    """What a file of passes says about itself.

    Attributes:
        frame: Plate frame number.
        crop: The square of the plate that it shows.
        take_sha256: The take that it was drawn from.
        face_model_sha256: That take's face model.
    """

    frame: int
    crop: Crop
    take_sha256: str
    face_model_sha256: str


def header_attributes(pass_frame: PassFrame) -> dict[str, str]:
    """Return what a file's header tells about the frame, all as text, since Blender can write nothing else."""
    crop = pass_frame.crop
    return {
        "dvp.version": FORMAT_VERSION,
        "dvp.frame": str(pass_frame.frame),
        "dvp.crop": f"{crop.x_px} {crop.y_px} {crop.size_px} {crop.resolution_px}",
        "dvp.take_sha256": pass_frame.take_sha256,
        "dvp.face_model_sha256": pass_frame.face_model_sha256,
    }


def write_pass_frame(path: Path | str, pass_frame: PassFrame) -> None:
    """Write one frame's passes; equal passes give equal bytes.

    Raises:
        DataError: The disk is full or the folder cannot be written.
    """
    channels = {
        f"{name}.{letter}": picture
        for name in PASS_CHANNELS
        for letter, picture in zip(PASS_CHANNELS[name], _planes(name, getattr(pass_frame, name)), strict=True)
    }
    write_bytes_atomically(path, encode_exr(channels, header_attributes(pass_frame)))


def _planes(name: str, picture: np.ndarray) -> list[np.ndarray]:
    """Return the channels of a pass, each (H, W) in the type that the file holds."""
    if name in HALF_PASSES:
        stored = np.clip(picture, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    else:
        stored = picture.astype(np.float32)
    layers = stored.reshape(*stored.shape[:2], -1)
    return [np.ascontiguousarray(layers[:, :, number]) for number in range(layers.shape[2])]


def read_pass_frame(path: Path | str) -> PassFrame:
    """Read one frame's passes, written by this project or by Blender.

    Raises:
        DataError: No such file, damaged, or without a channel or attribute that passes have.
    """
    header, places = _header_and_places(path)
    planes = _read_planes(path, places)
    pictures = {name: np.stack(planes[name], axis=2) for name in PASS_CHANNELS}
    return PassFrame(
        frame=header.frame,
        color=pictures["color"],
        corr=pictures["corr"],
        gaze=pictures["gaze"],
        mask=pictures["mask"][:, :, 0],
        depth=pictures["depth"][:, :, 0],
        crop=header.crop,
        take_sha256=header.take_sha256,
        face_model_sha256=header.face_model_sha256,
    )


def read_pass_header(path: Path | str) -> PassHeader:
    """Return what one frame's file claims to hold; everything is checked but the pixels, of which none is decoded.

    Raises:
        DataError: No such file, too large, or without a channel or attribute that passes have.
    """
    return _header_and_places(path)[0]


_Places = Mapping[str, list[tuple[int, str]]]


def _header_and_places(path: Path | str) -> tuple[PassHeader, _Places]:
    """Return the checked header, and where each channel lies."""
    parts = read_exr_header(path)
    crop, texts = _crop_and_texts(parts, path)
    places = {
        name: [_find(parts, f"{name}.{letter}", path) for letter in letters] for name, letters in PASS_CHANNELS.items()
    }
    _check_places(parts, places, crop, path)
    frame = _whole_number(texts, "dvp.frame", path)
    return PassHeader(frame, crop, texts["dvp.take_sha256"], texts["dvp.face_model_sha256"]), places


def read_final_picture(path: Path | str) -> np.ndarray:
    """Return the picture itself of a layered file, its channels `R`, `G` and `B`: (height, width, 3) float32, linear.

    Raises:
        DataError: No such file, damaged, or without these channels.
    """
    channels = read_exr_header(path)[0].channels
    missing = [letter for letter in "RGB" if letter not in channels]
    if missing:
        raise DataError(f"has no channel '{missing[0]}'", where=path)
    return np.stack(_read_planes(path, {"final": [(0, letter) for letter in "RGB"]})["final"], axis=2)


def _crop_and_texts(parts: tuple[ExrPart, ...], path: Path | str) -> tuple[Crop, dict[str, str]]:
    """Return the crop and the attributes; those of the first part that has them, since Blender may write several."""
    texts: dict[str, str] = {}
    for part in reversed(parts):
        texts.update(part.texts)
    expected = ("dvp.frame", "dvp.crop", "dvp.take_sha256", "dvp.face_model_sha256")
    missing = [name for name in expected if name not in texts]
    if missing:
        raise DataError(
            f"has no attribute '{missing[0]}', so it holds no passes of this project", where=path, remedy=REMEDY
        )
    if texts.get("dvp.version", FORMAT_VERSION) != FORMAT_VERSION:
        raise DataError(
            f"holds passes of version '{texts['dvp.version'][:20]}', expected {FORMAT_VERSION}",
            where=path,
            remedy=REMEDY,
        )
    numbers = texts["dvp.crop"].split()
    if len(numbers) != 4:
        raise DataError(f"attribute 'dvp.crop' is '{texts['dvp.crop'][:40]}', expected four numbers", where=path)
    values = [_whole_number({"dvp.crop": number}, "dvp.crop", path) for number in numbers]
    crop = Crop(values[0], values[1], values[2], values[3])
    if not (0 < crop.size_px and 0 < crop.resolution_px):
        raise DataError(f"attribute 'dvp.crop' is '{texts['dvp.crop']}', an empty square", where=path)
    return crop, texts


def _whole_number(texts: Mapping[str, str], name: str, path: Path | str) -> int:
    text = texts[name]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise DataError(f"attribute '{name}' holds '{text[:40]}', expected a whole number", where=path)
    return int(text)


def _find(parts: tuple[ExrPart, ...], channel: str, path: Path | str) -> tuple[int, str]:
    """Return part and full name of a channel, with or without a view layer's name before it."""
    found = [
        (number, name)
        for number, part in enumerate(parts)
        for name in part.channels
        if name == channel or name.endswith(f".{channel}")
    ]
    if not found:
        names = ", ".join(name for part in parts for name in part.channels)
        raise DataError(f"has no channel '{channel}' (it has: {names[:200]})", where=path, remedy=REMEDY)
    if len(found) > 1:
        raise DataError(
            f"has the channel '{channel}' {len(found)} times",
            where=path,
            remedy="Render the passes of one view layer only",
        )
    return found[0]


def _check_places(parts: tuple[ExrPart, ...], places: _Places, crop: Crop, path: Path | str) -> None:
    """Refuse wrong types and pictures that are not the whole crop."""
    expected_window = (0, 0, crop.resolution_px - 1, crop.resolution_px - 1)
    for name, found in places.items():
        for number, channel in found:
            part = parts[number]
            allowed = (2, 4) if name in HALF_PASSES else (4,)
            if part.channels[channel] not in allowed:
                kind = "half or float" if name in HALF_PASSES else "float"
                raise DataError(f"channel '{channel}' is not stored as {kind}", where=path, remedy=REMEDY)
            if part.window != expected_window or part.display_window != expected_window:
                raise DataError(
                    f"has the window {part.window}, expected the whole crop {expected_window}",
                    where=path,
                    remedy="Render without a border, at the take's resolution",
                )


def _read_planes(path: Path | str, places: _Places) -> dict[str, list[np.ndarray]]:
    import OpenEXR

    try:
        # A damaged file is told of when its channels are asked for, not when it is opened.
        with OpenEXR.File(str(path), separate_channels=True, num_threads=0) as file:
            stored = [file.channels(part) for part in range(len(file.parts))]
            return {
                name: [_plane(stored[number][channel].pixels, channel, path) for number, channel in found]
                for name, found in places.items()
            }
    except (ValueError, RuntimeError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"is damaged ({error})", where=path, remedy=REMEDY) from error


def _plane(pixels: np.ndarray, channel: str, path: Path | str) -> np.ndarray:
    plane = np.array(pixels, dtype=np.float32)
    if not np.isfinite(plane).all():
        raise DataError(f"channel '{channel}' holds NaN or infinity", where=path, remedy=REMEDY)
    return plane
