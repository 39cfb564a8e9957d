"""SMPTE timecode with sub-frames to seconds and back (SMPTE ST 12-1, drop-frame counting included).

A timecode counts frames at a whole number a second, whatever the true rate: at 30000/1001 it runs 0.1 % slow, unless
it is drop-frame, where two numbers (four at 60) are left out in each minute but every tenth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dvp_core.data.errors import DataError

USUAL_RATES = (24, 25, 30, 48, 50, 60, 100, 120)
_DAY_S = 86400.0
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})(?:[.](\d+))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


@dataclass(frozen=True)
class Timecode:
    """A moment as a timecode tells it.

    Attributes:
        hours: 0 to 23.
        minutes: 0 to 59.
        seconds: 0 to 59.
        frames: Number of the frame within the second, with its sub-frame part.
        is_drop_frame: Whether it is written as drop-frame, with a semicolon.
    """

    hours: int
    minutes: int
    seconds: int
    frames: float
    is_drop_frame: bool = False


def parse_timecode(text: str) -> Timecode:
    """Return `hh:mm:ss:ff`, `hh:mm:ss;ff` (drop-frame), either with a sub-frame part as in `hh:mm:ss:ff.fff`.

    Raises:
        DataError: The text is no timecode.
    """
    found = _TIMECODE.fullmatch(text.strip())
    if found is None:
        raise DataError(f"'{text}' is no timecode", remedy="It looks like 14:03:52:28 or 14:03:52:28.207")
    hours, minutes, seconds, separator, frames, part = found.groups()
    if int(minutes) > 59 or int(seconds) > 59:
        raise DataError(f"'{text}' is no timecode: it has more than 59 minutes or seconds")
    return Timecode(int(hours), int(minutes), int(seconds), float(f"{frames}.{part or 0}"), separator == ";")


def clock_seconds(text: str) -> float | None:
    """Return the seconds of a clock time `hh:mm:ss.sss`, None where the text is none."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    return 3600.0 * int(found[1]) + 60.0 * int(found[2]) + float(found[3].replace(",", "."))


def likely_rate(timecodes: Sequence[Timecode]) -> Fraction | None:
    """Return the rate whose frame numbers these are, None where they are all within one second and so tell nothing.

    Drop-frame timecodes exist at 30000/1001 and 60000/1001 alone.
    """
    if len({(code.hours, code.minutes, code.seconds) for code in timecodes}) < 2:
        return None
    largest = max(int(code.frames) for code in timecodes)
    nominal = next((rate for rate in USUAL_RATES if rate > largest), largest + 1)
    return Fraction(nominal * 1000, 1001) if any(code.is_drop_frame for code in timecodes) else Fraction(nominal)


def seconds_of(timecodes: Sequence[Timecode], fps: Fraction, *, is_drop_frame: bool | None = None) -> np.ndarray:
    """Return (S,) seconds since midnight; a jump back over more than half a day is taken for midnight.

    Args:
        timecodes: In the order of the recording.
        fps: The true rate.
        is_drop_frame: How numbers are counted; as the timecodes are written where None.

    Raises:
        DataError: Frame numbers that the rate does not have, or drop-frame at a rate that does not know it.
    """
    nominal = _nominal(fps)
    counted = is_drop_frame if is_drop_frame is not None else any(code.is_drop_frame for code in timecodes)
    if counted and (nominal % 30 or fps.denominator == 1):
        raise DataError(f"drop-frame timecode does not exist at {fps} frames a second", remedy="Use 30000/1001")
    left_out = nominal // 15 if counted else 0
    seconds = np.empty(len(timecodes))
    for row, code in enumerate(timecodes):
        if code.frames >= nominal:
            raise DataError(
                f"a timecode has frame {int(code.frames)} in a second of {nominal} frames",
                remedy="Give the recorder's rate by --fps",
            )
        minutes = 60 * code.hours + code.minutes
        frame = nominal * (60 * minutes + code.seconds) + code.frames - left_out * (minutes - minutes // 10)
        seconds[row] = frame / float(fps)
    return over_midnight(seconds)


def over_midnight(seconds: np.ndarray) -> np.ndarray:
    """Return clock times (S,) that go on growing where the clock starts anew at midnight."""
    return seconds + _DAY_S * np.cumsum(np.diff(seconds, prepend=seconds[:1]) < -_DAY_S / 2)


def timecode_text(time_s: float, fps: Fraction) -> str:
    """Return `hh:mm:ss:ff.fff` of a moment, counting every frame number (non-drop)."""
    nominal = _nominal(fps)
    thousandths = round(time_s * float(fps) * 1000)
    frame, part = divmod(thousandths, 1000)
    seconds, frame = divmod(frame, nominal)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}.{part:03d}"


def _nominal(fps: Fraction) -> int:
    return max(1, round(fps))
