"""Which invisible mark an output carries: each composed movie and sequence has one, unless its consent waives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dvp_core.trust import Mark, mark_id, read_consent, watermark_key


def mark_for(consent: Path | str | None, plate_sha256: str | None) -> Mark | None:
    """Return the mark of what is made from a plate under a consent record; None where the record waives it.

    Args:
        consent: The record, or None; without one nothing is waived.
        plate_sha256: Hash of the plate, or None. The mark's 32 bits stand for both hashes.

    Raises:
        DataError: The record was changed after it was signed, or the studio's secret cannot be used.
    """
    record = None if consent is None else read_consent(consent)
    if record is not None and record.terms.is_watermark_waived:
        return None
    return Mark(watermark_key(), mark_id(None if record is None else record.sha256, plate_sha256))


def marked(pictures: Iterator[np.ndarray], mark: Mark | None) -> Iterator[np.ndarray]:
    """Yield whole pictures (height, width, 3), uint8, with the mark, or as they are where there is none."""
    for picture in pictures:
        yield picture if mark is None else mark.on_levels(picture)
