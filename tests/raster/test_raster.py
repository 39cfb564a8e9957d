"""Scenes are written once and drawn by every backend; the numpy reference is the truth."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dvp_core.raster import interpolate, rasterize
from dvp_core.raster.torch_twin import TOLERANCE

WIDTH_PX, HEIGHT_PX = 48, 40


@dataclass(frozen=True)
class Scene:
    vertices_px: np.ndarray
    depth: np.ndarray
    triangles: np.ndarray


def scene(vertices_px, depth, triangles):
    return Scene(
        np.array(vertices_px, dtype=np.float64),
        np.array(depth, dtype=np.float64),
        np.array(triangles, dtype=np.int32).reshape(-1, 3),
    )


def soup(seed, *, count=400, spread_px=12.0):
    """Random triangles of all sizes, some outside the picture, some through each other."""
    random = np.random.default_rng(seed)
    centers = random.uniform(-10, 60, (count, 1, 2))
    corners = centers + random.normal(0, spread_px, (count, 3, 2)) * random.uniform(0.05, 2, (count, 1, 1))
    depth = random.uniform(0.3, 3.0, count * 3)
    return scene(corners.reshape(-1, 2), depth, np.arange(count * 3))


def grid_of_square(random, cells):
    """A square cut into triangles with jittered inner vertices, some of them on pixel centres."""
    lines = np.linspace(4.0, 36.0, cells + 1)
    x, y = np.meshgrid(lines, lines)
    points = np.stack([x, y], axis=-1)
    inner = points[1:-1, 1:-1]
    inner += random.uniform(-0.2, 0.2, inner.shape) * (lines[1] - lines[0])
    snapped = random.random(inner.shape[:2]) < 0.5
    inner[snapped] = np.floor(inner[snapped]) + 0.5
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return scene(points.reshape(-1, 2), np.ones((cells + 1) ** 2), triangles)


def is_folded(whole):
    """A jittered grid partitions its square as long as no triangle turns over."""
    a, b, c = np.moveaxis(whole.vertices_px[whole.triangles], 1, 0)
    return bool((np.cross(b - a, c - a) < 0.01).any())


SCENES = {
    "one_triangle": scene([[5, 5], [40, 9], [12, 33]], [1, 2, 3], [0, 1, 2]),
    "tie": scene([[5, 5], [40, 9], [12, 33]], [1, 1, 1], [[0, 1, 2], [2, 1, 0], [1, 2, 0]]),
    "shared_edge": scene([[4, 4], [36, 4], [36, 36], [4, 36]], [1, 1, 1, 1], [[0, 1, 2], [0, 2, 3]]),
    "on_centres": scene([[4.5, 4.5], [36.5, 4.5], [36.5, 36.5], [4.5, 36.5]], [1] * 4, [[0, 1, 2], [0, 2, 3]]),
    "through_each_other": scene(
        [[2, 2], [46, 2], [2, 38], [46, 38], [2, 38], [46, 2]], [1, 2, 2, 1, 1, 2], [[0, 1, 2], [3, 4, 5]]
    ),
    "fills_the_picture": scene([[-500, -500], [900, -500], [-500, 900]], [1, 5, 9], [0, 1, 2]),
    "slivers": scene([[3, 3], [44, 3.0001], [44, 3], [20, 0], [20.6, 39], [20.5, 39]], [1] * 6, range(6)),
    "no_area": scene([[3, 3], [20, 20], [10, 10]], [1, 1, 1], [[0, 1, 2], [0, 0, 1]]),
    "unusable": scene(
        [[3, 3], [40, 3], [3, 30], [np.nan, 3], [np.inf, 5], [1e300, 4], [40000, 9]],
        [1, 1, 1, 1, 1, 1, 1],
        [[0, 1, 3], [0, 1, 4], [0, 1, 5], [0, 1, 6]],
    ),
    "behind": scene([[3, 3], [40, 3], [3, 30], [9, 9]], [1, 1, -1, 0.009], [[0, 1, 2], [0, 1, 3]]),
    "nothing": scene([[3, 3]], [1], []),
    "soup": soup(1),
    "soup_of_small": soup(2, count=3000, spread_px=1.0),
    "soup_of_large": soup(3, count=400, spread_px=60.0),
}

BACKENDS = ("reference", "compiled", "torch")


def draw(scene, backend="reference", *, is_culling=False):
    return rasterize(
        scene.vertices_px, scene.depth, scene.triangles, WIDTH_PX, HEIGHT_PX, is_culling=is_culling, backend=backend
    )


def assert_twins(scene, *, is_culling):
    truth = draw(scene, is_culling=is_culling)
    compiled = draw(scene, "compiled", is_culling=is_culling)
    for name in ("triangle_ids", "barycentric", "depth"):
        np.testing.assert_array_equal(getattr(compiled, name), getattr(truth, name), err_msg=name)
        assert getattr(compiled, name).dtype == getattr(truth, name).dtype
    on_torch = draw(scene, "torch", is_culling=is_culling)
    np.testing.assert_array_equal(on_torch.is_covered, truth.is_covered)
    np.testing.assert_allclose(on_torch.depth, truth.depth, rtol=TOLERANCE)
    is_same = on_torch.triangle_ids == truth.triangle_ids
    assert is_same.all(), "no scene holds two surfaces nearer to each other than the tolerance"
    np.testing.assert_allclose(on_torch.barycentric, truth.barycentric, atol=TOLERANCE)


@pytest.mark.parametrize("is_culling", [False, True])
@pytest.mark.parametrize("name", SCENES)
def test_twins_agree(name, is_culling):
    assert_twins(SCENES[name], is_culling=is_culling)


@given(seed=st.integers(0, 2**32 - 1), spread_px=st.floats(0.1, 300))
@settings(max_examples=10, deadline=None)
def test_twins_agree_on_any_soup(seed, spread_px):
    assert_twins(soup(seed, count=60, spread_px=spread_px), is_culling=False)


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(1, 8))
@settings(max_examples=12, deadline=None)
def test_partition_covers_every_pixel_exactly_once(backend, seed, cells):
    whole = grid_of_square(np.random.default_rng(seed), cells)
    assume(not is_folded(whole))
    times = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=int)
    for triangle in whole.triangles:
        times += draw(Scene(whole.vertices_px, whole.depth, triangle[None]), backend).is_covered
    expected = np.zeros_like(times)
    expected[4:36, 4:36] = 1
    np.testing.assert_array_equal(times, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_centres_on_the_border_belong_to_top_and_left(backend):
    covered = draw(SCENES["on_centres"], backend).is_covered
    expected = np.zeros_like(covered)
    expected[4:36, 4:36] = True
    np.testing.assert_array_equal(covered, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lower_triangle_wins_a_tie(backend):
    ids = draw(SCENES["tie"], backend).triangle_ids
    assert set(np.unique(ids)) == {-1, 0}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["unusable", "behind", "no_area", "nothing"])
def test_what_cannot_be_drawn_is_dropped(backend, name):
    raster = draw(SCENES[name], backend)
    assert not raster.is_covered.any()
    assert not raster.depth.any()
    assert not raster.barycentric.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_culling_keeps_what_turns_counter_clockwise_to_the_eye(backend):
    points, depth = [[5, 5], [5, 35], [40, 5]], [1, 1, 1]
    assert draw(scene(points, depth, [0, 1, 2]), backend, is_culling=True).is_covered.any()
    assert not draw(scene(points, depth, [0, 2, 1]), backend, is_culling=True).is_covered.any()


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_plane_in_space_is_exact(backend, seed):
    """Depth and an attribute that is linear in space, against the ray through each pixel centre."""
    random = np.random.default_rng(seed)
    normal = np.array([random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5), 1.0])
    offset_m, focal_px = random.uniform(0.5, 2.0), 60.0
    # On grid points of 1/16384 px, so that rounding moves nothing and the comparison tests the formulas alone.
    px = np.array([[2.0, 1.5], [46.25, 3.0], [44.5, 38.75], [1.0, 36.0]])
    directions = np.column_stack([(px - 24) / focal_px, np.ones(4)])
    points = directions * (offset_m / (directions @ normal))[:, None]
    raster = draw(scene(px, points[:, 2], [[0, 1, 2], [0, 2, 3]]), backend)
    y, x = np.nonzero(raster.is_covered)
    rays = np.column_stack([(x + 0.5 - 24) / focal_px, (y + 0.5 - 24) / focal_px, np.ones(len(x))])
    expected = rays * (offset_m / (rays @ normal))[:, None]
    np.testing.assert_allclose(raster.depth[raster.is_covered], expected[:, 2], rtol=1e-12)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    actual = interpolate(raster, triangles, points)
    np.testing.assert_allclose(actual[raster.is_covered], expected, atol=1e-12)
    assert not actual[~raster.is_covered].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_rounding_of_points_costs_less_than_a_millionth(backend):
    """On points off the sub-pixel grid a plane's depth is exact to 1e-6 of itself per 2 % of slope a pixel."""
    px = np.array([[2.0123456, 1.5012], [46.2512345, 3.0], [24.333333, 38.777777]])
    raster = draw(scene(px, [1.0, 1.0, 1.5], [0, 1, 2]), backend)
    y, x = np.nonzero(raster.is_covered)
    system = np.column_stack([px, np.ones(3)])
    inverse = np.column_stack([x + 0.5, y + 0.5, np.ones(len(x))]) @ np.linalg.solve(system, [1.0, 1.0, 1 / 1.5])
    np.testing.assert_allclose(raster.depth[raster.is_covered], 1 / inverse, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_order_of_triangles_changes_only_their_numbers(seed):
    random = np.random.default_rng(seed)
    mixed = soup(seed, count=50)
    order = random.permutation(len(mixed.triangles))
    shuffled = Scene(mixed.vertices_px, mixed.depth, mixed.triangles[order])
    first, second = draw(mixed), draw(shuffled)
    np.testing.assert_array_equal(first.depth, second.depth)
    seen = second.is_covered
    np.testing.assert_array_equal(order[second.triangle_ids[seen]], first.triangle_ids[seen])


def test_long_runs_are_cut_without_a_trace(monkeypatch):
    whole = draw(SCENES["soup_of_large"])
    monkeypatch.setattr("dvp_core.raster.reference._LARGEST_FRAGMENT_COUNT", 60_000)
    monkeypatch.setattr("dvp_core.raster.torch_twin._LARGEST_FRAGMENT_COUNT", 60_000)
    np.testing.assert_array_equal(draw(SCENES["soup_of_large"]).triangle_ids, whole.triangle_ids)
    np.testing.assert_array_equal(draw(SCENES["soup_of_large"], "torch").triangle_ids, whole.triangle_ids)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices_px": np.zeros((3, 3))}, "are not"),
        ({"depth": np.zeros(2)}, "are not"),
        ({"triangles": np.array([[0, 1, 3]])}, "outside"),
        ({"triangles": np.array([[0, 1, -1]])}, "outside"),
        ({"triangles": np.array([[0.0, 1.0, 2.0]])}, "expected integers"),
        ({"width_px": 0}, "not within"),
        ({"height_px": 1 << 15}, "not within"),
    ],
)
def test_wrong_calls_are_refused(backend, change, message):
    call = {
        "vertices_px": np.zeros((3, 2)),
        "depth": np.ones(3),
        "triangles": np.array([[0, 1, 2]]),
        "width_px": 8,
        "height_px": 8,
    }
    with pytest.raises(ValueError, match=message):
        rasterize(**(call | change), backend=backend)
