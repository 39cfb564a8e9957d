"""Pictures from files, and a numbered image sequence as a source of frames.

PNG, JPEG and TIFF, each opened with the one decoder its first bytes ask for, never by FFmpeg's guess. 16-bit
pictures are rounded to 8 bits; transparency is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_bytes, sha256_of_file
from dvp_core.video.colour_tags import EXACT_SCALING, frame_to_rgb
from dvp_core.video.movie import MAX_PIXELS

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_DEMUXER_OF_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "png_pipe",
    b"\xff\xd8\xff": "jpeg_pipe",
    b"II*\x00": "tiff_pipe",
    b"MM\x00*": "tiff_pipe",
}
# A PNG's checksums tell whether it is whole; FFmpeg's TIFF reader, told to be strict, refuses good files.
_STRICTNESS = {"png_pipe": {"err_detect": "crccheck+explode"}}
_NUMBERED = re.compile(r"^(?P<head>.*?)(?P<number>\d+)$")
_DAMAGED_REMEDY = "The file is damaged or of another kind; write or copy it again"


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return a PNG, JPEG or TIFF as sRGB-encoded RGB, shape (height, width, 3), uint8.

    Raises:
        DataError: Missing, damaged, too large or of another kind.
    """
    path = Path(path)
    demuxer = _demuxer_of(path)
    try:
        with av.open(
            f"file:{path.resolve()}",
            mode="r",
            format=demuxer,
            options={"max_pixels": str(max_pixels)},
            container_options={"protocol_whitelist": "file"},
        ) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"max_pixels": str(max_pixels), **_STRICTNESS.get(demuxer, {})}
            stream.thread_count = 1  # one picture: threads would only cost their start
            frame = next(iter(container.decode(stream)), None)
    except (FFmpegError, ValueError, IndexError) as error:
        raise DataError(
            f"cannot be decoded as a picture ({getattr(error, 'strerror', None) or error})",
            where=path,
            remedy=_DAMAGED_REMEDY,
        ) from error
    if frame is None or frame.is_corrupt:
        raise DataError("holds no whole picture", where=path, remedy=_DAMAGED_REMEDY)
    return _to_rgb(frame, path)


def _demuxer_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path, remedy="Check the path") from error
    for magic, demuxer in _DEMUXER_OF_MAGIC.items():
        if head.startswith(magic):
            return demuxer
    raise DataError("is not a PNG, JPEG or TIFF", where=path, remedy=_DAMAGED_REMEDY)


def _to_rgb(frame: VideoFrame, path: Path) -> np.ndarray:
    if frame.format.components[0].bits <= 8:
        return frame_to_rgb(frame, where=path)
    deep = frame.reformat(format="rgb48le", interpolation=EXACT_SCALING).to_ndarray()
    # 257 = 65535 / 255: rounding to nearest, where dropping the low byte would darken by half a level.
    return ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)


class ImageSource:
    """Frames of a numbered image sequence by index. Open it with `dvp_core.video.open_clip`."""

    def __init__(self, name: str, paths: dict[int, Path], *, fps: Fraction, start_frame: int | None = None) -> None:
        numbers = sorted(paths)
        self._paths = [paths[number] for number in numbers]
        _check_no_gap(numbers, name)
        height_px, width_px = read_image(self._paths[0]).shape[:2]
        self.clip = Clip(
            file_name=name,
            sha256=_sequence_sha256(self._paths),
            width_px=width_px,
            height_px=height_px,
            fps=fps,
            start_frame=numbers[0] if start_frame is None else start_frame,
            frame_count=len(numbers),
        )

    @property
    def has_sound(self) -> bool:
        """Pictures have no sound."""
        return False

    def close(self) -> None:
        """Do nothing: no file stays open between pictures."""

    def read(self, index: int) -> np.ndarray:
        """Return picture `index` as sRGB-encoded RGB, shape (height, width, 3), uint8.

        Raises:
            DataError: No such picture, damaged, or of another size than the first.
        """
        if not 0 <= index < len(self._paths):
            raise DataError(f"has no picture {index}; it has {len(self._paths)}", where=self.clip.file_name)
        picture = read_image(self._paths[index])
        if picture.shape[:2] != (self.clip.height_px, self.clip.width_px):
            raise DataError(
                f"is {picture.shape[1]}x{picture.shape[0]}, the sequence's first picture "
                f"{self.clip.width_px}x{self.clip.height_px}",
                where=self._paths[index],
                remedy="Export all pictures in one size",
            )
        return picture

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop` (not included; None: to the end) in order."""
        stop = self.clip.frame_count if stop is None else min(stop, self.clip.frame_count)
        for index in range(start, stop):
            yield self.read(index)


def _check_no_gap(numbers: list[int], name: str) -> None:
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        raise DataError(
            f"lacks frame {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""),
            where=name,
            remedy="Render or copy the missing pictures",
        )


def _sequence_sha256(paths: list[Path]) -> str:
    return sha256_of_bytes("\n".join(sha256_of_file(path) for path in paths).encode())


def numbered_images(location: Path) -> dict[int, Path]:
    """Return the pictures of a folder or a `####` pattern by frame number.

    Raises:
        DataError: None there, or a folder that holds two sequences.
    """
    pattern = _pattern_of(location) if "#" in location.name else None
    folder = location.parent if pattern else location
    if not folder.is_dir():
        raise DataError("does not exist or is no folder", where=folder, remedy="Check the path")
    candidates = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    found = _matching(candidates, pattern) if pattern else _only_sequence(candidates, location)
    if not found:
        raise DataError(
            "holds no numbered pictures (PNG, JPEG, TIFF)",
            where=location,
            remedy="Name them like frame.0001.png, or give a pattern like folder/frame.####.png",
        )
    return found


def _pattern_of(location: Path) -> re.Pattern[str]:
    escaped = re.escape(location.name).replace(r"\#", "#")
    return re.compile("^" + re.sub(r"#+", lambda match: rf"(?P<number>\d{{{len(match[0])},}})", escaped, count=1) + "$")


def _matching(candidates: list[Path], pattern: re.Pattern[str]) -> dict[int, Path]:
    matches = ((pattern.match(path.name), path) for path in candidates)
    return {int(match["number"]): path for match, path in matches if match}


def _only_sequence(candidates: list[Path], folder: Path) -> dict[int, Path]:
    sequences: dict[tuple[str, str], dict[int, Path]] = {}
    for path in candidates:
        match = _NUMBERED.match(path.stem)
        if match:
            sequences.setdefault((match["head"], path.suffix.lower()), {})[int(match["number"])] = path
    if len(sequences) > 1:
        names = ", ".join(f"{head}####{suffix}" for head, suffix in sorted(sequences))
        raise DataError(
            f"holds {len(sequences)} image sequences ({names})", where=folder, remedy="Give one as a pattern"
        )
    return next(iter(sequences.values()), {})
