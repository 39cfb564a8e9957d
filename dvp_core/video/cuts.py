"""Where a movie cuts to another shot.

Each picture becomes a small sheet of contrasts: differences of neighbouring cells in the logarithm of each colour. A
light that is switched or fades multiplies all cells of a surface alike and leaves their contrasts; another shot
replaces them. Two sheets are compared by the part of their contrast that they do not share. A cut is a change that is
large in itself and beside the changes around it, and that is not undone on the pictures after it, as a flash is.

Dissolves and wipes are not found, nor a shot that is shorter than a flash; a jump cut before one background is found
only where the head moves far enough to change a third of the picture's contrast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dvp_core.data.clip import FrameSource
from dvp_core.data.progress import Progress, no_progress
from dvp_core.video.movie import MovieSource

# A sheet has this many cells along the picture's longer side, each the mean of SAMPLES x SAMPLES of its pixels: enough
# to average a camera's noise, and few enough for many hundred pictures a second.
CELLS = 40
SAMPLES = 4
# Added before the logarithm: below this level of 0..255 contrasts are noise.
DARK_LEVEL = 24.0
# Contrast of a cell, in units of the logarithm, under which a picture counts as empty (black, white, a covered lens).
LEAST_CONTRAST = 0.01

LEAST_CHANGE = 0.35  # of the contrast: a fast head turn before a still background stays below
LEAST_RATIO = 2.0  # to the changes around: a pan or a hand-held camera changes every picture
LONGEST_FLASH = 3  # pictures
UNDONE_PART = 0.6  # of the change: what is left of it, at most, once a flash is over


def find_cuts(source: FrameSource, progress: Progress = no_progress) -> tuple[int, ...]:
    """Return the indices, ascending, of the pictures that begin a new shot; the first picture is not among them.

    A few small sheets are in memory at a time, never the clip.

    Args:
        source: The clip.
        progress: Told after every picture.
    """
    return tuple(cut_indices(_told(source, progress)))


def _told(source: FrameSource, progress: Progress) -> Iterator[np.ndarray]:
    count = source.clip.frame_count
    pictures = source.thumbnails(CELLS * SAMPLES) if isinstance(source, MovieSource) else source.iterate()
    for index, picture in enumerate(pictures):
        yield contrasts(picture)
        progress("cuts", index + 1, count)


def contrasts(picture: np.ndarray) -> np.ndarray:
    """Return a picture's contrasts as one vector, float32; pictures of one size give vectors of one length.

    Args:
        picture: sRGB-encoded RGB, shape (height, width, 3), uint8.
    """
    cell_px = max(picture.shape[:2]) / CELLS
    rows, columns = (max(2, round(side / cell_px)) for side in picture.shape[:2])
    sampled = picture[_middles(picture.shape[0], rows)][:, _middles(picture.shape[1], columns)]
    total = np.zeros((rows, columns, 3), np.uint16)  # at most 16 times 255
    for down in range(SAMPLES):
        for right in range(SAMPLES):
            total += sampled[down::SAMPLES, right::SAMPLES]
    levels = np.log(total.astype(np.float32) / SAMPLES**2 + np.float32(DARK_LEVEL))
    return np.concatenate([np.diff(levels, axis=0).ravel(), np.diff(levels, axis=1).ravel()])


def _middles(side_px: int, cells: int) -> np.ndarray:
    """Return the pixels sampled along one side, evenly spread."""
    count = cells * SAMPLES
    return ((np.arange(count) + 0.5) * side_px / count).astype(np.intp)


def change(before: np.ndarray, after: np.ndarray) -> float:
    """Return the part of two pictures' contrasts that they do not share: 0 for one scene, about 0.7 for unlike ones."""
    floor = LEAST_CONTRAST * len(before)
    total = max(float(np.abs(before).sum() + np.abs(after).sum()), floor)
    return float(np.abs(after - before).sum()) / total


def cut_indices(sheets: Iterable[np.ndarray]) -> Iterator[int]:
    """Yield the index of every sheet of `contrasts` that begins a new shot, as the sheets come in.

    A decision waits for `LONGEST_FLASH` further sheets; at the end for at least one.
    """
    window: list[np.ndarray] = []
    first = 0  # index of the window's first sheet
    asked = 1  # the next index to be decided on
    for sheet in sheets:
        window.append(sheet)
        if first + len(window) <= asked + LONGEST_FLASH:
            continue
        if _is_cut(window, asked - first):
            yield asked
        asked += 1
        if asked - first > LONGEST_FLASH + 1:
            window.pop(0)
            first += 1
    for index in range(asked, first + len(window) - 1):
        if _is_cut(window, index - first):
            yield index


def _is_cut(window: list[np.ndarray], place: int) -> bool:
    """Say whether the sheet at `place` begins a new shot."""
    jump = change(window[place - 1], window[place])
    if jump < LEAST_CHANGE:
        return False
    span = range(max(1, place - LONGEST_FLASH), min(len(window), place + LONGEST_FLASH + 1))
    around = sorted(change(window[other - 1], window[other]) for other in span if other != place)
    # The second largest: another cut may be near.
    if len(around) > 1 and jump < LEAST_RATIO * around[-2]:
        return False
    later = window[place + 1 : place + LONGEST_FLASH + 1]
    earlier = window[max(0, place - 1 - LONGEST_FLASH) : place - 1]
    is_undone = any(change(window[place - 1], sheet) < UNDONE_PART * jump for sheet in later)
    is_return = any(change(sheet, window[place]) < UNDONE_PART * jump for sheet in earlier)
    return not is_undone and not is_return
