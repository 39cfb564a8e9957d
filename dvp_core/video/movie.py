"""A movie file as a source of frames by exact index, with every check that can be made before pixels are decoded.

The file is demultiplexed once at opening: that gives the presentation time of every frame, and with it the frame count,
the exact rate and whether the file is cut. A frame is then found by seeking and decoding forward to its time.
One `MovieSource` serves one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.video.colour_tags import frame_to_rgb, frame_to_thumbnail
from dvp_core.video.frame_rate import constant_rate

MAX_PIXELS = 8192 * 4608
_MAX_FRAMES = 2_000_000
# FFmpeg guesses a format from the content: without this list a text file named x.mp4 can make it open other files.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,mxf,flv,ogg,asf"
SOUND_FORMATS = f"{_FORMATS},wav,w64,aiff,flac,mp3,aac"
_CUT_REMEDY = "The file is damaged or was not copied whole; copy or export it again"
_LARGEST_ROTATION_ERROR_DEG = 1
_FORWARD_DECODE_LIMIT_FRAMES = 48


@dataclass(frozen=True)
class MovieFacts:
    """What a movie's container tells.

    Attributes:
        stamps: Presentation time of every frame in ticks of `time_base`, ascending.
        time_base: Seconds per tick.
        fps: Exact constant rate.
        codec: FFmpeg's name of the video codec.
        sound_codec: Name of the first sound track's codec, or None where there is none.
        rotation_deg: Quarter turn, counter-clockwise, that shows the picture upright.
        pixel_aspect: Width of a shown pixel divided by its height.
        is_counted: The container (AVI) tells no presentation times: frames are found by counting from the start.
    """

    stamps: tuple[int, ...]
    time_base: Fraction
    fps: Fraction
    codec: str
    sound_codec: str | None
    rotation_deg: int
    pixel_aspect: Fraction
    is_counted: bool = False


def open_container(path: Path, *, max_pixels: int = MAX_PIXELS, formats: str = _FORMATS) -> InputContainer:
    """Open a movie with the doors shut: known formats, local files, limited pictures.

    Raises:
        DataError: Missing, empty or not of these formats.
    """
    if not path.is_file():
        raise DataError("does not exist or is no file", where=path, remedy="Check the path")
    if path.stat().st_size == 0:
        raise DataError("is empty", where=path, remedy=_CUT_REMEDY)
    try:
        return av.open(
            f"file:{path.resolve()}",
            mode="r",
            options=_decoder_limits(max_pixels),
            container_options={"format_whitelist": formats, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, ValueError) as error:
        kind = "a sound" if formats == SOUND_FORMATS else "a movie"
        raise DataError(
            f"is not {kind} that can be read, or it is cut ({_reason(error)})", where=path, remedy=_CUT_REMEDY
        ) from error


def _decoder_limits(max_pixels: int) -> dict[str, str]:
    """Return the decoder's own limit, which it applies to padded pictures: hence twice ours, which is exact."""
    return {"max_pixels": str(2 * max_pixels + 65536)}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first moving picture of a container (cover pictures do not count).

    Raises:
        DataError: There is none.
    """
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        raise DataError("holds no video", where=path, remedy="Give a movie with a picture track")
    return streams[0]


def _is_cover(stream: VideoStream) -> bool:
    return bool(int(stream.disposition) & int(Disposition.attached_pic))


class MovieSource:
    """Frames of a movie file by index. Open it with `dvp_core.video.open_clip`."""

    def __init__(
        self, path: Path, *, fps: Fraction | None = None, start_frame: int = 1, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.path = path
        self._max_pixels = max_pixels
        self._container: InputContainer | None = None
        self._frames: Iterator[VideoFrame] | None = None
        self._next_index = 0
        self.facts, first = self._probe()
        height_px, width_px = first.shape[:2]
        self.clip = Clip(
            file_name=path.name,
            sha256=sha256_of_file(path),
            width_px=width_px,
            height_px=height_px,
            fps=fps or self.facts.fps,
            start_frame=start_frame,
            frame_count=len(self.facts.stamps),
            pixel_aspect=self.facts.pixel_aspect,
        )

    @property
    def has_sound(self) -> bool:
        """Whether the movie has a sound track."""
        return self.facts.sound_codec is not None

    def close(self) -> None:
        """Let go of the file; reading again opens it anew."""
        if self._container is not None:
            self._container.close()
        self._container, self._frames = None, None

    def _probe(self) -> tuple[MovieFacts, np.ndarray]:
        with open_container(self.path, max_pixels=self._max_pixels) as container:
            stream = video_stream(container, self.path)
            _check_picture_size(stream, self.path, self._max_pixels)
            stamps, is_counted = _stamps(container, stream, self.path)
            facts = replace(_facts(container, stream, stamps, self.path), is_counted=is_counted)
        first = self._decoded(0, facts)
        facts = _with_rotation(facts, first, self.path)
        picture = _upright(frame_to_rgb(first, where=self.path), facts.rotation_deg)
        if len(stamps) > 1:
            self._decoded(len(stamps) - 1, facts)  # A damaged end shows here, before hours of work.
        return facts, picture

    def read(self, index: int) -> np.ndarray:
        """Return picture `index` as sRGB-encoded RGB, shape (height, width, 3), uint8.

        Raises:
            DataError: No such picture, or the file is damaged there.
        """
        return self._picture(self._decoded(index, self.facts), index)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the pictures `start` to `stop` (not included; None: to the end) in order, one at a time in memory."""
        stop = self.clip.frame_count if stop is None else min(stop, self.clip.frame_count)
        for index in range(start, stop):
            yield self.read(index)

    def thumbnails(self, longest_px: int) -> Iterator[np.ndarray]:
        """Yield all pictures in order, scaled down so that the longer side has `longest_px`, several times as fast.

        They are as coded, not turned upright, and their colours are swscale's quick ones: to compare, not to show.
        """
        for index in range(len(self.facts.stamps)):
            yield frame_to_thumbnail(self._decoded(index, self.facts), longest_px)

    def _picture(self, frame: VideoFrame, index: int) -> np.ndarray:
        picture = _upright(frame_to_rgb(frame, where=self.path), self.facts.rotation_deg)
        if picture.shape[:2] != (self.clip.height_px, self.clip.width_px):
            height_px, width_px = picture.shape[:2]
            raise DataError(
                f"changes its size to {width_px}x{height_px} at picture {index}",
                where=self.path,
                remedy="Export the movie with one size",
            )
        return picture

    def _decoded(self, index: int, facts: MovieFacts) -> VideoFrame:
        if not 0 <= index < len(facts.stamps):
            raise DataError(f"has no picture {index}; it has {len(facts.stamps)}", where=self.path)
        try:
            frame = self._decoded_forward(index, facts) or self._decoded_from_start(index, facts)
        except (FFmpegError, EOFError) as error:
            self.close()
            raise self._damaged(index, _reason(error)) from error
        if frame is None or frame.is_corrupt:
            self.close()
            raise self._damaged(index, "the picture data is missing or broken")
        return frame

    def _damaged(self, index: int, reason: str) -> DataError:
        return DataError(f"is damaged or cut at picture {index} ({reason})", where=self.path, remedy=_CUT_REMEDY)

    def _decoded_forward(self, index: int, facts: MovieFacts) -> VideoFrame | None:
        """Return the frame from where the decoder stands or from the key frame before; None where that misses it."""
        is_near = self._next_index <= index < self._next_index + _FORWARD_DECODE_LIMIT_FRAMES
        if facts.is_counted and (self._frames is None or index < self._next_index):
            return None
        if self._frames is None or not (is_near or facts.is_counted):
            self._seek(facts.stamps[index])
        return self._advance(index, facts)

    def _decoded_from_start(self, index: int, facts: MovieFacts) -> VideoFrame | None:
        """Return the frame by decoding everything before it: some containers seek past what they were asked for."""
        self.close()
        self._next_index = 0
        self._seek(None)
        return self._advance(index, facts)

    def _seek(self, stamp: int | None) -> None:
        if self._container is None:
            self._container = open_container(self.path, max_pixels=self._max_pixels)
            stream = video_stream(self._container, self.path)
            stream.codec_context.options = _decoder_limits(self._max_pixels)
            stream.thread_type = "AUTO"
        stream = video_stream(self._container, self.path)
        if stamp is not None:
            self._container.seek(stamp, stream=stream, backward=True)
        self._frames = self._container.decode(stream)

    def _advance(self, index: int, facts: MovieFacts) -> VideoFrame | None:
        assert self._frames is not None
        if facts.is_counted:
            return self._count_to(index)
        target = facts.stamps[index]
        for frame in self._frames:
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is None or stamp < target:
                continue
            if stamp > target:
                break
            self._next_index = index + 1
            return frame
        self._frames = None
        return None

    def _count_to(self, index: int) -> VideoFrame | None:
        assert self._frames is not None
        for frame in self._frames:
            self._next_index += 1
            if self._next_index == index + 1:
                return frame
        self._frames = None
        return None


def _check_picture_size(stream: VideoStream, path: Path, max_pixels: int) -> None:
    width_px, height_px = stream.codec_context.width, stream.codec_context.height
    if width_px <= 0 or height_px <= 0:
        raise DataError("does not tell the size of its pictures", where=path, remedy=_CUT_REMEDY)
    if width_px * height_px > max_pixels:
        raise DataError(
            f"has pictures of {width_px}x{height_px}, more than the limit of {max_pixels:,} pixels",
            where=path,
            remedy="Scale the movie down first",
        )


def _stamps(container: InputContainer, stream: VideoStream, path: Path) -> tuple[tuple[int, ...], bool]:
    """Return the presentation times of all shown frames in ticks, ascending, and whether they are decoding times only.

    Raises:
        DataError: No frames, too many, or fewer than the header promises.
    """
    stamps: list[int] = []
    packet_count = 0
    is_broken = False
    is_counted = container.format.name == "avi"  # FFmpeg makes up presentation times for it, in the order of decoding
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue  # the flush packet at the end
            packet_count += 1
            is_broken = is_broken or packet.is_corrupt
            is_counted = is_counted or packet.pts is None
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and not packet.is_discard:
                stamps.append(stamp)
            if packet_count > _MAX_FRAMES:
                raise DataError(f"has more than {_MAX_FRAMES:,} frames", where=path, remedy="Split it into shots")
    except FFmpegError as error:
        raise DataError(
            f"is damaged or cut after {packet_count} frames ({_reason(error)})", where=path, remedy=_CUT_REMEDY
        ) from error
    if not stamps:
        raise DataError("holds no frames", where=path, remedy=_CUT_REMEDY)
    if is_broken or packet_count < stream.frames:
        promised = f"; its header promises {stream.frames}" if stream.frames else ""
        raise DataError(f"is cut: {packet_count} frames are there{promised}", where=path, remedy=_CUT_REMEDY)
    return tuple(sorted(stamps)), is_counted


def _facts(container: InputContainer, stream: VideoStream, stamps: tuple[int, ...], path: Path) -> MovieFacts:
    time_base = stream.time_base or Fraction(1, 1000)
    named = [rate for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate) if rate]
    fps = constant_rate(stamps, time_base, named, where=path)
    _check_promised_length(stream, Fraction(len(stamps)) / fps, path)
    sounds = container.streams.audio
    return MovieFacts(
        stamps=stamps,
        time_base=time_base,
        fps=fps,
        codec=stream.codec_context.name,
        sound_codec=sounds[0].codec_context.name if sounds else None,
        rotation_deg=0,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
    )


def _check_promised_length(stream: VideoStream, length_s: Fraction, path: Path) -> None:
    """Compare with the length that Matroska writes into each track; other containers promise a frame count."""
    text = stream.metadata.get("DURATION", "")
    hours, _, rest = text.partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        promised_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return
    if float(length_s) < promised_s - 1.0:
        raise DataError(
            f"is cut: {float(length_s):.2f} s are there, its header promises {promised_s:.2f} s",
            where=path,
            remedy=_CUT_REMEDY,
        )


def _with_rotation(facts: MovieFacts, frame: VideoFrame, path: Path) -> MovieFacts:
    quarter_turns = round(frame.rotation / 90)
    if abs(frame.rotation - quarter_turns * 90) > _LARGEST_ROTATION_ERROR_DEG:
        raise DataError(
            f"is to be shown turned by {frame.rotation} degrees",
            where=path,
            remedy="Export it upright or in quarter turns",
        )
    is_sideways = quarter_turns % 2 == 1
    return replace(
        facts,
        rotation_deg=quarter_turns % 4 * 90,
        pixel_aspect=1 / facts.pixel_aspect if is_sideways else facts.pixel_aspect,
    )


def _upright(picture: np.ndarray, rotation_deg: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(picture, rotation_deg // 90)) if rotation_deg else picture
