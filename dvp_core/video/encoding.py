"""Encoding frames to a movie under a temporary name, with the plate's sound, and counting what came out.

Equal frames give equal bytes on one version of FFmpeg: the number of threads is fixed, and neither dates nor version
texts are written. Nothing here gives a movie its final name; `dvp_core.trust.publish_movie` does, with the label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from av.video.stream import VideoStream

from dvp_core.data.errors import DataError
from dvp_core.video.colour_tags import rgb_to_frame
from dvp_core.video.movie import MovieSource
from dvp_core.video.sound import PlateSound, add_sound, open_sound

MovieCodec = Literal["h264", "prores", "ffv1"]
MOVIE_SUFFIXES = (".mp4", ".mov", ".mkv")
_SUFFIXES_OF_CODEC: dict[MovieCodec, tuple[str, ...]] = {
    "h264": (".mp4", ".mov", ".mkv"),
    "prores": (".mov", ".mkv"),
    "ffv1": (".mkv",),
}
_MUXER_OF_SUFFIX = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_ENCODER = {"h264": "libx264", "prores": "prores_ks", "ffv1": "ffv1"}
_PIXEL_FORMAT = {"h264": "yuv420p", "prores": "yuv422p10le", "ffv1": "bgr0"}
_THREADS = 4  # A fixed number, not the machine's: x264's decisions depend on it.
_MATRIX_BT709 = 1


@dataclass(frozen=True)
class EncodeOptions:
    """How a movie is encoded.

    Attributes:
        codec: h264 plays everywhere; prores is for editing; ffv1 loses nothing.
        crf: Quality of h264: 16 is visually lossless, each 6 more halves the size.
        preset: x264's trade of time for size.
    """

    codec: MovieCodec = "h264"
    crf: int = 16
    preset: str = "medium"


def encode_movie(
    path: Path | str,
    frames: Iterable[np.ndarray],
    *,
    fps: Fraction,
    options: EncodeOptions | None = None,
    sound: PlateSound | None = None,
    pixel_aspect: Fraction = Fraction(1),
) -> int:
    """Encode RGB frames of shape (height, width, 3), uint8, to `path`, decode the result again, and return their count.

    H.264 needs even sides: a picture with an odd one is continued by one row or column of its edge.

    Args:
        path: Temporary file; its suffix (.mp4, .mov, .mkv) decides the container.
        frames: The pictures in order; they are consumed one at a time.
        fps: Exact frame rate.
        options: Codec and quality.
        sound: The plate's sound, trimmed to the pictures.
        pixel_aspect: Width of a shown pixel divided by its height.

    Raises:
        DataError: No frames, sizes that differ, or a codec that the container cannot hold.
        OSError: The disk is full or the folder cannot be written.
    """
    path, options = Path(path), options or EncodeOptions()
    _check_container(path, options.codec)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise DataError("there are no frames to encode", where=path)
    try:
        with ExitStack() as stack:
            output = stack.enter_context(_opened_output(path))
            stream = _add_pictures(output, first, fps, options, pixel_aspect)
            source = stack.enter_context(open_sound(sound)) if sound else None
            track = add_sound(output, sound, source, suffix=path.suffix.lower()) if sound and source else None
            frame_count = 0
            for picture in _with_first(first, pictures):
                _encode_picture(output, stream, picture, first.shape, frame_count)
                frame_count += 1
                if track:
                    track.write_until(frame_count / fps)
            output.mux(stream.encode(None))
            if track:
                track.write_until(frame_count / fps, is_end=True)
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise DataError(f"could not be encoded ({error.strerror})", where=path) from error
    _check_result(path, frame_count)
    return frame_count


def _check_container(path: Path, codec: MovieCodec) -> None:
    allowed = _SUFFIXES_OF_CODEC[codec]
    if path.suffix.lower() not in allowed:
        raise DataError(
            f"a movie of {codec} cannot stand in a file '{path.suffix}'",
            where=path,
            remedy=f"Name it with {' or '.join(allowed)}",
        )


def _opened_output(path: Path) -> OutputContainer:
    suffix = path.suffix.lower()
    moov_first = {"movflags": "+faststart"} if suffix != ".mkv" else {}
    return av.open(
        str(path), mode="w", format=_MUXER_OF_SUFFIX[suffix], container_options={"fflags": "+bitexact", **moov_first}
    )


def _add_pictures(
    output: OutputContainer, first: np.ndarray, fps: Fraction, options: EncodeOptions, pixel_aspect: Fraction
) -> VideoStream:
    stream = output.add_stream(_ENCODER[options.codec], rate=fps, options=_encoder_options(options))
    assert isinstance(stream, VideoStream)
    height_px, width_px = _even(first, options.codec).shape[:2]
    context = stream.codec_context
    stream.width, stream.height = width_px, height_px
    stream.pix_fmt = _PIXEL_FORMAT[options.codec]
    context.time_base = 1 / fps
    context.thread_count = _THREADS
    context.sample_aspect_ratio = pixel_aspect
    if options.codec != "ffv1":
        context.colorspace = _MATRIX_BT709
        context.color_range = int(ColorRange.MPEG)
        context.color_primaries = int(ColorPrimaries.BT709)
        context.color_trc = int(ColorTrc.BT709)
    return stream


def _encoder_options(options: EncodeOptions) -> dict[str, str]:
    chosen = {
        # x264's macroblock tree reads past small pictures: of 8 equal encodings of 96x64, 3 to 6 differed with it.
        "h264": {"crf": str(options.crf), "preset": options.preset, "x264-params": "mbtree=0"},
        "prores": {"profile": "3", "vendor": "apl0"},
        "ffv1": {"level": "3", "slicecrc": "1", "slices": "4"},
    }
    return {**chosen[options.codec], "flags": "+bitexact"}


def _with_first(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _encode_picture(
    output: OutputContainer, stream: VideoStream, picture: np.ndarray, shape: tuple[int, ...], index: int
) -> None:
    if picture.shape != shape or picture.dtype != np.uint8:
        raise DataError(f"frame {index} is {picture.shape} {picture.dtype}, the first one {shape} uint8")
    codec: MovieCodec = "h264" if stream.pix_fmt == "yuv420p" else "ffv1"
    frame = rgb_to_frame(_even(picture, codec), pixel_format=stream.pix_fmt or "yuv420p")
    frame.pts = index
    frame.time_base = stream.codec_context.time_base
    output.mux(stream.encode(frame))


def _even(picture: np.ndarray, codec: MovieCodec) -> np.ndarray:
    if codec != "h264" or not (picture.shape[0] % 2 or picture.shape[1] % 2):
        return picture
    return np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge")


def _check_result(path: Path, frame_count: int) -> None:
    source = MovieSource(path)
    try:
        decoded_count = sum(1 for _ in source.iterate())
    finally:
        source.close()
    if decoded_count != frame_count:
        raise DataError(f"holds {decoded_count} frames after encoding {frame_count}", where=path)
