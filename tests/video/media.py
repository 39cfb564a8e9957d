"""Movies and pictures made in code for the tests of this room."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH_PX, HEIGHT_PX = 96, 64


def numbered_frame(index: int, *, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> np.ndarray:
    """A smooth picture in which eight blocks along the top spell the index in black and white."""
    row, column = np.mgrid[0:height_px, 0:width_px]
    red = 128 + 60 * np.sin(column / 17 + index / 5)
    image = np.stack([red, 2 * row + 30, np.full_like(row, 90)], axis=-1).clip(0, 255).astype(np.uint8)
    for bit in range(8):
        image[:12, bit * 12 : bit * 12 + 12] = 235 if index >> bit & 1 else 20
    return image


def number_in(image: np.ndarray) -> int:
    return sum(1 << bit for bit in range(8) if image[2:10, bit * 12 + 2 : bit * 12 + 10].mean() > 128)


def write_movie(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    fps: Fraction = Fraction(25),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    pixel_format: str = "yuv420p",
    with_sound: str | None = None,
    muxer: str | None = None,
) -> Path:
    """Encode without any of the project's own code; `stamps` are in units of 1/fps."""
    with av.open(str(path), "w", format=muxer) as output:
        stream = output.add_stream(codec, rate=fps, options=options or {"crf": "10", "bf": "2", "g": "12"})
        stream.pix_fmt = pixel_format
        sound = output.add_stream(with_sound, rate=48000, layout="mono") if with_sound else None
        count = 0
        for index, image in enumerate(images):
            if index == 0:
                stream.width, stream.height = image.shape[1], image.shape[0]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = stamps[index] if stamps else index
            frame.time_base = 1 / fps
            output.mux(stream.encode(frame))
            count = index + 1
        output.mux(stream.encode(None))
        if sound:
            _write_tone(output, sound, float(count / fps))
    return path


def write_sound(path: Path, *, length_s: float) -> Path:
    with av.open(str(path), "w") as output:
        _write_tone(output, output.add_stream("aac", rate=48000, layout="mono"), length_s)
    return path


def _write_tone(output, sound, length_s: float) -> None:
    """A tone that grows louder with time, so that its place in time can be read from it."""
    rate, block = 48000, 1024
    time_s = np.arange(int(length_s * rate)) / rate
    samples = (np.sin(2 * np.pi * 440 * time_s) * time_s / length_s * 30000).astype(np.int16)
    for start in range(0, len(samples) - block, block):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + block], format="s16", layout="mono")
        frame.pts, frame.rate, frame.time_base = start, rate, Fraction(1, rate)
        output.mux(sound.encode(frame))
    output.mux(sound.encode(None))


def sound_samples(path: Path) -> tuple[np.ndarray, float]:
    """All samples of the first sound track as floats, and the time in seconds of the first one."""
    with av.open(str(path)) as source:
        frames = list(source.decode(source.streams.audio[0]))
    start_s = float(frames[0].pts * frames[0].time_base)
    pieces = [frame.to_ndarray() for frame in frames]
    if pieces[0].dtype == np.int16:
        pieces = [piece / 32768 for piece in pieces]
    return np.concatenate(pieces, axis=1)[0], start_s
