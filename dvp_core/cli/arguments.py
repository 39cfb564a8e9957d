"""The kinds of argument that several commands share, spelled once."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import tyro

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
Input = tyro.conf.Positional[Path]


def frames_of(text: str | None) -> FrameRange | None:
    """Return the frames of a text such as "1-30,40"; None stays None."""
    return None if text is None else FrameRange.parse(text)


def rate_of(text: str | None) -> Fraction | None:
    """Return the rate of a text such as "25" or "30000/1001"; None stays None."""
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"'{text}' is no rate", where="--fps", remedy="Write for example 25 or 30000/1001") from error
    if rate <= 0:
        raise DataError(f"'{text}' is not positive", where="--fps")
    return rate


def aspect_of(text: str | None) -> Fraction | None:
    """Return the pixel aspect of a text such as "2:1" or "1.5"; None stays None."""
    if text is None:
        return None
    try:
        aspect = Fraction(text.replace(":", "/"))
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"'{text}' is no aspect", where="--pixel-aspect", remedy="Write for example 2:1") from error
    if aspect <= 0:
        raise DataError(f"'{text}' is not positive", where="--pixel-aspect")
    return aspect


def consent_of(path: Path | None) -> Path | None:
    """Return the consent record given on the command line, else the one named by `DVP_CONSENT`."""
    named = os.environ.get("DVP_CONSENT")
    return path if path is not None else (Path(named) if named else None)
