"""The report's page: pictures side by side as PNG, and an HTML file with the table of scores above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dvp_core.data.files import write_atomically, write_bytes_atomically
from dvp_core.evaluate.scores import Scores
from dvp_core.review.html import element, linked_picture, page, table

_COLUMNS = ("plate", "nearest training frame", "generator", "error of the generator (0 to 100)")
_LARGEST_ERROR = 100.0
_INCHES = 3.0


@dataclass(frozen=True)
class PictureRow:
    """One frame's pictures, (H, W, 3) uint8, and the RGB distance (H, W) of the generator from the plate."""

    frame: int
    plate: np.ndarray
    nearest: np.ndarray
    made: np.ndarray
    error: np.ndarray


def write_page(folder: Path, rows: list[PictureRow], scores: Mapping[str, Scores]) -> None:
    """Write `report.png` and `report.html` into a folder."""
    write_atomically(folder / "report.png", lambda temporary: _draw(temporary, rows))
    write_bytes_atomically(folder / "report.html", _html(scores).encode())


def _draw(path: Path, rows: list[PictureRow]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES * len(_COLUMNS), _INCHES * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(_COLUMNS), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for axis, image in zip(line, (row.plate, row.nearest, row.made), strict=False):
            axis.imshow(image, interpolation="nearest")
        line[-1].imshow(row.error, vmin=0, vmax=_LARGEST_ERROR, cmap="magma", interpolation="nearest")
        line[0].set_ylabel(f"frame {row.frame}")
        for axis in line:
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(axes[0], _COLUMNS, strict=True):
        axis.set_title(title)
    FigureCanvasAgg(figure).print_png(str(path))


def _html(scores: Mapping[str, Scores]) -> str:
    names = list(asdict(next(iter(scores.values()))))
    rows = [(label, *(f"{value:.3f}" for value in asdict(row).values())) for label, row in scores.items()]
    title = "Self-reenactment"
    shown = linked_picture("report.png", "plate, nearest training frame, generator, error")
    return page(title, [element("h1", title), table(rows, head=("", *names), are_numbers=True), shown])
