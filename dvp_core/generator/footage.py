"""What a generator learns from: takes of one person, seen through one crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.passes import PassSource
from dvp_core.data.take import Take

PlateCrops = Callable[[int], np.ndarray]
"""Gives the plate's crop (resolution, resolution, 3) uint8 of a plate frame number."""


@dataclass(frozen=True)
class Footage:
    """One clip to learn from.

    Attributes:
        take: The tracked clip.
        passes: Its conditioning passes; not needed where the training images stand already.
        plate_crops: Its plates, seen through the take's crop; likewise.
    """

    take: Take
    passes: PassSource | None = None
    plate_crops: PlateCrops | None = None


def check_takes(takes: Sequence[Take]) -> None:
    """Refuse takes that one generator cannot learn from together.

    Raises:
        DataError: No take, one given twice, or takes of several face models, crops or frame rates.
    """
    if not takes:
        raise DataError("no take is given", where="training", remedy="Give one at least")
    first = takes[0]
    if len({take.sha256 for take in takes}) < len(takes):
        raise DataError("one take is given twice", where="training", remedy="Name every take once")
    for take in takes[1:]:
        for what, own, others, remedy in (
            ("face model", take.face_model_sha256[:12], first.face_model_sha256[:12], "Track all with one face model"),
            ("crop", take.crop, first.crop, "Render the passes of all through the first take's crop"),
            ("frame rate", take.clip.fps, first.clip.fps, "Bring the movies to one rate, then track them again"),
        ):
            if own != others:
                raise DataError(
                    f"its {what} is {own}, but that of take '{first.subject}' ({first.clip.file_name}) is {others}",
                    where=f"take '{take.subject}' ({take.clip.file_name})",
                    remedy=remedy,
                )
