"""A gallery as sheets of pictures: every pixel of a picture at its own size or a whole multiple, words around.

A sheet is a picture itself, (H, W, 3) uint8, so that a page can hold it and a file can be it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvp_core.evaluate.gallery import PLATE, Gallery
from dvp_core.evaluate.metrics import distance_image
from dvp_core.evaluate.score_table import TableText

_DPI = 100
_LEAST_PICTURE_PX = 192
_LEAST_SLICE_PX = 160
_DETAIL_WIDTH_PX = 256
_GAP_PX, _LABEL_PX, _TITLE_PX, _HEAD_PX = 4, 96, 34, 22
_LARGEST_ERROR = 100.0
_LINE_PX, _LETTER_PX = 24, 9
_BEST = "#c9ebcd"


@dataclass(frozen=True)
class Sheet:
    """Pictures in lines and columns.

    Attributes:
        title: Above all.
        columns: Names of the columns.
        lines: Names of the lines.
        cells: (H, W, 3) uint8 by line and column, of one width throughout, of one height within a line.
    """

    title: str
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    cells: tuple[tuple[np.ndarray, ...], ...]


def sheets_of(gallery: Gallery) -> list[Sheet]:
    """Return the whole pictures, mouth and eyes enlarged, slices through time (flicker is noise there), the errors."""
    ways = tuple(gallery.pictures)
    frames = tuple(f"frame {frame}" for frame in gallery.frames)
    times = -(-_LEAST_PICTURE_PX // gallery.pictures[PLATE].shape[2])
    whole = [[_grown(gallery.pictures[way][number], times) for way in ways] for number in range(len(frames))]
    first, last = gallery.slice_frames[0], gallery.slice_frames[-1]
    downwards = max(times, -(-_LEAST_SLICE_PX // len(gallery.slice_frames)))
    slices = [[gallery.slices[way].repeat(downwards, axis=0).repeat(times, axis=1) for way in ways]]
    made = tuple(way for way in ways if way != PLATE)
    return [
        Sheet("Frames that training has not seen", ways, frames, _cells(whole)),
        Sheet("Mouth, enlarged", ways, frames, _cells(_details(gallery, ways, gallery.mouth_boxes))),
        Sheet("Eyes, enlarged", ways, frames, _cells(_details(gallery, ways, gallery.eye_boxes))),
        Sheet("A row of pixels through the mouth, a line a frame", ways, (f"{first} to\n{last}",), _cells(slices)),
        Sheet("RGB distance from the plate, 0 to 100", made, frames, _cells(_errors(gallery, made, times))),
    ]


def _cells(pictures: Sequence[Sequence[np.ndarray]]) -> tuple[tuple[np.ndarray, ...], ...]:
    return tuple(tuple(line) for line in pictures)


def _grown(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _details(gallery: Gallery, ways: Sequence[str], boxes: np.ndarray) -> list[list[np.ndarray]]:
    return [[_enlarged(gallery.pictures[way][number], box) for way in ways] for number, box in enumerate(boxes)]


def _enlarged(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return a box of a picture at the details' width, each pixel a rectangle."""
    left, top, right, bottom = (int(edge) for edge in box)
    height_px = round(_DETAIL_WIDTH_PX * (bottom - top) / (right - left))
    rows = top + np.arange(height_px) * (bottom - top) // height_px
    columns = left + np.arange(_DETAIL_WIDTH_PX) * (right - left) // _DETAIL_WIDTH_PX
    return picture[rows[:, None], columns]


def _errors(gallery: Gallery, made: Sequence[str], times: int) -> list[list[np.ndarray]]:
    from matplotlib import colormaps

    colours = (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)

    def shown(way: str, number: int) -> np.ndarray:
        error = distance_image(gallery.pictures[way][number], gallery.pictures[PLATE][number])
        return _grown(colours[np.clip(error / _LARGEST_ERROR * 255, 0, 255).astype(np.uint8)], times)

    return [[shown(way, number) for way in made] for number in range(len(gallery.frames))]


def drawn(sheet: Sheet) -> np.ndarray:
    """Return a sheet as one picture (H, W, 3) uint8."""
    width_px = sheet.cells[0][0].shape[1]
    heights_px = [line[0].shape[0] for line in sheet.cells]
    tops = _TITLE_PX + _HEAD_PX + np.cumsum([0, *(height + _GAP_PX for height in heights_px)])
    lefts = _LABEL_PX + np.arange(len(sheet.columns)) * (width_px + _GAP_PX)
    canvas = _Canvas(int(lefts[-1]) + width_px + _GAP_PX, int(tops[-1]))
    canvas.write(sheet.title, _GAP_PX, _TITLE_PX / 2, size=13, is_bold=True)
    for name, left in zip(sheet.columns, lefts, strict=True):
        canvas.write(name, left + width_px / 2, _TITLE_PX + _HEAD_PX / 2, side="center", is_bold=True)
    for name, top, height in zip(sheet.lines, tops, heights_px, strict=False):
        canvas.write(name, _GAP_PX, top + height / 2)
    page = canvas.pixels()
    for line, top in zip(sheet.cells, tops, strict=False):
        for picture, left in zip(line, lefts, strict=True):
            page[top : top + len(picture), left : left + width_px] = picture
    return page


def drawn_table(table: TableText) -> np.ndarray:
    """Return a table as one picture (H, W, 3) uint8, the best of each column on a coloured ground."""
    everything = (table.head, *table.lines)
    widths = [max(len(line[column]) for line in everything) + 2 for column in range(len(table.head))]
    rights = _GAP_PX + np.cumsum(widths) * _LETTER_PX
    canvas = _Canvas(int(rights[-1]) + 2 * _GAP_PX, _TITLE_PX + _LINE_PX * len(everything))
    canvas.write(table.title, _GAP_PX, _TITLE_PX / 2, size=13, is_bold=True)
    for number, line in enumerate(everything):
        middle = _TITLE_PX + _LINE_PX * (number + 0.5)
        canvas.write(line[0], _GAP_PX, middle, is_bold=True)
        for column, text in enumerate(line[1:], start=1):
            is_best = (number - 1, column) in table.best
            canvas.write(text, rights[column], middle, side="right", is_bold=not number or is_best, is_marked=is_best)
    return canvas.pixels()


def stacked(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures (H, W, 3) one below the other on white."""
    width_px = max(picture.shape[1] for picture in pictures)
    padded = [
        np.pad(picture, ((0, 4 * _GAP_PX), (0, width_px - picture.shape[1]), (0, 0)), constant_values=255)
        for picture in pictures
    ]
    return np.concatenate(padded)


class _Canvas:
    """A white picture to write on; places in pixels from the upper left corner."""

    def __init__(self, width_px: int, height_px: int) -> None:
        from matplotlib.figure import Figure

        self._size = (width_px, height_px)
        self._figure = Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, facecolor="white")

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        side: str = "left",
        size: float = 9,
        is_bold: bool = False,
        is_marked: bool = False,
    ) -> None:
        """Write a text whose given side stands at x, its middle at y."""
        width_px, height_px = self._size
        self._figure.text(
            x / width_px,
            1 - y / height_px,
            text,
            fontsize=size,
            ha=side,
            va="center",
            fontweight="bold" if is_bold else "normal",
            bbox={"facecolor": _BEST, "edgecolor": "none", "pad": 2} if is_marked else None,
        )

    def pixels(self) -> np.ndarray:
        """Return what is written (H, W, 3) uint8."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(self._figure)
        canvas.draw()
        return np.array(canvas.buffer_rgba())[..., :3].copy()
