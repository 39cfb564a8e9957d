"""Pages that open anywhere: one file, no script, no font, no picture from elsewhere. Every text is escaped here."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_JPEG_QUALITY = 88
_STYLE = """
body{font:15px/1.45 sans-serif;max-width:1180px;margin:1.5em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.15em;margin:1.8em 0 .5em;border-bottom:1px solid #ddd}
table{border-collapse:collapse;margin:.4em 0}th,td{padding:.25em .7em;text-align:left;vertical-align:top}
tr+tr td,tr+tr th{border-top:1px solid #eee}th{font-weight:600;white-space:nowrap}td.number{text-align:right}
img,svg{max-width:100%;height:auto}img.exact{max-width:none}
figure{display:inline-block;margin:.3em .8em .8em 0;vertical-align:top}
figcaption{color:#555;font-size:.9em;max-width:56em}
.bad{background:#fde3e1}.look{background:#fdf3d8}.note{background:#f3f5f7}.fine{background:#e4f5e6}
td.best{background:#c9ebcd;font-weight:600}
.verdict{padding:.5em .8em;border-radius:4px;font-weight:600}.quiet{color:#666}
"""


@dataclass(frozen=True)
class Markup:
    """A piece of a page, its texts escaped already."""

    text: str


def page(title: str, parts: Iterable[Markup]) -> str:
    """Return a whole page."""
    body = "\n".join(part.text for part in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def element(name: str, text: str, *, kind: str = "") -> Markup:
    """Return an element that holds plain text; `kind` is its class in the style sheet."""
    attribute = f' class="{html.escape(kind)}"' if kind else ""
    return Markup(f"<{name}{attribute}>{html.escape(text)}</{name}>")


def table(
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str] = (),
    kinds: Sequence[str] = (),
    are_numbers: bool = False,
    marked: Collection[tuple[int, int]] = (),
) -> Markup:
    """Return a table of plain texts.

    Args:
        rows: Of equally many texts; the first is the row's name.
        head: Names of the columns.
        kinds: Each row's class in the style sheet.
        are_numbers: Whether all but the first stand to the right.
        marked: (row, column) of the best, which stand out; the names are column 0.
    """
    lines = ["<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in head) + "</tr>"] if head else []
    for number, (name, *texts) in enumerate(rows):
        kind = f' class="{html.escape(kinds[number])}"' if kinds else ""
        cells = "".join(
            f"<td{_class_of(are_numbers, (number, column) in marked)}>{html.escape(text)}</td>"
            for column, text in enumerate(texts, start=1)
        )
        lines.append(f"<tr{kind}><th>{html.escape(name)}</th>{cells}</tr>")
    return Markup(f"<table>{''.join(lines)}</table>")


def _class_of(is_number: bool, is_best: bool) -> str:
    names = [name for name, is_so in (("number", is_number), ("best", is_best)) if is_so]
    return f' class="{" ".join(names)}"' if names else ""


def embedded_picture(picture: np.ndarray, caption: str, *, is_exact: bool = False) -> Markup:
    """Return an sRGB picture (H, W, 3) uint8 inside the page itself, with words below.

    As JPEG, shrunk where the page is narrower; or exactly as it is, as PNG, pixel for pixel.
    """
    kind, look = ("png", ' class="exact"') if is_exact else ("jpeg", "")
    source = f"data:image/{kind};base64,{base64.b64encode(encoded_picture(picture, is_exact=is_exact)).decode()}"
    words = html.escape(caption)
    return Markup(f'<figure><img{look} src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>')


def encoded_picture(picture: np.ndarray, *, is_exact: bool) -> bytes:
    """Return an sRGB picture (H, W, 3) uint8 as a file's bytes: a PNG, or a JPEG where it need not be exact."""
    suffix, options = (".png", []) if is_exact else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    _, content = cv2.imencode(suffix, np.ascontiguousarray(picture[..., ::-1]), options)
    return content.tobytes()
