"""The skin as one part: the bent grid, the rings of lids and lips, the eye sockets and the lining of the mouth."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from dvp_core.face.built_in import anatomy
from dvp_core.face.built_in.head_surface import HeadSurface, directions
from dvp_core.face.built_in.parts import Part, bridge, fan, join, make_part, sampled
from dvp_core.face.built_in.template import (
    Grid,
    bent,
    grid_polygons,
    hole_rectangles,
    regular_grid,
    ring_cells,
)

LID_RADIUS = anatomy.EYEBALL_RADIUS + 0.9
_ORBIT_CENTER, _ORBIT_HALF_SIZE = np.array((30.8, 36.0)), np.array((21.0, 16.8))
_FULLNESS = 2.7
_MOUTH_CENTER, _MOUTH_HALF_SIZE = np.array((0.0, -34.5)), np.array((34.0, 17.0))


@dataclass(frozen=True)
class Skin:
    """The skin and the numbers of its rings, which landmarks and expressions need.

    Attributes:
        part: Face, head and neck with both eye sockets and the mouth's lining, mm.
        eye_rings: (2, 9, N) vertex numbers, left and right: six rings of skin from the orbit to the lid margin, three
            behind it; both run outer corner, upper lid, inner corner, lower lid.
        mouth_rings: (15, M): eight rings of skin from the cheeks to the contact of the lips, the rest behind them;
            each runs left corner, upper lip, right corner, lower lip.
    """

    part: Part
    eye_rings: np.ndarray
    mouth_rings: np.ndarray


# How much of the texture's width the skin's full turn takes; the rest holds the seam's second copies.
TURN_WIDTH = 0.92
MARGIN_RING = 5
BORDER_RING, CONTACT_RING = 3, 7
# How far each eye ring follows its lid: none at the orbit, wholly at the margin, none at the socket's end.
_LID_FOLLOW = (0.06, 0.22, 0.46, 0.70, 0.90, 1.0, 1.0, 0.7, 0.0)


def build_skin(surface: HeadSurface) -> Skin:
    """Face, head and neck with both eye sockets and the mouth's lining, mm."""
    rectangles = hole_rectangles()
    cells = [ring_cells(*rectangle) for rectangle in rectangles]
    orbit = _ellipse(surface, _ORBIT_CENTER, _ORBIT_HALF_SIZE, len(cells[0]))
    mouth = _ellipse(surface, _MOUTH_CENTER, _MOUTH_HALF_SIZE, len(cells[2]))
    # The right ring runs counter-clockwise from its inner corner: mirror the left one and turn it round.
    right_orbit = np.roll(orbit[::-1], 1 + len(orbit) // 2, axis=0) * (-1, 1, 1)
    targets = [
        (ring, np.stack(directions(points), axis=-1))
        for ring, points in zip(cells, (orbit, right_orbit, mouth), strict=True)
    ]
    grid = bent(regular_grid(), targets)
    parts = [_grid_part(grid, surface)]
    numbers = [grid.numbers[ring[:, 0], ring[:, 1]] for ring in cells]
    left = _eye_rings(surface, orbit)
    order = np.roll(np.arange(len(orbit))[::-1], 1 + len(orbit) // 2)
    right = [(ring * (-1, 1, 1))[order] for ring in left]
    fills = (
        _ring_fill(numbers[0], left, _eye_regions(left), lid_height=_lid_heights(left[0], order=None)),
        _ring_fill(numbers[1], right, _eye_regions(right), lid_height=_lid_heights(left[0], order=order)),
        _mouth_fill(numbers[2], surface, mouth),
    )
    part, starts = _attach(parts[0], fills)
    eye_left = starts[0] + np.arange(9 * len(orbit)).reshape(9, -1)
    eye_right = starts[1] + np.arange(9 * len(orbit)).reshape(9, -1)[:, np.argsort(order)]
    mouth_rings = starts[2] + np.arange(len(fills[2][1].vertices) - 1).reshape(-1, len(mouth))
    return Skin(part, np.stack([eye_left, eye_right]), mouth_rings)


def _ellipse(surface: HeadSurface, center: np.ndarray, half_size: np.ndarray, count: int) -> np.ndarray:
    """Points (N, 3) of the skin on a frontal superellipse, evenly spaced along it, from its +X end upward.

    Its corners are fuller than an ellipse's: the grid around it is spared a pinch there.
    """
    fine = np.linspace(0.0, 2.0 * np.pi, 721)
    circle = np.column_stack([np.cos(fine), np.sin(fine)])
    outline = center + half_size * np.sign(circle) * np.abs(circle) ** (2.0 / _FULLNESS)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))])
    place = np.arange(count) / count * length[-1]
    x, y = (np.interp(place, length, outline[:, axis]) for axis in (0, 1))
    return surface.front(x, y)


def _grid_part(grid: Grid, surface: HeadSurface) -> Part:
    is_vertex = grid.numbers >= 0
    azimuth, elevation = grid.azimuth_deg[is_vertex], grid.elevation_deg[is_vertex]
    crown = surface.positions(np.zeros(1), np.full(1, 90.0)) * (0, 1, 1)
    vertices = _with_nostrils(np.vstack([surface.positions(azimuth, elevation), crown]))
    uv = direction_uv(np.append(azimuth, 0.0), np.append(elevation, 90.0))
    return make_part(vertices, grid_polygons(grid), uv, _skin_regions(vertices))


def _with_nostrils(vertices: np.ndarray) -> np.ndarray:
    """The skin (N, 3) with both nostrils drawn in; a field of ray lengths cannot hold them."""
    drawn = vertices.copy()
    for side in (1.0, -1.0):
        flip = np.array((side, 1.0, 1.0))
        offset = (vertices - anatomy.NOSTRIL_CENTER * flip) / anatomy.NOSTRIL_RADII
        drawn += np.exp(-(np.sum(offset**2, axis=1) ** 1.5))[:, None] * anatomy.NOSTRIL_DEPTH * flip
    return drawn


def direction_uv(azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
    """Texture coordinates (..., 2) of directions: the skin fills the square below the strip of the inner parts."""
    return np.stack([azimuth_deg / 360.0 * TURN_WIDTH + 0.5, (elevation_deg + 152.0) / 242.0 * 0.88 + 0.01], axis=-1)


def _skin_regions(vertices: np.ndarray) -> np.ndarray:
    """Face in front of the ears from hairline to chin, neck below the jaw, head elsewhere."""
    _, y, z = vertices.T
    regions = np.full(len(vertices), "head", dtype=object)
    jaw_height = -86.0 + 0.75 * np.clip(70.0 - z, 0.0, 80.0)
    regions[(y < jaw_height) | ((z < 10) & (y < -40))] = "neck"
    hairline = 112.0 - 0.6 * np.clip(60.0 - z, 0.0, 60.0)
    regions[(z > 14) & (y < hairline) & (y >= jaw_height)] = "face"
    return regions


def _ring_fill(
    outer: np.ndarray, rings: list[np.ndarray], regions: np.ndarray, *, lid_height: np.ndarray
) -> tuple[np.ndarray, Part]:
    """Rings of vertices inside a hole, with quads that still name the outer ring by negative numbers -2, -3, ..."""
    count = len(outer)
    numbers = np.arange(len(rings) * count).reshape(len(rings), count)
    borders = [-2 - np.arange(count), *numbers]
    polygons = np.vstack([bridge(first, second) for first, second in itertools.pairwise(borders)])
    vertices = np.vstack(rings)
    uv = direction_uv(*directions(vertices))
    return outer, make_part(vertices, polygons, uv, regions, lid_height=lid_height)


def _attach(skin: Part, fills: tuple[tuple[np.ndarray, Part], ...]) -> tuple[Part, list[int]]:
    """One part of the grid and its fills, the placeholders replaced by the grid's own vertices; each fill's start."""
    joined, starts = skin, []
    for outer, fill in fills:
        start = len(joined.vertices)
        starts.append(start)
        polygons = np.where(fill.polygons >= 0, fill.polygons + start, -1)
        is_placeholder = fill.polygons <= -2
        polygons[is_placeholder] = outer[-2 - fill.polygons[is_placeholder]]
        whole = join([joined, fill])
        joined = Part(
            whole.vertices,
            np.vstack([joined.polygons, polygons]),
            whole.uv,
            whole.regions,
            whole.lower_share,
            whole.lid_height,
        )
    return joined, starts


def _lid_curve(count: int) -> np.ndarray:
    """Frontal margin (N, 2) of the left eye: outer corner, upper lid, inner corner, lower lid."""
    half = count // 2
    fractions = np.arange(half + 1) / half
    upper = sampled(anatomy.UPPER_LID, fractions)
    fine = sampled(anatomy.LOWER_LID, np.linspace(0.0, 1.0, 401))[::-1]
    # Each lower vertex stands right under an upper one, so that the closed lids meet vertex by vertex.
    lower = np.column_stack([upper[:, 0], np.interp(upper[:, 0], fine[:, 0], fine[:, 1])])
    return np.vstack([upper, lower[-2:0:-1]])


def lid_depth(points_xy: np.ndarray, radius: float) -> np.ndarray:
    """Depth (N,) of a lid that rides on the eyeball at `radius`, flattening toward the corners of the eye."""
    offset = points_xy - anatomy.EYE_CENTER[:2]
    distance = np.hypot(offset[:, 0], offset[:, 1] * 0.9)
    edge = 0.83 * radius
    on_ball = np.sqrt(radius**2 - np.minimum(distance, edge) ** 2)
    return anatomy.EYE_CENTER[2] + on_ball - 0.75 * np.maximum(distance - edge, 0.0)


def _eye_rings(surface: HeadSurface, orbit: np.ndarray) -> list[np.ndarray]:
    """Rings of the left eye from the orbit to the lid margin and behind it into the socket."""
    margin = _lid_curve(len(orbit))
    rings = []
    for share in (0.2, 0.4, 0.58, 0.74, 0.88, 1.0):
        place = orbit[:, :2] + share * (margin - orbit[:, :2])
        skin = surface.front(place[:, 0], place[:, 1])[:, 2]
        blend = np.clip((share - 0.1) / 0.7, 0.0, 1.0)
        blend = blend * blend * (3 - 2 * blend)
        depth = skin + blend * (lid_depth(place, LID_RADIUS + 0.8 * (1 - share)) - skin)
        rings.append(np.column_stack([place, np.maximum(depth, lid_depth(place, LID_RADIUS) * (share > 0.5))]))
    return rings + _socket_rings(margin)


def _socket_rings(margin: np.ndarray) -> list[np.ndarray]:
    """The lids' thickness and their inner side, which lies on the eyeball and ends at its equator."""
    center = anatomy.EYE_CENTER[:2]
    offset = margin - center
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    outward = offset / distance
    inner = center + offset - 0.35 * outward
    rings = [np.column_stack([inner, lid_depth(inner, anatomy.EYEBALL_RADIUS + 0.12)])]
    for depth, reach in ((6.0, 11.6), (0.0, 13.2)):
        place = center + outward * np.maximum(distance * 0.98, reach)
        rings.append(np.column_stack([place, np.full(len(place), anatomy.EYE_CENTER[2] + depth)]))
    return rings


def _eye_regions(rings: list[np.ndarray]) -> np.ndarray:
    return np.repeat(np.array(["face"] * 6 + ["eye_socket"] * (len(rings) - 6), dtype=object), len(rings[0]))


def _lid_heights(first: np.ndarray, *, order: np.ndarray | None) -> np.ndarray:
    """How far each vertex of the nine rings follows a lid: positive the upper, negative the lower, 0 in the corners."""
    half = len(first) // 2
    side = np.concatenate([[0.0], np.ones(half - 1), [0.0], -np.ones(half - 1)])
    return np.outer(_LID_FOLLOW, side if order is None else side[order]).ravel()


def lip_curve(upper: tuple, lower: tuple, count: int) -> np.ndarray:
    """A closed ring (N, 3) along two lip lines: left corner, upper line, right corner, lower line."""
    quarter = count // 4
    fractions = np.arange(quarter + 1) / quarter
    top = sampled(upper, fractions)[::-1]
    bottom = sampled(lower, fractions)
    top[0] = bottom[-1] = 0.5 * (top[0] + bottom[-1])
    flip = np.array((-1.0, 1.0, 1.0))
    return np.vstack([top, (top[:-1] * flip)[::-1], (bottom[:-1] * flip)[::-1][0:], bottom[1:-1]])


def _mouth_fill(outer: np.ndarray, surface: HeadSurface, ellipse: np.ndarray) -> tuple[np.ndarray, Part]:
    count = len(outer)
    border = lip_curve(anatomy.UPPER_BORDER, anatomy.LOWER_BORDER, count)
    full = lip_curve(anatomy.UPPER_FULL, anatomy.LOWER_FULL, count)
    contact = lip_curve(anatomy.UPPER_CONTACT, anatomy.LOWER_CONTACT, count)
    rings = []
    for share in (0.3, 0.58, 0.82):
        place = ellipse + share * (border - ellipse)
        skin = surface.front(place[:, 0], place[:, 1])
        rings.append(skin + share**2 * (place - skin))
    rings += [border, 0.5 * (border + full) + (0, 0, 0.5), full, 0.5 * (full + contact) + (0, 0, 0.6), contact]
    lining = _mouth_lining(contact)
    vertices = np.vstack([*rings, *lining, lining[-1].mean(axis=0, keepdims=True)])
    numbers = np.arange(len(vertices) - 1).reshape(-1, count)
    borders = [-2 - np.arange(count), *numbers]
    polygons = np.vstack(
        [
            *(bridge(first, second) for first, second in itertools.pairwise(borders)),
            fan(numbers[-1], len(vertices) - 1),
        ]
    )
    regions = np.array(["face"] * (len(rings) * count) + ["mouth_socket"] * (len(lining) * count + 1), dtype=object)
    half = count // 2
    # Near its corners each lip gives way to the other, so that the open mouth is round and not a slot.
    steps = np.minimum(np.arange(half), half - np.arange(half))
    upper = 0.5 * np.clip(1.0 - steps / (0.34 * half), 0.0, 1.0) ** 1.6
    shares = np.concatenate([upper, 1.0 - upper])
    lower = np.append(np.tile(shares, len(numbers)), 0.5)
    uv = direction_uv(*directions(vertices))
    uv[len(rings) * count :] = lining_uv(vertices[len(rings) * count :])
    return outer, make_part(vertices, polygons, uv, regions, lower_share=lower)


def _mouth_lining(contact: np.ndarray) -> list[np.ndarray]:
    """Rings from the closed lips backward: behind the lips the bag opens around the teeth and closes at the throat."""
    count = len(contact)
    angle = np.arange(count) / count * 2.0 * np.pi
    rings = [contact - (0, 0, 2.5), contact * (0.98, 1, 1) - (0, 0, 5.2)]
    # Half width, half height, depth at the middle, and how strongly the ring bends around the dental arch.
    for half_width, half_height, depth, bend in ((32, 11, 107.0, 0.62), (33, 21, 101.0, 0.55), (30, 23, 56.0, 0.0)):
        x, y = half_width * np.cos(angle), -35.0 + half_height * np.sin(angle)
        rings.append(np.column_stack([x, y, depth - bend * anatomy.arch_drop(x)]))
    rings.append(np.column_stack([10 * np.cos(angle), -40.0 + 9 * np.sin(angle), np.full(count, 36.0)]))
    return rings


def lining_uv(vertices: np.ndarray) -> np.ndarray:
    """Texture coordinates (N, 2) of the mouth's lining: its frontal view in the strip of the inner parts."""
    x, y, _ = vertices.T
    return np.column_stack([0.74 + x / 900.0, 0.945 + (y + 35.0) / 700.0])
