"""The one door to a clip: a movie file, a folder of numbered pictures, or a `####` pattern of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError

from dvp_core.data.errors import DataError
from dvp_core.video.images import IMAGE_SUFFIXES, ImageSource, numbered_images, read_image
from dvp_core.video.movie import MovieSource, open_container, video_stream

# Pictures carry no rate; 25 is what the project assumes where none is given.
DEFAULT_IMAGE_FPS = Fraction(25)
_FASTEST_FPS = 1000


def open_clip(
    path: Path | str, *, fps: Fraction | float | None = None, start_frame: int | None = None
) -> MovieSource | ImageSource:
    """Open a portrait clip as a source of frames.

    Args:
        path: A movie file, a folder of numbered pictures, or a pattern such as `plates/shot.####.png`.
        fps: Frames per second. Of pictures the rate to assume (25 where none is given); a movie's own rate is replaced.
        start_frame: Number of the first frame; by default 1 for a movie and the first file's number for pictures.

    Raises:
        DataError: Not a clip, damaged, cut, of variable rate, too large, or with missing pictures.
    """
    location = Path(path)
    rate = None if fps is None else _checked_rate(fps)
    if location.is_dir() or "#" in location.name:
        pictures = numbered_images(location)
        return ImageSource(location.name, pictures, fps=rate or DEFAULT_IMAGE_FPS, start_frame=start_frame)
    return MovieSource(location, fps=rate, start_frame=1 if start_frame is None else start_frame)


def _checked_rate(fps: Fraction | float) -> Fraction:
    rate = Fraction(fps).limit_denominator(1001)
    if not 0 < rate <= _FASTEST_FPS:
        raise DataError(f"{fps} frames a second is not possible", where="fps", remedy=f"Give 1 to {_FASTEST_FPS}")
    return rate


def clip_sha256(path: Path | str) -> str:
    """Return the hash that names a clip: of a movie's bytes, or over an image sequence's files in order."""
    return open_clip(path).clip.sha256


def check_readable(path: Path | str) -> None:
    """Decode a picture, or the first picture of a movie, to see that the file is what its name says.

    Rate, size and colour are not judged: this tells damaged files from whole ones.

    Raises:
        DataError: It cannot be decoded.
    """
    path = Path(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        read_image(path)
        return
    with open_container(path) as container:
        try:
            frame = next(iter(container.decode(video_stream(container, path))), None)
        except FFmpegError as error:
            raise DataError(f"cannot be decoded ({error.strerror})", where=path) from error
    if frame is None:
        raise DataError("holds no frame that can be decoded", where=path)
