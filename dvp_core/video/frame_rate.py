"""Exact frame rates out of time stamps, and the refusal of movies whose rate varies.

Frame numbers are the plate's everywhere, so a movie must have one rate: frame `i` stands at `i / fps`. Containers
round time stamps to their clock (Matroska to milliseconds), which is allowed for; missing or doubled frames are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from dvp_core.data.errors import DataError

_STANDARD_RATES = tuple(
    Fraction(numerator, denominator)
    for numerator, denominator in [
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1),
        (12, 1), (15, 1), (10, 1), (20, 1), (90, 1), (100, 1), (120000, 1001), (120, 1), (240, 1),
    ]
)  # fmt: skip
_LARGEST_JITTER_FRAMES = Fraction(1, 4)


def constant_rate(
    stamps: Sequence[int], time_base: Fraction, candidates: Sequence[Fraction], *, where: str | Path
) -> Fraction:
    """Return the rate at which frame `i` stands at `i / rate`, exact where the clock allows to tell.

    Args:
        stamps: Presentation times of all frames in ticks, ascending.
        time_base: Seconds per tick.
        candidates: Rates that the container itself names.
        where: The movie, for the error.

    Raises:
        DataError: Frames are missing, doubled or unevenly spaced.
    """
    if len(stamps) == 1:
        return candidates[0] if candidates else _STANDARD_RATES[2]
    known = _likeliest_first(candidates)
    steps = {later - earlier for earlier, later in pairwise(stamps)}
    exact = [1 / (step * time_base) for step in steps if len(steps) == 1 and step > 0]
    # An even step tells the rate exactly, unless the clock is so coarse that a known rate explains the step as well.
    fit = _simplest_fit(stamps, time_base, [*(rate for rate in exact if rate in known), *known, *exact])
    if fit is not None:
        return fit
    measured = (len(stamps) - 1) / ((stamps[-1] - stamps[0]) * time_base) if stamps[-1] > stamps[0] else Fraction(0)
    if measured > 0 and _largest_deviation(stamps, time_base, measured) <= _LARGEST_JITTER_FRAMES:
        return measured.limit_denominator(1001)
    command = f"ffmpeg -i IN -fps_mode cfr -r {round(measured) or 25} OUT.mp4"
    raise DataError(
        f"has a variable frame rate (about {float(measured):.3f} frames a second, unevenly spaced)",
        where=where,
        remedy=f"Convert it to a constant rate first, for example: {command}",
    )


def _likeliest_first(candidates: Sequence[Fraction]) -> list[Fraction]:
    """Return the container's rates and the standard ones, a standard one that the container names before all others.

    A container whose clock counts milliseconds works its rate out from them: 19001/317 where 60000/1001 was filmed.
    """
    named = [rate for rate in candidates if rate in _STANDARD_RATES]
    standard = sorted(_STANDARD_RATES, key=lambda rate: abs(rate - candidates[0])) if candidates else _STANDARD_RATES
    return [*named, *standard, *candidates]


def _simplest_fit(stamps: Sequence[int], time_base: Fraction, rates: Sequence[Fraction]) -> Fraction | None:
    """Return the first rate whose grid every stamp meets to within one tick of a clock finer than the frames."""
    for rate in rates:
        tolerance = min(time_base * rate, _LARGEST_JITTER_FRAMES)
        if rate > 0 and _largest_deviation(stamps, time_base, rate) <= tolerance:
            return rate
    return None


def _largest_deviation(stamps: Sequence[int], time_base: Fraction, rate: Fraction) -> Fraction:
    """Return the largest distance from the even grid, in frames."""
    frames_per_tick = time_base * rate
    numerator, denominator = frames_per_tick.numerator, frames_per_tick.denominator
    first = stamps[0]
    worst = max(abs((stamp - first) * numerator - index * denominator) for index, stamp in enumerate(stamps))
    return Fraction(worst, denominator)
