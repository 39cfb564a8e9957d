"""Faults that pictures show without any face being looked for: black, wrong colours, flicker, standing still.

What a frame looks like is boiled down to the means of 16 x 16 blocks, and held against the plate's crop of the same
frame. An edit moves a face within such blocks and leaves most of them alone, so medians over blocks mind faults and not
edits. Thresholds are what a person sees: a cast of 14 levels of 255, a jump of brightness of 1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dvp_core.evaluate.faults import Fault, FaultKind, runs_of

BLOCKS = 16
BLACK_SHARE = 0.15
"""Of the plate's brightness, below which a picture counts as black: an exposure nearly three stops down."""
CAST_LEVELS = 14.0
"""Median over blocks of the channel that is off most. Good generators stay below 6."""
JUMP_LEVELS = 1.5
"""Of the whole picture's brightness from its neighbours' mean: 0.6 % of the range, the least seen to flicker."""
LOCAL_JUMP_LEVELS = 7.0
"""Of one block. Speech moves the blocks of the mouth by up to 5."""
_LOCAL_BLOCKS = 6
_JUMPS, _JUMP_WINDOW = 3, 8
STILL_SHARE = 0.2
"""Of the usual change from frame to frame, below which a picture stands still: noise and compression change more."""
MOVING_PX = 0.1
"""Mean motion of the asked points from frame to frame, from which on a picture has to change."""
_GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Looks:
    """What T pictures look like.

    Attributes:
        made: (T, 16, 16, 3) means of blocks.
        plate: (T, 16, 16, 3) those of the plate's crops.
        change: (T,) mean absolute difference from the frame before in the face's box, levels; the first infinite.
    """

    made: np.ndarray
    plate: np.ndarray
    change: np.ndarray


def block_means(picture: np.ndarray) -> np.ndarray:
    """Return (16, 16, 3) float32 means of a picture's blocks."""
    return cv2.resize(picture, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA).astype(np.float32)


def find_picture_faults(looks: Looks, asked_step_px: np.ndarray, first_frame: int) -> list[Fault]:
    """Return black frames, wrong colours, flicker and stretches that stand still.

    Args:
        looks: The pictures of consecutive frames.
        asked_step_px: (T,) mean motion of the asked points from the frame before, the first one's counts for nothing.
        first_frame: Plate number of the first one.
    """
    black = is_black(looks)
    cast = np.where(black, 0.0, colour_casts(looks))
    is_cast = cast > CAST_LEVELS
    flickers = is_flickering(looks, black | is_cast)
    is_still = standing_still(looks, asked_step_px) & ~black
    return [
        *_faults(black, first_frame, "black", lambda run: "the picture is black", "Render these frames again"),
        *_faults(
            is_cast,
            first_frame,
            "colour",
            lambda run: f"colours lie {cast[run].max():.0f} levels of 255 off the plate's",
            "Look whether these frames come from this generator, and whether a tool has changed their colours",
        ),
        *_faults(
            flickers,
            first_frame,
            "flicker",
            lambda run: "brightness jumps back and forth",
            "Render these frames again with one generator on one kind of machine",
        ),
        *_faults(
            is_still,
            first_frame,
            "frozen",
            lambda run: f"the picture stands still while the keys move by {asked_step_px[run].sum():.1f} pixels",
            "Render these frames again, from passes of this very take",
        ),
    ]


def is_black(looks: Looks) -> np.ndarray:
    """Return (T,) whether pictures are nearly black where the plate is not."""
    made, plate = (blocks.mean(axis=(1, 2, 3)) for blocks in (looks.made, looks.plate))
    return (made < BLACK_SHARE * plate) & (plate > 8)


def colour_casts(looks: Looks) -> np.ndarray:
    """Return (T,) the median over blocks of the channel that differs most from the plate's, levels of 255."""
    return np.median(np.abs(looks.made - looks.plate).max(axis=3), axis=(1, 2))


def is_flickering(looks: Looks, left_out: np.ndarray) -> np.ndarray:
    """Return (T,) whether brightness jumps about: three jumps within eight frames, of all or of a few blocks.

    A jump is how far a frame's difference from the plate lies from the mean of its neighbours', so that neither an edit
    nor the plate's own light counts.

    Args:
        looks: The pictures.
        left_out: (T,) frames with another fault, which with their neighbours count for nothing.
    """
    difference = (looks.made - looks.plate).astype(np.float64) @ _GREY
    jumps = np.zeros_like(difference)
    jumps[1:-1] = difference[1:-1] - 0.5 * (difference[:-2] + difference[2:])
    whole = np.abs(np.median(jumps, axis=(1, 2))) > JUMP_LEVELS
    local = (np.abs(jumps) > LOCAL_JUMP_LEVELS).sum(axis=(1, 2)) >= _LOCAL_BLOCKS
    near = np.convolve(left_out, np.ones(3), mode="same") > 0
    does_jump = (whole | local) & ~near
    counts = np.convolve(does_jump, np.ones(_JUMP_WINDOW), mode="full")
    crowded = counts >= _JUMPS
    spans = [crowded[offset : offset + len(does_jump)] for offset in range(_JUMP_WINDOW)]
    return does_jump & np.any(spans, axis=0)


def standing_still(looks: Looks, asked_step_px: np.ndarray) -> np.ndarray:
    """Return (T,) whether a picture is the one before although the keys move."""
    usual = float(np.median(looks.change[1:])) if len(looks.change) > 1 else 0.0
    is_still = looks.change <= STILL_SHARE * usual
    if usual == 0.0:
        is_still = looks.change == 0.0
    is_still[0] = False
    return is_still & (asked_step_px > MOVING_PX)


def _faults(
    is_faulty: np.ndarray, first_frame: int, kind: FaultKind, reason: Callable[[slice], str], remedy: str
) -> list[Fault]:
    return [
        Fault(kind, first_frame + run.start, first_frame + run.stop - 1, reason(run), remedy)
        for run in runs_of(is_faulty)
    ]
