"""Several generators of one take beside each other on one page, put together from their evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, write_bytes_atomically
from dvp_core.evaluate.gallery import NEAREST, joined, read_gallery
from dvp_core.evaluate.page import write_page
from dvp_core.evaluate.reports import PICTURES_FILE, REPORT_FILE, Report, generator_row, nearest_row, read_report


def write_comparison(
    evaluations: Mapping[str, Path], output: Path | str, *, title: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write `comparison.html`, `.png` and `.json` of several evaluations and return what the JSON holds.

    Args:
        evaluations: The folder of each generator's report, by its name.
        output: Folder for the page.
        title: The page's.
        facts: What else the JSON shall say.

    Raises:
        DataError: An evaluation is missing or damaged, or they are of different frames.
    """
    reports = {name: read_report(folder / REPORT_FILE) for name, folder in evaluations.items()}
    gallery = joined({name: read_gallery(folder / PICTURES_FILE) for name, folder in evaluations.items()})
    first = next(iter(reports.values()))
    for name, report in reports.items():
        if report.frames != first.frames:
            raise DataError(f"is of frames {report.frames}, the first of {first.frames}", where=evaluations[name])
    rows = {name: generator_row(report) for name, report in reports.items()}
    rows[NEAREST] = nearest_row(first)
    content = {**facts, "frames": str(first.frames), "presets": rows}
    write_page(Path(output), "comparison", title=title, rows=rows, gallery=gallery, notes=notes_of(first))
    write_bytes_atomically(Path(output) / "comparison.json", canonical_json(content))
    return content


def notes_of(report: Report) -> list[str]:
    """Return what a reader must know of the numbers."""
    notes = [
        f"{len(report.frames)} frames that no training has seen ({report.frames}); the nearest frame was chosen from "
        f"{report.training_frame_count}. Distances in levels of 255. The best of each column is marked."
    ]
    if report.generator_retracked is not None:
        notes.append(
            f"Tracked again: {report.generator_retracked.retracked_frames} consecutive frames of these, against the "
            "plate's crops tracked in the same way, which have no error. Frames without a face to track are lost."
        )
    return notes
