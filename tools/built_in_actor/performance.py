"""What the built-in actor does, frame by frame: speech, blinks, glances, head turns, smiles and brows.

Made of numbers alone (no Blender), so that the truth of the clip can be rebuilt and tested without rendering it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tools.built_in_actor.speech import mouth_curves

FRAME_COUNT = 300
FPS = Fraction(25)

BLINK_TIMES_S = (0.30, 2.55, 3.02, 5.55, 7.62, 8.55, 10.70, 11.55)
BLINK_CLOSE_S, BLINK_HOLD_S, BLINK_OPEN_S = 0.07, 0.05, 0.15

GLANCES_DEG: tuple[tuple[float, float, float], ...] = (
    (0.00, 0.0, 0.0),
    (1.10, -11.0, 3.0),
    (1.75, 0.0, 0.0),
    (2.60, 16.0, -2.0),
    (3.25, 2.0, 0.0),
    (4.60, -4.0, -13.0),
    (5.30, 0.0, 0.0),
    (5.65, -18.0, 8.0),
    (6.35, 1.0, 0.0),
    (7.70, 12.0, 9.0),
    (8.40, 0.0, -1.0),
    (9.60, -9.0, -6.0),
    (10.20, 3.0, 0.0),
    (10.75, 15.0, -8.0),
    (11.30, 0.0, 0.0),
)
"""Time [s], yaw and pitch the eyes jump to; a jump takes about 40 ms."""

HEAD_KEYS_DEG: tuple[tuple[float, float, float, float], ...] = (
    (0.0, 0.0, 0.0, 0.0),
    (1.0, -5.0, 1.0, 1.5),
    (1.9, 4.0, -3.0, -1.0),
    (2.7, 15.0, 0.0, -3.0),
    (3.5, 6.0, -2.0, 0.0),
    (4.3, -6.0, 2.0, 3.0),
    (4.7, -5.0, -7.0, 3.5),
    (5.1, -6.0, 3.0, 2.0),
    (5.8, -19.0, 4.0, 4.0),
    (6.6, -8.0, 0.0, 0.0),
    (7.3, 3.0, -4.0, -4.0),
    (7.9, 9.0, 6.0, -5.0),
    (8.7, 1.0, 0.0, 0.0),
    (9.4, -8.0, -2.0, 4.0),
    (10.1, 2.0, -5.0, 1.0),
    (10.9, 13.0, -3.0, -4.0),
    (11.4, 4.0, 2.0, -1.0),
    (12.0, 0.0, 0.0, 0.0),
)
"""Time [s], yaw, pitch, roll of the head; between the keys it eases."""

GESTURES: tuple[tuple[float, float, float, dict[str, float]], ...] = (
    (0.9, 0.5, 0.7, {"browInnerUp": 0.7, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6, "eyeWide": 0.25}),
    (2.35, 0.75, 0.8, {"mouthSmile": 0.75, "cheekSquint": 0.55, "eyeSquint": 0.35, "mouthDimple": 0.2}),
    (4.35, 0.5, 0.8, {"browDown": 0.75, "eyeSquint": 0.25, "noseSneer": 0.2, "mouthFrown": 0.35}),
    (5.45, 0.5, 0.6, {"browOuterUpLeft": 0.85, "browInnerUp": 0.25, "mouthLeft": 0.25}),
    (6.5, 0.4, 0.5, {"browInnerUp": 0.55, "browOuterUpRight": 0.45, "browOuterUpLeft": 0.45}),
    (7.75, 0.7, 0.8, {"mouthSmile": 0.85, "cheekSquint": 0.7, "eyeSquint": 0.4, "jawOpen": 0.14}),
    (9.3, 0.45, 0.5, {"browInnerUp": 0.8, "mouthFrown": 0.3}),
    (10.15, 0.4, 0.5, {"browDown": 0.6, "noseSneer": 0.15}),
    (11.15, 0.7, 0.9, {"mouthSmile": 0.7, "cheekSquint": 0.5, "browOuterUpLeft": 0.3, "browOuterUpRight": 0.3}),
)
"""Middle [s], rise and length [s] and weights of each gesture; a name without a side drives both."""

SIDELESS = frozenset(
    ("mouthSmile", "cheekSquint", "eyeSquint", "mouthDimple", "browDown", "noseSneer", "mouthFrown", "eyeWide")
)


@dataclass(frozen=True)
class Performance:
    """The actor's motion over F frames, before it meets a face model.

    Attributes:
        times_s: (F,) middle of each frame's exposure.
        expression: curve (F,) by ARKit name, 0..1.
        head_deg: (F, 3) yaw, pitch, roll.
        head_shift_m: (F, 3) shift of the neck's base along head space axes of a head that faces the camera.
        gaze_deg: (F, 2, 2) left and right eye, yaw and pitch in head space.
    """

    times_s: np.ndarray
    expression: dict[str, np.ndarray]
    head_deg: np.ndarray
    head_shift_m: np.ndarray
    gaze_deg: np.ndarray


def built_in_performance(frame_count: int = FRAME_COUNT, fps: Fraction = FPS) -> Performance:
    """The whole performance of the built-in actor, the same numbers each time."""
    times_s = (np.arange(frame_count) + 0.5) / float(fps)
    gaze_deg = _gaze_deg(times_s)
    expression = mouth_curves(times_s)
    for curves in (_gesture_curves(times_s), _lid_curves(times_s, gaze_deg)):
        for name, curve in curves.items():
            expression[name] = np.clip(expression.get(name, 0.0) + curve, 0.0, 1.0)
    head_keys = np.array(HEAD_KEYS_DEG)
    head_deg = np.stack([_eased(times_s, head_keys[:, 0], head_keys[:, axis]) for axis in (1, 2, 3)], axis=1)
    head_deg += _wander(times_s, seed=3) * np.array([1.2, 0.9, 0.7])
    # The jaw's beat nods the head a little, as in real speech.
    head_deg[:, 1] -= 2.2 * _smoothed(expression["jawOpen"], 2.0)
    return Performance(times_s, expression, head_deg, _wander(times_s, seed=7) * 0.006, gaze_deg)


def _eased(times: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values between keys with zero speed at each key (smoothstep)."""
    index = np.clip(np.searchsorted(keys, times, side="right") - 1, 0, len(keys) - 2)
    part = np.clip((times - keys[index]) / (keys[index + 1] - keys[index]), 0.0, 1.0)
    return values[index] + (values[index + 1] - values[index]) * part * part * (3.0 - 2.0 * part)


def _wander(times_s: np.ndarray, *, seed: int) -> np.ndarray:
    """(F, 3) slow wandering of about unit size: four sines an axis."""
    generator = np.random.default_rng(seed)
    frequency_hz = generator.uniform(0.12, 0.8, (3, 4))
    phase = generator.uniform(0.0, 2 * np.pi, (3, 4))
    waves = np.sin(2 * np.pi * frequency_hz * times_s[:, None, None] + phase)
    return np.asarray((waves / np.sqrt(frequency_hz / 0.12)).sum(axis=2) / 1.6)


def _smoothed(curve: np.ndarray, sigma_frames: float) -> np.ndarray:
    offsets = np.arange(-int(4 * sigma_frames), int(4 * sigma_frames) + 1)
    kernel = np.exp(-0.5 * (offsets / sigma_frames) ** 2)
    return np.convolve(curve, kernel / kernel.sum(), mode="same")


def _gesture_curves(times_s: np.ndarray) -> dict[str, np.ndarray]:
    curves: dict[str, np.ndarray] = {}
    for middle_s, rise_s, length_s, weights in GESTURES:
        distance_s = np.abs(times_s - middle_s) - 0.5 * length_s
        part = np.clip(1.0 - distance_s / (0.6 * rise_s), 0.0, 1.0)
        bump = part * part * (3.0 - 2.0 * part)
        for name, weight in weights.items():
            for full_name in (f"{name}Left", f"{name}Right") if name in SIDELESS else (name,):
                curves[full_name] = curves.get(full_name, np.zeros(len(times_s))) + weight * bump
    return curves


def _gaze_deg(times_s: np.ndarray) -> np.ndarray:
    glances = np.array(GLANCES_DEG)
    both = np.zeros((len(times_s), 2))
    for start_s, step in zip(glances[1:, 0], np.diff(glances[:, 1:], axis=0), strict=True):
        both += step * np.clip((times_s - start_s) / 0.05 + 0.5, 0.0, 1.0)[:, None]
    both += _wander(times_s, seed=11)[:, :2] * 0.5
    # Eyes that look at something one metre away converge by about 1.8 degrees each.
    toe_in_deg = np.array([[-1.8, 0.0], [1.8, 0.0]])
    return both[:, None, :] + toe_in_deg


def _lid_curves(times_s: np.ndarray, gaze_deg: np.ndarray) -> dict[str, np.ndarray]:
    """Blinks, and the lids that follow the gaze."""
    blink = np.zeros(len(times_s))
    for start_s in BLINK_TIMES_S:
        closing = np.clip((times_s - start_s) / BLINK_CLOSE_S, 0.0, 1.0)
        opening = np.clip((times_s - start_s - BLINK_CLOSE_S - BLINK_HOLD_S) / BLINK_OPEN_S, 0.0, 1.0)
        blink = np.maximum(blink, np.minimum(closing, 1.0 - opening))
    curves = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    for eye, side in enumerate(("Left", "Right")):
        yaw, pitch = gaze_deg[:, eye, 0], gaze_deg[:, eye, 1]
        outward = yaw if side == "Left" else -yaw
        curves[f"eyeLookOut{side}"] = np.clip(outward / 35.0, 0.0, 1.0)
        curves[f"eyeLookIn{side}"] = np.clip(-outward / 35.0, 0.0, 1.0)
        curves[f"eyeLookUp{side}"] = np.clip(pitch / 25.0, 0.0, 1.0)
        curves[f"eyeLookDown{side}"] = np.clip(-pitch / 25.0, 0.0, 1.0)
    return curves
