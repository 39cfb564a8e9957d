"""Recordings of other tools to takes, and takes to files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take, read_take, write_take
from dvp_core.exchange import (
    Flip,
    Mapping,
    Reading,
    ReadingOptions,
    Undriven,
    mirrored,
    onto_take,
    performance_of,
    read_names,
    read_performance,
    with_gaze_from_shapes,
    write_glb,
    write_live_link,
    write_table,
    write_usd,
)
from dvp_core.pipeline.model import load_take


@dataclass(frozen=True)
class ImportedPerformance:
    """A recording that became a take.

    Attributes:
        take: What was written.
        reading: What was read.
        mapping: What of it reached the take.
    """

    take: Take
    reading: Reading
    mapping: Mapping

    def as_json(self) -> dict[str, Any]:
        """Return the figures: what was mapped, and what was not."""
        performance, tidying = self.reading.performance, self.mapping.tidying
        return {
            "kind": self.reading.kind,
            "fps": None if performance.fps is None else str(performance.fps),
            "start_timecode": performance.start_timecode,
            "samples": tidying.sample_count,
            "samples_without_values": tidying.empty_count,
            "samples_of_the_same_time": tidying.duplicate_count,
            "samples_out_of_order": tidying.backward_count,
            "duration_s": round(self.mapping.duration_s, 4),
            "left_over_s": round(self.mapping.left_over_s, 4),
            "gaps_s": [[round(start, 4), round(end, 4)] for start, end in self.mapping.gaps_s],
            "frame_count": self.mapping.frame_count,
            "covered_frames": self.mapping.covered_count,
            "interpolated_frames": self.mapping.interpolated_count,
            "channels": list(self.mapping.channels),
            "driven": list(self.mapping.driven_names),
            "undriven": list(self.mapping.undriven_names),
            "unused": list(self.mapping.unused_names),
            "missing": list(self.reading.missing_names),
            "ignored_columns": list(self.reading.ignored_columns),
            "notes": list(self.reading.notes),
        }

    def as_lines(self) -> list[str]:
        """Return the same for a person: one line a fact, nothing where there is nothing to say."""
        figures = self.as_json()
        lines = [
            f"{figures['kind']}: {figures['samples']} samples over {figures['duration_s']:.2f} s onto "
            f"{figures['covered_frames']} of {figures['frame_count']} frames; "
            f"channels: {', '.join(figures['channels'])}; expressions driven: {len(figures['driven'])}"
        ]
        if self.mapping.left_over_s > 1.0 / float(self.take.clip.fps):
            lines.append(f"{self.mapping.left_over_s:.2f} s of it lie outside the take's frames")
        told = {
            "samples_without_values": "samples without values",
            "samples_of_the_same_time": "samples replaced by a later one of the same time",
            "samples_out_of_order": "samples put in order",
            "interpolated_frames": "frames interpolated across gaps",
        }
        lines += [f"{figures[name]} {words}" for name, words in told.items() if figures[name]]
        listed = {
            "unused": "not on this face",
            "missing": "not in the file",
            "undriven": "driven by nothing",
            "ignored_columns": "columns left out",
        }
        lines += [f"{words}: {', '.join(figures[name])}" for name, words in listed.items() if figures[name]]
        return lines + figures["notes"]


def reading_options(
    *,
    fps: Fraction | None = None,
    is_drop_frame: bool | None = None,
    is_degrees: bool | None = None,
    flips: tuple[Flip, ...] = (),
    names: Path | str | None = None,
) -> ReadingOptions:
    """Return the options of a reading, the columns' names from a file; see `ReadingOptions`."""
    columns = None if names is None else read_names(names)
    return ReadingOptions(fps, is_drop_frame, is_degrees, flips, columns)


def import_performance(
    path: Path | str,
    take_path: Path | str,
    output: Path | str,
    *,
    options: ReadingOptions | None = None,
    start_frame: float | None = None,
    channels: Sequence[str] = ("head", "expression", "gaze"),
    undriven: Undriven = "keep",
    mirror: bool = False,
    gaze_from_shapes: bool = False,
) -> ImportedPerformance:
    """Write a take performing what another tool recorded; see `dvp_core.exchange.onto_take`.

    Args:
        path: The recording: a table (.csv, .tsv, .txt) or arrays (.npz).
        take_path: The `*.take` whose face, clip and frames it becomes.
        output: The `*.take` to write.
        options: What the recording does not say of itself.
        start_frame: The plate's frame that shows the first sample.
        channels: Which of head, expression and gaze are laid on.
        undriven: What expressions do that nothing drives.
        mirror: Exchange left and right, for a recording that was mirrored.
        gaze_from_shapes: Tell the gaze from the `eyeLook*` shapes where none was recorded.

    Raises:
        DataError: The recording cannot be read, or nothing of it fits the take.
    """
    reading = read_performance(path, options)
    try:
        performance = mirrored(reading.performance) if mirror else reading.performance
        performance = with_gaze_from_shapes(performance) if gaze_from_shapes else performance
        take, mapping = onto_take(
            performance, read_take(take_path), start_frame=start_frame, channels=channels, undriven=undriven
        )
    except DataError as error:
        raise DataError(error.what, where=error.where or path, remedy=error.remedy) from error
    write_take(output, take)
    return ImportedPerformance(take, replace(reading, performance=performance), mapping)


def export_take(path: Path | str, output: Path | str, *, face_model: Path | str | None = None) -> dict[str, Any]:
    """Write a take as a file of another tool, the kind by the output's ending, and return what was written.

    Args:
        path: The `*.take`.
        output: A `.csv` (Live Link Face), `.tsv` (every curve), `.glb` (glTF 2.0), `.usda`, `.usdc` or `.usd`.
        face_model: See `load_take`; for kinds that show the face.

    Raises:
        DataError: The take cannot be read, the ending names no kind, or the file cannot be written.
    """
    suffix = Path(output).suffix.lower()
    if suffix == ".csv":
        return _export_live_link(read_take(path), output)
    if suffix == ".tsv":
        take = read_take(path)
        write_table(output, performance_of(take))
        return {"frame_count": take.frame_count}
    if suffix in _SCENES:
        take = load_take(path, face_model=face_model)
        _SCENES[suffix](output, take)
        return _scene_figures(take, suffix)
    raise DataError(
        f"has the ending '{suffix}', which names no kind of file",
        where=output,
        remedy=f"Use .csv, .tsv, {', '.join(_SCENES)}",
    )


_SHIFT_TOLD_PX = 0.5
_SCENES: dict[str, Callable[[Path | str, Take], None]] = {
    ".glb": write_glb,
    ".usd": write_usd,
    ".usda": write_usd,
    ".usdc": write_usd,
}


def _export_live_link(take: Take, output: Path | str) -> dict[str, Any]:
    written = write_live_link(output, performance_of(take))
    return {
        "frame_count": take.frame_count,
        "left_out": list(written.left_out_names),
        "written_as_zero": list(written.zero_names),
    }


def _scene_figures(take: Take, suffix: str) -> dict[str, Any]:
    camera = take.camera
    across, down = camera.principal_px[0] - camera.width_px / 2, camera.principal_px[1] - camera.height_px / 2
    is_shifted = suffix == ".glb" and max(abs(across), abs(down)) >= _SHIFT_TOLD_PX
    return {
        "frame_count": take.frame_count,
        "vertices": len(take.reflectance),
        "expressions": len(take.expression_names),
        "optical_axis_off_the_middle_px": [round(across, 3), round(down, 3)],
        "notes": [
            "glTF has no optical axis off the middle: through its camera the face is seen "
            f"{-across:+.1f} px to the right and {-down:+.1f} px down of where it is"
        ]
        if is_shifted
        else [],
    }
