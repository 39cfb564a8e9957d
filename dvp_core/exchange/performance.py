"""What somebody performed, as another program recorded it: samples at their own moments, under their own names.

Nothing here knows a file format, a face or a plate. Readers make a `Performance`, `onto_take` lays it over a take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.face.expression_names import canonical_name


@dataclass(frozen=True)
class Performance:
    """S samples of E expressions; NaN where a value was not recorded. All arrays float64.

    Attributes:
        times_s: (S,) seconds on the recorder's clock, in the order of the file.
        expression_names: E names, as `canonical_name` spells them.
        expression: (S, E), a named shape runs 0..1.
        head_rotation_wxyz: (S, 4) turns from a head that looks straight into the camera, about that head's axes.
        head_translation_m: (S, 3) along that head's axes (the subject's left, up, towards the camera), from any origin.
        gaze_rad: (S, 2, 2) as in a take: left eye, right eye; yaw positive to the subject's left, pitch positive up.
        fps: The recorder's rate, where there is one.
        start_timecode: Of the first sample, where the file says so.
    """

    times_s: np.ndarray
    expression_names: tuple[str, ...]
    expression: np.ndarray
    head_rotation_wxyz: np.ndarray | None = None
    head_translation_m: np.ndarray | None = None
    gaze_rad: np.ndarray | None = None
    fps: Fraction | None = None
    start_timecode: str | None = None

    def __post_init__(self) -> None:
        count = len(self.times_s)
        expected = {
            "times_s": (count,),
            "expression": (count, len(self.expression_names)),
            "head_rotation_wxyz": (count, 4),
            "head_translation_m": (count, 3),
            "gaze_rad": (count, 2, 2),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise DataError(f"{name} of a performance has shape {array.shape}, expected {shape}")
        if not np.isfinite(self.times_s).all():
            raise DataError("a performance has a sample without a time")
        spelled = [canonical_name(name) for name in self.expression_names]
        if twice := sorted({name for name in spelled if spelled.count(name) > 1}):
            raise DataError(f"a performance names {', '.join(twice)} twice")

    @property
    def sample_count(self) -> int:
        """S."""
        return len(self.times_s)

    def channels(self) -> dict[str, np.ndarray]:
        """Return the recorded arrays by name, without the times."""
        names = ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad")
        return {name: array for name in names if (array := getattr(self, name)) is not None}

    def chosen(self, rows: np.ndarray) -> Performance:
        """Return the samples that `rows` (indices or flags) picks, in that order."""
        return replace(self, times_s=self.times_s[rows], **{name: part[rows] for name, part in self.channels().items()})


Flip = Literal["head_yaw", "head_pitch", "head_roll", "eye_yaw", "eye_pitch"]


@dataclass(frozen=True)
class ReadingOptions:
    """What a file does not say of itself.

    Attributes:
        fps: The recorder's rate; told from the file where None.
        is_drop_frame: How its timecodes count; as they are written where None.
        is_degrees: Whether Live Link angles are degrees; told from their size where None (the app writes radians).
        flips: Live Link angles whose sign is turned, for files of tools that do not follow the app.
        names: Names of the columns, for a table without a first line of names and for arrays without names.
    """

    fps: Fraction | None = None
    is_drop_frame: bool | None = None
    is_degrees: bool | None = None
    flips: tuple[Flip, ...] = ()
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Reading:
    """A performance as read from a file, and what of the file is not in it.

    Attributes:
        performance: What was read.
        kind: Name of the format.
        ignored_columns: Columns that were not understood, as the file names them.
        missing_names: Expressions that the format has and this file lacks.
        notes: Sentences about what was assumed or looks odd.
    """

    performance: Performance
    kind: str
    ignored_columns: tuple[str, ...] = ()
    missing_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tidying:
    """What `in_order` did to the samples.

    Attributes:
        sample_count: How many there were.
        empty_count: Left out, because nothing was recorded.
        duplicate_count: Left out, because a later sample has the same time.
        backward_count: Put in order, because their time lay before that of an earlier sample.
    """

    sample_count: int
    empty_count: int
    duplicate_count: int
    backward_count: int


def in_order(performance: Performance) -> tuple[Performance, Tidying]:
    """Return the samples that hold anything, by growing time, one a moment; of equal times the last one counts.

    Raises:
        DataError: No sample holds anything.
    """
    filled = np.zeros(performance.sample_count, dtype=bool)
    for part in performance.channels().values():
        filled |= np.isfinite(part).reshape(len(part), -1).any(axis=1)
    if not filled.any():
        raise DataError("the performance holds no values", remedy="Check that the recording is not empty")
    kept = performance.chosen(filled)
    backward = kept.times_s < np.maximum.accumulate(kept.times_s)
    ordered = kept.chosen(np.argsort(kept.times_s, kind="stable"))
    is_last = np.append(np.diff(ordered.times_s) > 0, True)
    return ordered.chosen(is_last), Tidying(
        sample_count=performance.sample_count,
        empty_count=int((~filled).sum()),
        duplicate_count=int((~is_last).sum()),
        backward_count=int(backward.sum()),
    )
