"""Eyeballs, teeth, gums and tongue, in millimetres."""

from __future__ import annotations

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.parts import Part, fan, flipped, join, make_part, sheet

# Angles from the optical axis of an eyeball's rings: dense at pupil and iris edge, where colours change.
_EYE_RINGS_DEG = (5, 9.5, 12.5, 18, 23.5, 27, 29.2, 31.5, 36, 44, 55, 70, 90, 115, 145)
_EYE_SEGMENTS = 24
# Widths of the teeth of one half arch from the middle, upper and lower (Wheeler, Dental Anatomy).
_UPPER_WIDTHS = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0)
_LOWER_WIDTHS = (5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5)
_UPPER_HEIGHTS = (10.0, 8.8, 10.0, 8.5, 8.0, 7.0, 6.5)
_LOWER_HEIGHTS = (8.8, 9.0, 10.5, 8.5, 8.0, 7.5, 7.0)
_STEPS_PER_TOOTH = 3


def eyeball_left() -> Part:
    """A sphere around the left eye's centre whose rings run around the optical axis."""
    angle = np.arange(_EYE_SEGMENTS) / _EYE_SEGMENTS * 2.0 * np.pi
    polar = np.radians(_EYE_RINGS_DEG)[:, None]
    x, y = np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle)
    z = np.broadcast_to(np.cos(polar), x.shape)
    sphere = np.vstack([np.stack([x, y, z], axis=-1).reshape(-1, 3), [(0, 0, 1), (0, 0, -1)]])
    numbers = np.arange(x.size).reshape(x.shape)
    front, back = x.size, x.size + 1
    inner, outer = numbers[:-1].ravel(), numbers[1:].ravel()
    right = np.roll(numbers, -1, axis=1)
    quads = np.column_stack([inner, outer, right[1:].ravel(), right[:-1].ravel()])
    polygons = np.vstack([fan(numbers[0], front), quads, flipped(fan(numbers[-1], back))])
    uv = np.column_stack([0.655 + 0.045 * sphere[:, 0], 0.945 + 0.045 * sphere[:, 1]])
    vertices = anatomy.EYE_CENTER + anatomy.EYEBALL_RADIUS * sphere
    return make_part(vertices, polygons, uv, "eyeball_left")


def mouth_parts() -> Part:
    """Upper and lower teeth, their gums, and the tongue."""
    return join([_teeth(is_upper=True), _gums(is_upper=True), _teeth(is_upper=False), _gums(is_upper=False), _tongue()])


def _arch(length_mm: np.ndarray, front_z: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) as x, z and outward normals (N, 2) at arc lengths from the middle of a dental arch.

    The arch is flat at the incisors and closes toward the molars: a polynomial of fourth degree.
    """
    x = np.linspace(0.0, 33.0, 400)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(anatomy.arch_drop(x))))])
    place_x = np.interp(np.abs(length_mm), arc, x) * np.sign(length_mm)
    slope = (anatomy.arch_drop(place_x + 0.01) - anatomy.arch_drop(place_x - 0.01)) / 0.02
    normal = np.column_stack([slope, np.ones_like(slope)]) / np.hypot(slope, 1.0)[:, None]
    return np.column_stack([place_x, front_z - anatomy.arch_drop(place_x)]), normal


def _arch_steps(widths: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arc lengths (N,) along both halves of an arch, each step's tooth (N,), and its place in the tooth, -1..1."""
    starts = np.concatenate([[0.0], np.cumsum(widths)])
    inside = np.array((-0.94, 0.0, 0.94))
    length = np.concatenate([starts[i] + w * (inside + 1.0) / 2.0 for i, w in enumerate(widths)])
    tooth = np.repeat(np.arange(len(widths)), _STEPS_PER_TOOTH)
    place = np.tile(inside, len(widths))
    return np.concatenate([-length[::-1], length]), np.concatenate([tooth[::-1], tooth]), np.tile(place, 2)


def _teeth(*, is_upper: bool) -> Part:
    """One strip from the outer gum line over the cutting edges to the inner gum line, notched between the teeth."""
    up = 1.0 if is_upper else -1.0
    front_z, edge_y = (105.0, -36.3) if is_upper else (102.2, -35.2)
    widths, heights = (_UPPER_WIDTHS, _UPPER_HEIGHTS) if is_upper else (_LOWER_WIDTHS, _LOWER_HEIGHTS)
    length, tooth, place = _arch_steps(widths)
    base, normal = _arch(length, front_z)
    crown = np.asarray(heights)[tooth]
    thick = np.interp(tooth, (0, 2, 3, 6), (2.6, 3.2, 6.5, 9.5))
    gap = np.where(np.abs(place) > 0.5, 1.0, 0.0)
    edge_y = edge_y - up * np.where(tooth == 1, -0.6, 0.0) + up * 0.35 * gap
    rows = []
    for outward, rise in ((-0.9, 1.0), (0.25, 0.6), (0.2, 0.15), (-0.25, 0.0), (-0.75, 0.0), (-1.0, 0.2), (-1.15, 1.0)):
        depth = (
            outward * thick
            - (0.55 * gap if outward > -0.5 else 0.0)
            + (0.5 * thick if rise == 1.0 and outward > -1 else 0)
        )
        place_xz = base + depth[:, None] * normal
        rows.append(np.column_stack([place_xz[:, 0], edge_y + up * rise * crown, place_xz[:, 1]]))
    return _strip(rows, "teeth", is_upper=is_upper, corner=(0.15 if is_upper else 0.43, 0.90))


def _gums(*, is_upper: bool) -> Part:
    """A smooth band that covers the teeth's roots, outside and inside, and the palate or the mouth's floor."""
    up = 1.0 if is_upper else -1.0
    front_z, edge_y = (105.0, -36.3) if is_upper else (102.2, -35.2)
    length = np.linspace(-47.0, 47.0, 33)
    base, normal = _arch(length, front_z)
    side = np.clip(np.abs(length) / 47.0, 0.0, 1.0)
    height, thick = 9.2 - 2.6 * side, 2.6 + 6.0 * side**1.5
    rows = []
    for outward, rise in ((-0.1, 19.0), (0.8, 12.0), (0.5, 2.0), (0.0, 0.0), (-0.9, 0.2), (-1.6, 3.0), (-3.2, 9.0)):
        place_xz = base + (outward * np.where(outward < 0, thick, 1.2))[:, None] * normal
        rows.append(np.column_stack([place_xz[:, 0], edge_y + up * (height - 1.0 + rise * 0.8), place_xz[:, 1]]))
    return _strip(rows, "gums", is_upper=is_upper, corner=(0.15 if is_upper else 0.43, 0.95))


def _strip(rows: list[np.ndarray], region: str, *, is_upper: bool, corner: tuple[float, float]) -> Part:
    polygons = sheet(len(rows), len(rows[0]))
    across, along = np.meshgrid(np.linspace(0, 0.12, len(rows[0])), np.linspace(0, 0.04, len(rows)))
    uv = np.column_stack([corner[0] + across.ravel(), corner[1] + along.ravel()])
    # Rows run from the gum to the cutting edge: downward on the upper arch, upward on the lower.
    facing = flipped(polygons) if is_upper else polygons
    return make_part(np.vstack(rows), facing, uv, region, lower_share=0.0 if is_upper else 1.0)


def _tongue() -> Part:
    """A tongue at rest: an arched sheet that fills the lower arch, its tip behind the lower incisors."""
    rows, columns = 11, 9
    back = np.linspace(0.0, 1.0, rows)
    across = np.linspace(-1.0, 1.0, columns)
    half_width = 19.0 * np.sqrt(np.clip(1.0 - (1.0 - back) ** 3, 0.13, 1.0))
    z = 95.5 - 51.0 * back
    crown = -40.0 + 6.0 * np.sin(np.pi * np.clip(back * 0.9, 0, 1))
    x = half_width[:, None] * across
    curl = 3.0 + 6.0 * np.clip(back / 0.4, 0.0, 1.0)
    y = (
        crown[:, None]
        - curl[:, None] * across**4
        - (1.0 * np.exp(-((across / 0.25) ** 2))) * np.clip(back, 0.1, 1)[:, None]
    )
    vertices = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1).reshape(-1, 3)
    # A rim folded under closes the sheet where the mouth opens wide.
    below = vertices.reshape(rows, columns, 3)[0] + (0, -5.0, -5.0)
    whole = np.vstack([below, vertices])
    uv = np.column_stack([0.83 + whole[:, 0] / 800.0, 0.90 + (whole[:, 2] - 30.0) / 900.0])
    return make_part(whole, sheet(rows + 1, columns), uv, "tongue", lower_share=1.0)
