"""A voice for the built-in actor: harmonics of a gliding pitch under the formants of its vowels, hiss for fricatives.

It is a sound to see lips by, not speech: loudness and vowels follow the very events that move the jaw.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tools.built_in_actor.speech import SpeechSound, speech_sounds

RATE_HZ = 32_000
BIT_RATE = 48_000
HARMONIC_COUNT = 28

FORMANTS_HZ = {
    "a": (760.0, 1220.0, 2550.0),
    "e": (520.0, 1780.0, 2480.0),
    "i": (310.0, 2150.0, 2900.0),
    "o": (460.0, 860.0, 2450.0),
    "u": (330.0, 780.0, 2300.0),
    "mn": (260.0, 1050.0, 2200.0),
    "wlrbdv": (340.0, 1100.0, 2300.0),
}
FORMANT_WIDTH_HZ = (90.0, 110.0, 170.0)
FORMANT_GAIN = (1.0, 0.55, 0.25)
LOUDNESS = {"a": 1.0, "e": 0.85, "i": 0.75, "o": 0.9, "u": 0.75, "mn": 0.4, "wlrbdv": 0.45}
HISS = {"s": 0.16, "f": 0.07, "h": 0.05, "t": 0.09, "k": 0.08, "p": 0.06, "v": 0.02}


def voice(duration_s: float) -> np.ndarray:
    """Return samples (N,) float32 in -1..1 at `RATE_HZ`, the same each time."""
    times_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    sounds = speech_sounds()
    formants_hz, loudness = _vowel_tracks(times_s, sounds)
    samples = 0.5 * _harmonics(times_s, formants_hz) * loudness + _hiss(times_s, sounds)
    room = np.random.default_rng(1).normal(0.0, 0.0015, len(times_s))
    samples = samples + room
    return (0.8 * samples / np.abs(samples).max()).astype(np.float32)


def _group_of(letter: str) -> str | None:
    return next((group for group in FORMANTS_HZ if letter in group), None)


def _vowel_tracks(times_s: np.ndarray, sounds: tuple[SpeechSound, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return formant frequencies (3, N) that glide from sound to sound, and loudness (N,)."""
    voiced = [(sound, group) for sound in sounds if (group := _group_of(sound.letter)) is not None]
    middles_s = [0.5 * (sound.start_s + sound.stop_s) for sound, _ in voiced]
    tracks = [np.interp(times_s, middles_s, [FORMANTS_HZ[group][i] for _, group in voiced]) for i in range(3)]
    loudness = np.zeros(len(times_s))
    for sound, group in voiced:
        loudness[(times_s >= sound.start_s) & (times_s < sound.stop_s)] = LOUDNESS[group]
    return np.stack(tracks), _smoothed(loudness, 0.014)


def _smoothed(track: np.ndarray, width_s: float) -> np.ndarray:
    length = int(width_s * RATE_HZ) | 1
    window = np.hanning(length + 2)[1:-1]
    return np.convolve(track, window / window.sum(), mode="same")


def _harmonics(times_s: np.ndarray, formants_hz: np.ndarray) -> np.ndarray:
    """Return a sum of harmonics, each as loud as the formants are at its frequency."""
    pitch_hz = 118.0 + 14.0 * np.sin(2 * np.pi * 0.42 * times_s) + 6.0 * np.sin(2 * np.pi * 1.9 * times_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    total = np.zeros(len(times_s))
    for number in range(1, HARMONIC_COUNT + 1):
        frequency_hz = number * pitch_hz
        gain = np.zeros(len(times_s))
        for formant_hz, width_hz, strength in zip(formants_hz, FORMANT_WIDTH_HZ, FORMANT_GAIN, strict=True):
            gain += strength / (1.0 + ((frequency_hz - formant_hz) / width_hz) ** 2)
        total += (gain + 0.02) * np.sin(number * phase) / number**0.35
    return total


def _hiss(times_s: np.ndarray, sounds: tuple[SpeechSound, ...]) -> np.ndarray:
    loudness = np.zeros(len(times_s))
    for sound in sounds:
        if sound.letter in HISS:
            loudness[(times_s >= sound.start_s) & (times_s < sound.stop_s)] = HISS[sound.letter]
    noise = np.random.default_rng(2).normal(0.0, 1.0, len(times_s))
    bright = noise - np.concatenate([[0.0], noise[:-1]])
    return bright * _smoothed(loudness, 0.02)


def write_voice(path: Path, duration_s: float) -> None:
    """Write the voice as AAC in an MP4 container."""
    samples = voice(duration_s)
    with av.open(str(path), mode="w", format="mp4", container_options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("aac", rate=RATE_HZ, layout="mono")
        stream.codec_context.bit_rate = BIT_RATE
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            frame.pts = start
            frame.time_base = Fraction(1, RATE_HZ)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
