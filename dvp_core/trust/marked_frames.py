"""The frames of a movie or sequence in which the invisible mark is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.maths.colour import srgb_encode
from dvp_core.passes.exr import read_final_picture
from dvp_core.trust.frame_list import LIST_NAME
from dvp_core.trust.keys import stored_watermark_key
from dvp_core.trust.watermark_reader import MarkReading, MarkSearch, read_mark, residue_of
from dvp_core.video import IMAGE_SUFFIXES, open_clip, read_image

_MOST_FRAMES = 240
_MOVIE_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


def look_for_mark(path: Path, search: MarkSearch) -> MarkReading | None:
    """Return what a movie, folder or `####` pattern holds of this studio's mark.

    None where nobody asks, where there is no secret to look with, and where the file has no frames that can be read:
    one picture is not enough.
    """
    key = None if search == "no" else stored_watermark_key()
    if key is None:
        return None
    try:
        residue = residue_of(_frames(path))
    except (DataError, OSError):
        return None
    return read_mark(residue, key, is_searching=search == "search") if residue.frame_count > 1 else None


def _frames(path: Path) -> Iterator[np.ndarray]:
    """Yield up to 240 frames spread over the whole, (height, width, 3), uint8 sRGB."""
    if path.suffix.lower() in _MOVIE_SUFFIXES:
        source = open_clip(path)
        for index in _spread(source.clip.frame_count):
            yield source.read(index)
        return
    files = _files(path)
    for number in _spread(len(files)):
        yield _picture(files[number])


def _spread(count: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, _MOST_FRAMES))})


def _files(path: Path) -> list[Path]:
    """Return the pictures of a folder, of a list in it, or of a pattern, in the order of their names."""
    if "#" in path.name:
        pattern, folder = path.name.replace("#", "[0-9]"), path.parent
    elif path.is_dir() or path.name == LIST_NAME:
        pattern, folder = "*[0-9].*", path if path.is_dir() else path.parent
    else:
        return []
    suffixes = (*IMAGE_SUFFIXES, ".exr")
    return sorted(file for file in folder.glob(pattern) if file.suffix.lower() in suffixes and file.name[0] != ".")


def _picture(path: Path) -> np.ndarray:
    if path.suffix.lower() != ".exr":
        return read_image(path)
    linear = np.clip(read_final_picture(path), 0.0, 1.0)
    return np.rint(255.0 * srgb_encode(linear)).astype(np.uint8)
