"""Pieces of mesh and how they are put together: a part is vertices, polygons, texture coordinates and one region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """A piece of the face, lengths in mm.

    Attributes:
        vertices: (N, 3).
        polygons: (P, 4) int, -1 last for a triangle, counter-clockwise from outside.
        uv: (N, 2) texture coordinates of the vertices.
        regions: N region names.
        lower_share: (N,) how far each vertex belongs to the lower jaw's side of the mouth, 0..1; NaN where only its
            place decides.
        lid_height: (N,) place between the lids: +1 upper margin, -1 lower margin, NaN elsewhere.
    """

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    regions: np.ndarray
    lower_share: np.ndarray
    lid_height: np.ndarray


def make_part(
    vertices: np.ndarray,
    polygons: np.ndarray,
    uv: np.ndarray,
    region: str | np.ndarray,
    *,
    lower_share: float | np.ndarray = np.nan,
    lid_height: float | np.ndarray = np.nan,
) -> Part:
    """A part whose per-vertex fields may be given as one value for all."""
    count = len(vertices)
    return Part(
        np.asarray(vertices, dtype=np.float64),
        np.asarray(polygons, dtype=np.int64).reshape(-1, 4),
        np.asarray(uv, dtype=np.float64),
        np.broadcast_to(np.asarray(region, dtype=object), count).copy(),
        np.broadcast_to(np.asarray(lower_share, dtype=np.float64), count).copy(),
        np.broadcast_to(np.asarray(lid_height, dtype=np.float64), count).copy(),
    )


def join(parts: Sequence[Part]) -> Part:
    """One part of several, in order; vertices are not merged."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    polygons = [
        np.where(part.polygons < 0, -1, part.polygons + start) for part, start in zip(parts, starts, strict=False)
    ]
    return Part(
        np.vstack([part.vertices for part in parts]),
        np.vstack(polygons),
        np.vstack([part.uv for part in parts]),
        np.concatenate([part.regions for part in parts]),
        np.concatenate([part.lower_share for part in parts]),
        np.concatenate([part.lid_height for part in parts]),
    )


def mirrored(part: Part) -> Part:
    """The part's mirror image in the middle plane, still facing outward."""
    regions = np.array([str(name).replace("_left", "_right") for name in part.regions], dtype=object)
    return Part(
        part.vertices * (-1, 1, 1),
        flipped(part.polygons),
        np.column_stack([1.0 - part.uv[:, 0], part.uv[:, 1]]),
        regions,
        part.lower_share,
        part.lid_height,
    )


def flipped(polygons: np.ndarray) -> np.ndarray:
    """The polygons (P, 4) seen from their other side."""
    quads, triangles = polygons[:, [0, 3, 2, 1]], polygons[:, [0, 2, 1, 3]]
    return np.where((polygons[:, 3] < 0)[:, None], triangles, quads)


def bridge(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Quads (N, 4) between two closed rings of N vertices, `outer` counter-clockwise seen from outside."""
    return np.column_stack([outer, np.roll(outer, -1), np.roll(inner, -1), inner])


def fan(ring: np.ndarray, center: int) -> np.ndarray:
    """Triangles (N, 4) that close a counter-clockwise ring with one vertex."""
    return np.column_stack([ring, np.roll(ring, -1), np.full(len(ring), center), np.full(len(ring), -1)])


def sheet(rows: int, columns: int) -> np.ndarray:
    """Quads of a rectangular sheet of rows x columns vertices; rows run up, columns to the subject's left."""
    numbers = np.arange(rows * columns).reshape(rows, columns)
    return np.stack([numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, 1:], numbers[1:, :-1]], axis=-1).reshape(-1, 4)


def sampled(points: Sequence[Sequence[float]], fractions: np.ndarray) -> np.ndarray:
    """Points (N, D) at fractions 0..1 of a smooth curve through given points (M, D), by centripetal Catmull-Rom."""
    knots = np.asarray(points, dtype=np.float64)
    steps = np.sqrt(np.linalg.norm(np.diff(knots, axis=0), axis=1))
    times = np.concatenate([[0.0], np.cumsum(steps)])
    slopes = np.gradient(knots, times, axis=0)
    place = np.clip(fractions, 0.0, 1.0) * times[-1]
    index = np.clip(np.searchsorted(times, place, side="right") - 1, 0, len(knots) - 2)
    span = (times[index + 1] - times[index])[:, None]
    t = (place - times[index])[:, None] / span
    return (
        (2 * t**3 - 3 * t**2 + 1) * knots[index]
        + (t**3 - 2 * t**2 + t) * span * slopes[index]
        + (3 * t**2 - 2 * t**3) * knots[index + 1]
        + (t**3 - t**2) * span * slopes[index + 1]
    )
