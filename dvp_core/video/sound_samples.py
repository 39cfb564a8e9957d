"""Reads a sound as numbers, to measure on it; nothing that is heard goes through here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError

from dvp_core.data.errors import DataError
from dvp_core.data.sound import Sound
from dvp_core.video.movie import SOUND_FORMATS, open_container
from dvp_core.video.sound import sound_stream

MEASURING_RATE_HZ = 16000


def read_sound(path: Path | str) -> Sound:
    """Return the first sound track of a sound file or movie, mixed to one channel of 16 kHz.

    Raises:
        DataError: The file cannot be read, or holds no sound.
    """
    try:
        with open_container(Path(path), formats=SOUND_FORMATS) as container:
            parts = [np.asarray(frame.to_ndarray(), np.float32).ravel() for frame in _mono(container, path)]
    except FFmpegError as error:
        raise DataError(f"its sound is damaged ({error.strerror})", where=path, remedy="Export it again") from error
    if not parts:
        raise DataError("its sound track is empty", where=path, remedy="Export it again")
    return Sound(np.concatenate(parts), MEASURING_RATE_HZ)


def _mono(container: InputContainer, path: Path | str) -> Iterator[AudioFrame]:
    resampler = AudioResampler(format="flt", layout="mono", rate=MEASURING_RATE_HZ)
    for frame in container.decode(sound_stream(container, path)):
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
