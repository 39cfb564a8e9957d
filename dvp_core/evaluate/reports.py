"""What an evaluation found, its file, and its line in a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.evaluate.retracking import TrackingErrors
from dvp_core.evaluate.scores import Scores

REPORT_FILE, PICTURES_FILE = "report.json", "pictures.npz"


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        frames: The frames compared.
        training_frame_count: How many frames the baseline could choose from.
        generator: Scores of the generator.
        nearest: Scores of the nearest training frame.
        inference_ms: Median time to paint a frame, passes already read.
        parameters: Number of the network's weights.
        training: The generator's own record of its training.
        generator_retracked: How far the tracker finds the generator's pictures from the plate, where it was asked.
        nearest_retracked: The same of the nearest training frames.
    """

    frames: FrameRange
    training_frame_count: int
    generator: Scores
    nearest: Scores
    inference_ms: float
    parameters: int
    training: dict[str, Any]
    generator_retracked: TrackingErrors | None = None
    nearest_retracked: TrackingErrors | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        content = asdict(self)
        content["frames"] = str(self.frames)
        return content


def read_report(path: Path | str) -> Report:
    """Read a `report.json`.

    Raises:
        DataError: No such file, or another content.
    """
    content = read_json(path)
    try:
        return Report(
            frames=FrameRange.parse(content["frames"]),
            training_frame_count=int(content["training_frame_count"]),
            generator=Scores(**content["generator"]),
            nearest=Scores(**content["nearest"]),
            inference_ms=float(content["inference_ms"]),
            parameters=int(content["parameters"]),
            training=dict(content["training"]),
            generator_retracked=_errors(content["generator_retracked"]),
            nearest_retracked=_errors(content["nearest_retracked"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is no report ({error!r})", where=path, remedy="Evaluate the generator again") from error


def _errors(content: Any) -> TrackingErrors | None:
    return None if content is None else TrackingErrors(**content)


def generator_row(report: Report) -> dict[str, float | None]:
    """Return a generator's line of a table."""
    speeds = {
        "images_per_s": report.training["images_per_s"],
        "inference_ms": report.inference_ms,
        "parameters": report.parameters,
        "steps": report.training["steps"],
    }
    return asdict(report.generator) | _retracked(report.generator_retracked) | speeds


def nearest_row(report: Report) -> dict[str, float | None]:
    """Return the line of the nearest training frame, which trains and paints nothing."""
    speeds: dict[str, float] = {"images_per_s": 0.0, "inference_ms": 0.0, "parameters": 0, "steps": 0}
    return asdict(report.nearest) | _retracked(report.nearest_retracked) | speeds


def _retracked(errors: TrackingErrors | None) -> dict[str, float | None]:
    return {} if errors is None else asdict(errors)
