"""Take and generator to what is known of the edit: how far each region of each frame leaves what was seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.coverage import GUESSED, SEEN, Coverage, excesses, parameter_names, parameter_values, unseen
from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.generator_header import read_generator_header
from dvp_core.data.take import Take, read_take
from dvp_core.edit.channels import parameter_regions
from dvp_core.review.heat import heat_picture
from dvp_core.video.png import encode_png

FRAME = "frame"
"""Name of the row that holds a frame's worst region."""
_WORST_FRAMES = 10


def coverage_of_take(
    take: Path | str, generator: Path | str, *, picture: Path | str | None = None, numbers: Path | str | None = None
) -> dict[str, Any]:
    """Return how far a performance leaves what a generator has seen; write a picture of it, and all numbers as JSON.

    Args:
        take: The `*.take`, edited or driven.
        generator: The `*.safetensors`.
        picture: A PNG: one row a region, coloured by distance.
        numbers: A JSON with every frame's distance by region.

    Raises:
        DataError: Take and generator are of different face models, or the generator does not tell.
    """
    performed, header = read_take(take), read_generator_header(generator)
    if performed.face_model_sha256 != header.face_model_sha256:
        raise DataError(
            f"was tracked with another face model than {Path(generator).name} was trained on",
            where=take,
            remedy="Choose the generator of this person and model",
        )
    rows = distances(performed, header.coverage)
    if picture is not None:
        write_bytes_atomically(picture, encode_png(heat_picture(rows, performed.frames.first)))
    if numbers is not None:
        content = {"frames": str(performed.frames), "distance": {name: _rounded(row) for name, row in rows.items()}}
        write_bytes_atomically(numbers, canonical_json(content))
    return _told(performed, header.coverage, rows)


def distances(take: Take, coverage: Coverage) -> dict[str, np.ndarray]:
    """Return distances (F,) from what was seen by region, and under `FRAME` the worst of them."""
    names = parameter_names(take.expression_names)
    rows = unseen(coverage, names, _values(take), parameter_regions(names))
    return {FRAME: np.max(list(rows.values()), axis=0), **rows}


def _values(take: Take) -> np.ndarray:
    return parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)


def _told(take: Take, coverage: Coverage, rows: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the summary: how much is seen, the worst frames with their regions, and what leaves its range."""
    frame, numbers = rows[FRAME], take.frames.numbers
    regions = [name for name in rows if name != FRAME]
    worst = np.argsort(-frame, kind="stable")[:_WORST_FRAMES]
    names = parameter_names(take.expression_names)
    return {
        "frame_count": len(frame),
        "seen": int((frame <= SEEN).sum()),
        "guessed": str(FrameRange.of(numbers[index] for index in np.flatnonzero(frame > GUESSED))),
        "worst_frames": [
            {
                "frame": numbers[index],
                "distance": round(float(frame[index]), 2),
                "region": max(regions, key=lambda name: rows[name][index]),
            }
            for index in worst.tolist()
        ],
        "largest_by_region": {name: round(float(rows[name].max()), 2) for name in regions},
        "beyond_range": [
            {
                "parameter": excess.name,
                "frames": str(excess.frames),
                "worst_frame": excess.worst_frame,
                "value": round(excess.value, 4),
                "seen": [round(excess.lowest, 4), round(excess.highest, 4)],
            }
            for excess in excesses(coverage, numbers, names, _values(take))
        ],
    }


def _rounded(row: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in row]
