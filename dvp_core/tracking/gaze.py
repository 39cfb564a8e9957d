"""Where each eye looks, and how surely: the iris is looked for in the picture of the eyeball between the lids.

Both eyes look nearly the same way; where one of them is hidden, the other tells. The eyes' constant error against each
other (an eyeball's place is known to a millimetre, which is four degrees) is found before, from some frames spread over
the clip, so that no frame has to wait for the clip's end. A closed eye is no matter of this file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.landmark_definitions import EYES_68
from dvp_core.tracking.eye_sight import EyePair, EyeSight
from dvp_core.tracking.iris_search import (
    CHANNELS,
    LOOK_PITCHES_RAD,
    LOOK_YAWS_RAD,
    Discs,
    discs_of,
    energies,
    evidence,
)

CLOSED = 0.14  # opening over width below which no iris is seen
USUAL_LOOK_RAD = np.radians([20.0, 10.0])
VERGENCE_RAD = np.radians(3.0)  # of eyes that look at something about a metre away
# Left and right may differ by so much: before their constant error is known, once it is roughly known, and after.
DIFFERENCES_RAD = np.radians([[20.0, 10.0], [6.0, 4.0], [3.0, 2.0], [3.0, 2.0]])
DETECTED_SIGMA_RAD = np.radians([8.0, 14.0])  # of a detector's irises; they lag behind what the picture shows
LEAST_SIGMA_RAD = np.radians(0.55)  # the grid's own
IRIS_SIZES = np.array([0.88, 0.94, 1.0, 1.06, 1.12, 1.18, 1.24, 1.3])
IRIS_SIZE_SPREAD = 0.1  # of a person's iris against the model's
LOOKS_OF_A_CLIP = 3.0  # how many independent pictures a whole clip is worth for the iris's size
SAMPLED_FRAMES = 24
FRAMES_AT_ONCE = 64


@dataclass(frozen=True)
class IrisLook:
    """How a clip shows a person's irises: the masks of their size, and the channel (3,) in which they are plainest."""

    discs: Discs
    channel: np.ndarray


@dataclass(frozen=True)
class KnownEyes:
    """What stays the same about a clip's eyes: how its irises look, and where they stand at zero gaze (2, 2)."""

    look: IrisLook
    rest_rad: np.ndarray


def openings(ibug_px: np.ndarray) -> np.ndarray:
    """Return (F, 2): height over width of the left and the right eye's opening, from iBUG's points (F, 68, 2)."""
    eyes = ibug_px[:, EYES_68]
    width = np.linalg.norm(eyes[:, :, 0] - eyes[:, :, 3], axis=-1)
    height = np.linalg.norm(eyes[:, :, [1, 2]] - eyes[:, :, [5, 4]], axis=-1).mean(axis=-1)
    return height / np.maximum(width, 1e-6)


def telling_frames(is_open: np.ndarray) -> np.ndarray:
    """Return the numbers of up to `SAMPLED_FRAMES` frames by which a clip's eyes are known, ascending.

    Args:
        is_open: (F, 2) bool; frames with both eyes open are chosen, spread over the clip.
    """
    usable = np.flatnonzero(is_open.all(axis=1))
    return usable[np.unique(np.linspace(0, len(usable) - 1, SAMPLED_FRAMES).astype(int))] if len(usable) else usable


def known_eyes(eyes: EyePair, sights: Sequence[EyeSight]) -> KnownEyes:
    """Return what stays the same about a clip's eyes, from some frames in which both are open; there may be none."""
    look = iris_look(eyes, sights)
    return KnownEyes(look, _rest_of_clip(_energy(sights, look)) if len(sights) else np.zeros((2, 2)))


def gaze_of_frames(known: KnownEyes, sights: Sequence[EyeSight]) -> tuple[np.ndarray, np.ndarray]:
    """Return gaze (F, 2, 2) and its standard deviations (F, 2, 2), radians.

    Left eye first, yaw to +X and pitch up, in head space. Each frame is looked at by itself; the energies of F frames
    are in memory at a time, 40 kB a frame and more, so a clip is given in groups of about `FRAMES_AT_ONCE`.

    Args:
        known: What stays the same about the clip's eyes.
        sights: What F frames show of them.
    """
    return believed_gaze(_energy(sights, known.look), known.rest_rad, DIFFERENCES_RAD[-1])


def _energy(sights: Sequence[EyeSight], look: IrisLook) -> np.ndarray:
    """Return energies (F, 2, pitches, yaws) of what the picture shows, and of the detector's irises where there are."""
    detected = np.stack([sight.irises_rad for sight in sights])[..., None]
    yaw = 0.5 * ((LOOK_YAWS_RAD - detected[:, :, 0]) / DETECTED_SIGMA_RAD[0]) ** 2
    pitch = 0.5 * ((LOOK_PITCHES_RAD - detected[:, :, 1]) / DETECTED_SIGMA_RAD[1]) ** 2
    by_detector = yaw[:, :, None] + pitch[..., None]
    return energies(sights, look.discs, look.channel) + np.nan_to_num(by_detector)


def iris_look(eyes: EyePair, sights: Sequence[EyeSight]) -> IrisLook:
    """Return the size of a clip's irises and the channel that shows them, by the evidence of some open frames."""
    usual = float((eyes.iris_radii / eyes.radii).mean())
    if not sights:
        return IrisLook(discs_of(float(np.arcsin(usual))), CHANNELS[1])
    plain = discs_of(float(np.arcsin(min(1.1 * usual, 0.6))))
    channel = max(CHANNELS, key=lambda channel: evidence(energies(sights, plain, channel)))
    angles = np.arcsin(np.minimum(IRIS_SIZES * usual, 0.9))
    belief = -0.5 * (np.log(IRIS_SIZES) / IRIS_SIZE_SPREAD) ** 2
    # Masks of one size take 30 MB: one size after the other.
    belief += [LOOKS_OF_A_CLIP * evidence(energies(sights, discs_of(float(angle)), channel)) for angle in angles]
    # The mean over all sizes: between two that are believed alike, the likelier one would be a toss of a coin.
    return IrisLook(discs_of(float(np.average(angles, weights=np.exp(belief - belief.max())))), channel)


def _rest_of_clip(energy: np.ndarray) -> np.ndarray:
    """Return where irises stand at zero gaze (2, 2), so that over the clip both eyes look the same way.

    Eyes stand askew where the face's shape is wrong by a little, and some models' are modelled so.
    """
    rest_rad = np.zeros((2, 2))
    for differences in DIFFERENCES_RAD[:-1]:
        gaze, sigma = believed_gaze(energy, rest_rad, differences)
        apart = gaze[:, 0] - gaze[:, 1] + [VERGENCE_RAD, 0.0]
        trust = 1 / ((sigma**2).sum(axis=1) + np.radians(2.0) ** 2)
        shift = np.array([_weighted_median(*pair) for pair in zip(apart.T, trust.T, strict=True)]) / 2
        rest_rad = rest_rad + np.stack([shift, -shift])
    return rest_rad


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])


def believed_gaze(
    energy: np.ndarray, rest_rad: np.ndarray, differences_rad: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (F, 2, 2) and deviation (F, 2, 2) of what the pictures and the other eye let one believe.

    Args:
        energy: (F, 2, pitches, yaws) of `energies`.
        rest_rad: (2, 2) yaw and pitch of each iris at zero gaze.
        differences_rad: (2,) by how much the eyes' yaw and pitch may differ.
    """
    looks = (LOOK_YAWS_RAD, LOOK_PITCHES_RAD)
    own = np.stack([_likelihood(energy[:, side], rest_rad[side]) for side in range(2)])
    gaze, sigma = np.zeros((len(energy), 2, 2)), np.zeros((len(energy), 2, 2))
    vergence = np.array([[-0.5, 0.0], [0.5, 0.0]]) * VERGENCE_RAD
    for side in range(2):
        apart = (rest_rad + vergence)[side] - (rest_rad + vergence)[1 - side]
        yaws, pitches = (
            np.exp(-0.5 * ((look[:, None] - look - offset) / spread) ** 2)
            for look, offset, spread in zip(looks, apart, differences_rad, strict=True)
        )
        belief = own[side] * (pitches @ own[1 - side] @ yaws.T)
        belief /= belief.sum(axis=(1, 2), keepdims=True)
        for axis, look in enumerate(looks):
            share = belief.sum(axis=1 + axis)
            mean = share @ look
            gaze[:, side, axis] = mean - rest_rad[side, axis]
            sigma[:, side, axis] = np.sqrt(share @ look**2 - mean**2 + LEAST_SIGMA_RAD**2)
    return gaze, sigma


def _likelihood(energy: np.ndarray, rest_rad: np.ndarray) -> np.ndarray:
    """Return (F, pitches, yaws), the best place 1: the picture's evidence, and half of what eyes usually do."""
    usual_yaw, usual_pitch = (
        0.25 * ((look - rest) / spread) ** 2
        for look, rest, spread in zip((LOOK_YAWS_RAD, LOOK_PITCHES_RAD), rest_rad, USUAL_LOOK_RAD, strict=True)
    )
    total = energy + usual_yaw + usual_pitch[:, None]
    return np.exp(total.min(axis=(1, 2), keepdims=True) - total)
