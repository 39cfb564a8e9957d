"""The built-in actor's made-up speech: syllables to timed sounds, sounds to mouth shapes.

The text means nothing: it was written to visit every mouth shape a few times in both thirds and in the held-out end
of the clip. This file knows neither the face nor the sound; `performance.py` and `sound.py` read its events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SENTENCES: tuple[tuple[float, str], ...] = (
    (0.45, "mave lo tisun, bafi mo ena"),
    (3.15, "oru wami fela so, du pimeka"),
    (6.00, "hali vo bema, tuso ni far omi"),
    (8.75, "wena pilo mufa, eso labi tu ma"),
)
"""Start [s] and syllables of each sentence; letters are read one by one, a comma is a short silence."""

VOWEL_DURATION_S = {"a": 0.155, "e": 0.125, "i": 0.115, "o": 0.150, "u": 0.140}
CONSONANT_DURATION_S = 0.075
SPACE_DURATION_S = 0.025
COMMA_DURATION_S = 0.32

MOUTH_SHAPES: dict[str, dict[str, float]] = {
    "a": {"jawOpen": 0.52, "mouthLowerDown": 0.22, "mouthUpperUp": 0.14, "mouthStretch": 0.08},
    "e": {"jawOpen": 0.30, "mouthSmile": 0.16, "mouthStretch": 0.20, "mouthLowerDown": 0.15, "mouthUpperUp": 0.10},
    "i": {"jawOpen": 0.15, "mouthSmile": 0.30, "mouthStretch": 0.26, "mouthDimple": 0.20, "mouthLowerDown": 0.12},
    "o": {"jawOpen": 0.36, "mouthFunnel": 0.48, "mouthPucker": 0.28},
    "u": {"jawOpen": 0.14, "mouthFunnel": 0.25, "mouthPucker": 0.68},
    "mbp": {"mouthPress": 0.42, "mouthRollLower": 0.14, "mouthRollUpper": 0.10},
    "fv": {"jawOpen": 0.09, "mouthRollLower": 0.48, "mouthUpperUp": 0.20},
    "sz": {"jawOpen": 0.05, "mouthStretch": 0.26, "mouthLowerDown": 0.28, "mouthUpperUp": 0.12},
    "tdnlkrh": {"jawOpen": 0.17, "mouthLowerDown": 0.12, "mouthUpperUp": 0.06},
    "w": {"jawOpen": 0.09, "mouthPucker": 0.72, "mouthFunnel": 0.18},
}
"""Mouth shape of each group of letters: ARKit names; a name that exists on both sides drives both."""

TWO_SIDED = frozenset(
    ("mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile", "mouthDimple", "mouthPress", "mouthFrown")
)


@dataclass(frozen=True)
class SpeechSound:
    """One sound of the speech: the letter and the time it fills."""

    letter: str
    start_s: float
    stop_s: float

    @property
    def is_vowel(self) -> bool:
        """Whether the sound is voiced with an open mouth and carries a formant of its own."""
        return self.letter in VOWEL_DURATION_S


def speech_sounds() -> tuple[SpeechSound, ...]:
    """All sounds of the clip in order of time."""
    sounds: list[SpeechSound] = []
    for start_s, text in SENTENCES:
        time_s = start_s
        for letter in text:
            duration_s = _duration_s(letter)
            if letter.isalpha():
                sounds.append(SpeechSound(letter, time_s, time_s + duration_s))
            time_s += duration_s
    return tuple(sounds)


def _duration_s(letter: str) -> float:
    if letter == ",":
        return COMMA_DURATION_S
    if letter == " ":
        return SPACE_DURATION_S
    return VOWEL_DURATION_S.get(letter, CONSONANT_DURATION_S)


def mouth_shape_of(letter: str) -> dict[str, float]:
    """Weights by expression name (one-sided names without their side) of a letter."""
    for letters, shape in MOUTH_SHAPES.items():
        if letter in letters:
            return shape
    raise ValueError(f"no mouth shape for the letter {letter!r}")


def mouth_curves(times_s: np.ndarray, *, smoothing_s: float = 0.034) -> dict[str, np.ndarray]:
    """Expression curves of the speech by ARKit name, one value for each of the (F,) times.

    Neighbouring sounds blend (coarticulation) because each sound's box in time is convolved with a Gaussian; lip
    contacts keep their full weight by pushing the jaw shut last.

    Args:
        times_s: (F,) moments to sample at, in seconds.
        smoothing_s: standard deviation of the Gaussian in time.
    """
    step_s = 0.005
    grid_s = np.arange(-0.5, float(times_s.max()) + 1.0, step_s)
    shapes: dict[str, np.ndarray] = {}
    contact = np.zeros(len(grid_s))
    for sound in speech_sounds():
        inside = (grid_s >= sound.start_s) & (grid_s < sound.stop_s)
        for name, weight in mouth_shape_of(sound.letter).items():
            shapes.setdefault(name, np.zeros(len(grid_s)))[inside] = weight
        if sound.letter in "mbp":
            contact[inside] = 1.0
    kernel_s = np.arange(-4 * smoothing_s, 4 * smoothing_s + step_s, step_s)
    kernel = np.exp(-0.5 * (kernel_s / smoothing_s) ** 2)
    kernel /= kernel.sum()
    closed = np.minimum(1.0, 1.25 * np.convolve(contact, kernel, mode="same"))
    shapes["jawOpen"] = np.convolve(shapes["jawOpen"], kernel, mode="same") * (1.0 - closed)
    curves: dict[str, np.ndarray] = {}
    for name, box in shapes.items():
        smooth = box if name == "jawOpen" else np.convolve(box, kernel, mode="same")
        sampled = np.interp(times_s, grid_s, smooth)
        for full_name in _with_sides(name):
            curves[full_name] = sampled
    return curves


def _with_sides(name: str) -> tuple[str, ...]:
    return (f"{name}Left", f"{name}Right") if name in TWO_SIDED else (name,)
