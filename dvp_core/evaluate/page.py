"""A page of scores and pictures: HTML that opens anywhere, and the same as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dvp_core.data.files import write_bytes_atomically
from dvp_core.evaluate.gallery import Gallery
from dvp_core.evaluate.score_table import table_texts
from dvp_core.evaluate.sheets import drawn, drawn_table, sheets_of, stacked
from dvp_core.review.html import element, embedded_picture, encoded_picture, page, table


def write_page(
    folder: Path,
    name: str,
    *,
    title: str,
    rows: Mapping[str, Mapping[str, float | None]],
    gallery: Gallery,
    notes: Sequence[str] = (),
) -> None:
    """Write `<name>.html` and `<name>.png` into a folder.

    Args:
        folder: Where.
        name: Of both files.
        title: The page's.
        rows: Numbers by measure, by the generator's name.
        gallery: The pictures.
        notes: What a reader must know of the numbers.
    """
    tables, sheets = table_texts(rows), sheets_of(gallery)
    pictures = [drawn(sheet) for sheet in sheets]
    parts = [element("h1", title), *(element("p", note, kind="quiet") for note in notes)]
    for each in tables:
        parts += [element("h2", each.title), table(each.lines, head=each.head, are_numbers=True, marked=each.best)]
    for sheet, picture in zip(sheets, pictures, strict=True):
        parts.append(embedded_picture(picture, sheet.title, is_exact=True))
    write_bytes_atomically(folder / f"{name}.html", page(title, parts).encode())
    whole = stacked([*(drawn_table(each) for each in tables), *pictures])
    write_bytes_atomically(folder / f"{name}.png", encoded_picture(whole, is_exact=True))
