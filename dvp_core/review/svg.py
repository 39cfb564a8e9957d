"""Curves over time as SVG text: sharp at any size, small, and readable without any library."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dvp_core.data.doubt import Doubt, gravest_first
from dvp_core.data.take import Take
from dvp_core.review.curves import Curve, Panel
from dvp_core.review.html import Markup

_WIDTH, _HEIGHT = 1100, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 22, 20
_COLOURS = ("#1f6fb4", "#d1661b", "#2f8f3e")
_SHADES = {"bad": "#e0554a", "look": "#e8b53a"}
_MOST_POINTS = 1500
_EMPTY_SPAN = 1e-6


@dataclass(frozen=True)
class _Axes:
    """Maps frame numbers and values to places in the drawing."""

    first_frame: int
    frame_count: int
    low: float
    high: float

    def x(self, index: np.ndarray | float) -> np.ndarray | float:
        """Return the place of frames' middles, by index from 0."""
        return _LEFT + (index + 0.5) / self.frame_count * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: np.ndarray | float) -> np.ndarray | float:
        """Return the height of values."""
        return _HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)


def panel_svg(panel: Panel, take: Take, doubts: Sequence[Doubt]) -> Markup:
    """Return one panel: measured thin, shown thick, a band of one deviation, doubtful runs shaded, cuts dashed.

    Args:
        panel: The curves.
        take: Whose they are.
        doubts: What is doubtful; runs that concern the panel are shaded, and say why where the mouse rests.
    """
    axes = _axes_of(panel, take)
    parts = [
        *(_shade(doubt, take, axes) for doubt in reversed(gravest_first(doubts)) if _concerns(doubt, panel)),
        *_ticks(axes),
        *(_cut(frame, axes) for frame in take.shot_starts),
        *(part for curve, colour in zip(panel.curves, _COLOURS, strict=False) for part in _drawn(curve, axes, colour)),
        *_title(panel),
    ]
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="11" role="img">{"".join(parts)}</svg>'
    )


def _concerns(doubt: Doubt, panel: Panel) -> bool:
    return doubt.severity != "note" and doubt.channel in panel.channels


def _axes_of(panel: Panel, take: Take) -> _Axes:
    values = [curve.shown for curve in panel.curves]
    values += [curve.measured for curve in panel.curves if curve.measured is not None]
    everything = np.concatenate(values)
    low, high = float(everything.min()), float(everything.max())
    margin = max(0.06 * (high - low), _EMPTY_SPAN)
    return _Axes(take.clip.start_frame, take.frame_count, low - margin, high + margin)


def _shade(doubt: Doubt, take: Take, axes: _Axes) -> str:
    half = 0.5
    left = axes.x(take.index_of(doubt.first_frame) - half)
    right = axes.x(take.index_of(doubt.last_frame) + half)
    title = html.escape(f"{doubt.frames}: {doubt.reason}")
    return (
        f'<rect x="{left:.1f}" y="{_TOP}" width="{max(right - left, 2):.1f}" height="{_HEIGHT - _TOP - _BOTTOM}" '
        f'fill="{_SHADES[doubt.severity]}" fill-opacity="0.22"><title>{title}</title></rect>'
    )


def _cut(frame: int, axes: _Axes) -> str:
    x = axes.x(frame - axes.first_frame - 0.5)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#555" stroke-dasharray="4 3">'
        f"<title>cut before frame {frame}</title></line>"
    )


def _ticks(axes: _Axes) -> list[str]:
    parts = []
    for value in _round_steps(axes.low, axes.high, 4):
        y = axes.y(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{value:g}</text>')
    last = axes.first_frame + axes.frame_count - 1
    for frame in _round_steps(axes.first_frame, last, 10):
        if frame == round(frame):
            x = axes.x(frame - axes.first_frame)
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle" fill="#555">{round(frame)}</text>')
    return parts


def _round_steps(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers from low to high."""
    raw = max(high - low, _EMPTY_SPAN) / count
    unit = 10.0 ** np.floor(np.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw)
    return [round(float(number * step), 9) for number in range(int(np.ceil(low / step)), int(high / step) + 1)]


def _drawn(curve: Curve, axes: _Axes, colour: str) -> list[str]:
    parts = []
    if curve.measured is not None and curve.sigma is not None:
        parts.append(_band(curve.measured, curve.sigma, axes, colour))
    if curve.measured is not None:
        parts.append(_line(curve.measured, axes, colour, width=0.7, opacity=0.75))
    parts.append(_line(curve.shown, axes, colour, width=1.8, opacity=1.0))
    return parts


def _line(values: np.ndarray, axes: _Axes, colour: str, *, width: float, opacity: float) -> str:
    index = _telling(values)
    return (
        f'<polyline points="{_places(axes.x(index), axes.y(values[index]))}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}" stroke-opacity="{opacity}" stroke-linejoin="round"/>'
    )


def _band(values: np.ndarray, sigma: np.ndarray, axes: _Axes, colour: str) -> str:
    index = _telling(values)
    low, high = (np.clip(values[index] + sign * sigma[index], axes.low, axes.high) for sign in (-1, 1))
    around = _places(np.concatenate([axes.x(index), axes.x(index[::-1])]), axes.y(np.concatenate([high, low[::-1]])))
    return f'<polygon points="{around}" fill="{colour}" fill-opacity="0.1"/>'


def _telling(values: np.ndarray) -> np.ndarray:
    """Return indices to draw: all, or of a long clip the lowest and the highest of each short stretch."""
    if len(values) <= _MOST_POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _MOST_POINTS // 2 + 1).astype(int)
    extremes = [
        start + int(pick(values[start:stop])) for start, stop in pairwise(edges) for pick in (np.argmin, np.argmax)
    ]
    return np.unique(extremes)


def _places(x: np.ndarray | float, y: np.ndarray | float) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True))


def _title(panel: Panel) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="14" fill="#222" font-size="13">{html.escape(panel.title)}</text>']
    if len(panel.curves) > 1:
        for number, (curve, colour) in enumerate(zip(panel.curves, _COLOURS, strict=False)):
            x = _WIDTH - _RIGHT - 80 * (len(panel.curves) - number)
            parts.append(f'<text x="{x}" y="14" fill="{colour}">{html.escape(curve.name)}</text>')
    return parts
