"""The plate's sound or a dubbed one under the new pictures: copied where the container may hold it, else encoded anew.

It is always trimmed to the pictures.

Nothing here changes the sound itself. Copying cuts at the codec's own blocks (21 ms of AAC); encoding cuts at samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from dvp_core.data.errors import DataError
from dvp_core.video.images import ImageSource
from dvp_core.video.movie import SOUND_FORMATS, MovieSource, open_container

_PCM = frozenset({"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be"})
_COPIED_CODECS = {
    ".mp4": frozenset({"aac", "mp3", "ac3", "eac3", "alac"}),
    ".mov": frozenset({"aac", "mp3", "ac3", "eac3", "alac"}) | _PCM,
    ".mkv": frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus", "vorbis"}) | _PCM,
}
_BIT_RATE = 192_000


@dataclass(frozen=True)
class PlateSound:
    """Which sound accompanies a movie that is to be encoded.

    Attributes:
        path: The file whose first sound track is taken.
        start_s: Time in that file, by its own clock, of the first picture to be encoded.
    """

    path: Path
    start_s: Fraction


def plate_sound(source: MovieSource | ImageSource, first_index: int = 0) -> PlateSound | None:
    """Return the sound that goes with the clip's pictures from `first_index` on, or None where it has none.

    A clip opened with another rate than its own has none either: its sound would run away from the pictures.
    """
    if not isinstance(source, MovieSource) or not source.has_sound or source.clip.fps != source.facts.fps:
        return None
    facts = source.facts
    return PlateSound(source.path, facts.stamps[0] * facts.time_base + first_index / facts.fps)


def dubbed_sound(path: Path | str, first_index: int, fps: Fraction) -> PlateSound:
    """Return another file's sound for pictures from index `first_index` on, its beginning at the clip's first picture.

    Args:
        path: A sound file, or a movie whose first sound track is taken.
        first_index: Index of the first picture shown.
        fps: The pictures' rate.

    Raises:
        DataError: The file cannot be read or holds no sound.
    """
    with open_container(Path(path), formats=SOUND_FORMATS) as container:
        stream = sound_stream(container, path)
        begins_s = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    return PlateSound(Path(path), begins_s + first_index / fps)


def sound_stream(container: InputContainer, path: Path | str) -> AudioStream:
    """Return the first sound track of a file.

    Raises:
        DataError: There is none.
    """
    if not container.streams.audio:
        raise DataError("holds no sound", where=path, remedy="Give a sound file, or a movie with sound")
    return container.streams.audio[0]


class SoundTrack(Protocol):
    """A sound track that is written as far as the pictures have come."""

    def write_until(self, time_s: Fraction, *, is_end: bool = False) -> None:
        """Write everything that sounds before `time_s` of the new movie; at the end, what is left before it."""
        ...


def add_sound(output: OutputContainer, sound: PlateSound, source: InputContainer, *, suffix: str) -> SoundTrack:
    """Add a sound track to a movie that is being encoded.

    Args:
        output: The movie to be.
        sound: Where the sound comes from.
        source: That file, open.
        suffix: The movie's suffix, which decides what may be copied.
    """
    stream = source.streams.audio[0]
    before_start_s = sound.start_s - 1  # Sound blocks before a seek point are needed to decode the first one.
    if before_start_s > 0 and stream.time_base:
        source.seek(int(before_start_s / stream.time_base), stream=stream, backward=True)
    if stream.codec_context.codec.canonical_name in _COPIED_CODECS[suffix]:
        return _CopiedSound(output, stream, source, sound.start_s)
    return _EncodedSound(output, stream, source, sound.start_s)


def open_sound(sound: PlateSound) -> InputContainer:
    """Open the file that holds the sound; the caller closes it."""
    return open_container(sound.path, formats=SOUND_FORMATS)


class _CopiedSound:
    def __init__(self, output: OutputContainer, stream: AudioStream, source: InputContainer, start_s: Fraction) -> None:
        self._output = output
        self._track = output.add_stream_from_template(stream)
        self._start_s = start_s
        self._packets = self._trimmed(source, stream)
        self._waiting: Packet | None = next(self._packets, None)

    def _trimmed(self, source: InputContainer, stream: AudioStream) -> Iterator[Packet]:
        time_base = stream.time_base or Fraction(1, 48000)
        start = round(self._start_s / time_base)
        for packet in source.demux(stream):
            if packet.size == 0 or packet.pts is None or packet.pts + (packet.duration or 0) <= start:
                continue
            packet.pts -= start
            packet.dts = packet.pts
            yield packet

    def write_until(self, time_s: Fraction, *, is_end: bool = False) -> None:
        while self._waiting is not None and self._begin_s(self._waiting) < time_s:
            self._waiting.stream = self._track
            self._output.mux(self._waiting)
            self._waiting = next(self._packets, None)

    @staticmethod
    def _begin_s(packet: Packet) -> Fraction:
        return (packet.pts or 0) * packet.time_base


class _EncodedSound:
    def __init__(self, output: OutputContainer, stream: AudioStream, source: InputContainer, start_s: Fraction) -> None:
        self._output = output
        rate = stream.codec_context.sample_rate
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._track = output.add_stream("aac", rate=rate, layout=layout)
        self._track.codec_context.bit_rate = _BIT_RATE
        self._rate = rate
        self._fifo = AudioFifo()
        self._frames = source.decode(stream)
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        self._start_s = start_s
        self._decoded_until_s = Fraction(0)
        self._next_sample: int | None = None

    def write_until(self, time_s: Fraction, *, is_end: bool = False) -> None:
        while self._decoded_until_s < time_s and self._take_next_frame():
            continue
        block = self._track.codec_context.frame_size or 1024
        end_sample = round(time_s * self._rate)
        while self._fifo.samples and self._next_sample is not None and self._next_sample < end_sample:
            wanted = min(block, end_sample - self._next_sample, self._fifo.samples) if is_end else block
            frame = self._fifo.read(wanted)
            if frame is None:
                break
            self._encode(frame)
        if is_end:
            self._output.mux(self._track.encode(None))

    def _take_next_frame(self) -> bool:
        frame = next(self._frames, None)
        if frame is None:
            return False
        begin_s = (frame.pts or 0) * (frame.time_base or Fraction(0)) - self._start_s
        self._decoded_until_s = begin_s + Fraction(frame.samples, frame.sample_rate)
        if self._decoded_until_s <= 0:
            return True
        for piece in self._resampler.resample(frame):
            piece.pts = None
            self._fifo.write(piece)
        if self._next_sample is None:
            self._drop_before_start(begin_s)
        return True

    def _drop_before_start(self, begin_s: Fraction) -> None:
        first_sample = round(begin_s * self._rate)
        spare = min(max(-first_sample, 0), self._fifo.samples)
        if spare:
            self._fifo.read(spare)
        self._next_sample = max(first_sample, 0)

    def _encode(self, frame: AudioFrame) -> None:
        assert self._next_sample is not None
        frame.pts = self._next_sample
        frame.time_base = Fraction(1, self._rate)
        self._next_sample += frame.samples
        self._output.mux(self._track.encode(frame))
