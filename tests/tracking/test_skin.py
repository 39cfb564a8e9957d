"""The skin's own pattern and rim: what sticks to the skin is found, what is only light is not."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.data.landmark_definitions import MOUTH_68
from dvp_core.face import built_in_face, landmarks_68
from dvp_core.tracking.bundle import Bundle, BundleProblem, moved_bundle
from dvp_core.tracking.evidence import FramePoints, Rig, first_factors
from dvp_core.tracking.options import LandmarkOptions, PriorOptions, TextureOptions
from dvp_core.tracking.picture import window_of_plate
from dvp_core.tracking.rims import Rim, find_rim, rim_finder
from dvp_core.tracking.skin_bundle import _Evidence, _linearised
from dvp_core.tracking.states import NAMED_RANGE, FrameState, Layout, SharedState
from dvp_core.tracking.surface import landmark_points, vertex_points
from dvp_core.tracking.texture import Texture, texture_of_plate
from dvp_core.tracking.tile_tracks import (
    TileTracks,
    read_tiles,
    templates_of,
    tile_grid,
    tile_reader,
    track_key_tiles,
    track_tiles,
)
from dvp_core.tracking.tiles import TileSights, see_tiles, skin_tiles
from dvp_core.tracking.visibility import depth_picture
from tests.tracking.stage import FOCAL_PX, SIDE, performance, staged

OPTIONS = TextureOptions()
WINDOW = np.array([[20.0, 20.0], [140.0, 140.0]])


def speckled(random: np.random.Generator) -> np.ndarray:
    coarse = random.uniform(90, 200, (40, 40))
    place = np.linspace(0, 39, 160)
    along = np.stack([np.interp(place, np.arange(40), row) for row in coarse])
    both = np.stack([np.interp(place, np.arange(40), column) for column in along.T], axis=1)
    return np.repeat(both[..., None], 3, axis=2)


def bytes_of(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def flat_sights(centers_px: np.ndarray) -> TileSights:
    """Tiles of a plane that faces the camera, a millimetre a pixel."""
    count = len(centers_px)
    return TileSights(
        np.tile(np.eye(3), (count, 1, 1)), centers_px, np.tile(1000.0 * np.eye(2), (count, 1, 1)), np.ones(count)
    )


def test_a_pattern_does_not_change_with_slow_light():
    random = np.random.default_rng(2)
    picture = speckled(random)
    gradient = np.linspace(0.7, 1.2, 160)[:, None, None]
    plain, lit = (texture_of_plate(bytes_of(p), WINDOW, across_px=128) for p in (picture, picture * gradient))
    assert plain.values.std() > 0.05
    assert np.abs(plain.values - lit.values)[8:-8, 8:-8].max() < 0.15 * plain.values.std()


def test_a_tile_reader_reads_what_the_reference_reads():
    random = np.random.default_rng(9)
    texture = texture_of_plate(bytes_of(speckled(random)), WINDOW, across_px=50)
    grid, count = tile_grid(0.001, OPTIONS.half_width_px), 80
    centers = random.uniform(-10, 170, (count, 2))  # some beyond the window
    sights = replace(flat_sights(centers), pixels_per_metre=random.normal(size=(count, 2, 2)) * 1000)
    reader = tile_reader(texture, sights, grid)
    for _ in range(2):
        shift_m = random.normal(size=(count, 2)) * 0.001
        expected = read_tiles(texture, sights, grid, shift_m)
        np.testing.assert_allclose(reader.read(shift_m), expected, atol=2e-4 * np.abs(expected).max())


def test_some_tiles_look_as_they_did_among_all():
    face, state, camera, _, _ = shown()
    tiles = skin_tiles(face, np.flatnonzero(face.region("face"))[::5])
    which = np.array([3, 30, 7, 80])
    few = tiles.chosen(which)
    assert len(few.patch.triangles) < len(tiles.patch.triangles) / 4
    whole, alone = see_tiles(tiles, state, camera), see_tiles(few, state, camera)
    for name in ("frames_head", "centers_px", "pixels_per_metre", "facing"):
        np.testing.assert_allclose(getattr(alone, name), getattr(whole, name)[which], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("shift_px", [(0.4, -0.7), (-0.9, 0.6)])
def test_tiles_are_found_where_the_pattern_moved(shift_px):
    random = np.random.default_rng(5)
    texture = texture_of_plate(bytes_of(speckled(random)), WINDOW, across_px=128)
    grid = tile_grid(0.001, OPTIONS.half_width_px)
    centers = random.uniform(45, 115, (60, 2))
    steps = grid.places_m * 1000
    values = texture.sample(centers[:, None] + steps)
    templates = templates_of(values - (values @ grid.weights)[:, None], grid)
    found = track_tiles(templates, texture, flat_sights(centers - np.array(shift_px)), grid, OPTIONS)
    assert found.is_found.mean() > 0.9
    away = np.linalg.norm(found.targets_px - centers, axis=1)[found.is_found]
    assert np.median(away) < 0.15 * np.linalg.norm(shift_px)
    assert np.percentile(away, 90) < 0.6 * np.linalg.norm(shift_px)


def test_a_tile_that_shows_something_else_is_not_found():
    random = np.random.default_rng(6)
    one, other = (texture_of_plate(bytes_of(speckled(random)), WINDOW, across_px=128) for _ in range(2))
    grid = tile_grid(0.001, OPTIONS.half_width_px)
    centers = random.uniform(45, 115, (60, 2))
    values = one.sample(centers[:, None] + grid.places_m * 1000)
    templates = templates_of(values - (values @ grid.weights)[:, None], grid)
    assert track_tiles(templates, other, flat_sights(centers), grid, OPTIONS).is_found.mean() < 0.25


def test_key_frames_agree_about_tiles_that_each_of_them_misplaced():
    random = np.random.default_rng(8)
    texture = texture_of_plate(bytes_of(speckled(random)), WINDOW, across_px=128)
    centers = random.uniform(45, 115, (50, 2))
    shifts = random.uniform(-0.8, 0.8, (6, 2))
    shifts -= shifts.mean(axis=0)
    sights = [flat_sights(centers + shift) for shift in shifts]
    seen = np.ones((6, 50), dtype=bool)
    _, tracks = track_key_tiles([texture] * 6, sights, seen, tile_grid(0.001, 3), OPTIONS)
    spread = np.stack([track.targets_px for track in tracks]).std(axis=0)
    found = np.all([track.is_found for track in tracks], axis=0)
    assert found.mean() > 0.8
    assert np.median(spread[found]) < 0.08


def shown(size: float = 1.0):
    """Return the actor's face turned aside, its state with the head `size` times as large, and its picture."""
    stage = staged(performance(np.array([[22.0, -4.0, 3.0]])))
    what = stage.performance
    camera = Camera.centered(FOCAL_PX, SIDE, SIDE)
    state = FrameState(what.rotation[0], what.translation_m[0], what.expression[0])
    face = replace(stage.face, vertices=stage.face.vertices * size)
    plate = stage.source.read(0)
    picture = window_of_plate(plate, stage.landmarks.points_px[0], across_px=128)
    texture = texture_of_plate(plate, stage.landmarks.points_px[0], across_px=128)
    return face, state, camera, picture, texture


def depth_of(face, state, camera, texture: Texture):
    window = texture.window
    height, width = texture.values.shape
    return depth_picture(
        face,
        state,
        camera,
        size=(height, width),
        origin_px=window.origin_px,
        pixel_size_px=window.pixel_size_px,
        margin_px=3,
    )


def test_the_rim_of_a_true_head_lies_on_the_pictures_edges_and_that_of_a_small_one_inside():
    shifts = {}
    for size in (1.0, 0.97):
        face, state, camera, picture, texture = shown(size)
        rim = find_rim(rim_finder(face), face, state, camera, picture, depth_of(face, state, camera, texture))
        points = vertex_points(face, rim.vertices).at(state.expression, np.zeros(face.identity_count))
        at = points @ state.rotation.T + state.translation_m
        places = camera.focal_px * at[:, :2] / at[:, 2:] + np.asarray(camera.principal_px)
        assert len(rim.vertices) > 8
        shifts[size] = np.median(((rim.targets_px - places) * rim.across).sum(axis=1))
    assert abs(shifts[1.0]) < 0.5 * picture.pixel_size_px
    assert shifts[0.97] > shifts[1.0] + 0.3


def test_lips_and_a_neck_that_turns_by_itself_are_no_rim():
    face, *_ = shown()
    finder = rim_finder(face)
    rim = np.unique(finder.edges)
    lips = landmarks_68(face, face.vertices)[MOUTH_68]
    assert len(rim) > 50
    assert np.linalg.norm(face.vertices[rim, None] - lips, axis=-1).min() > 0.012
    assert (face.vertices[rim[~face.region("face")[rim]], 1] > lips[:, 1].mean()).all()


def test_plain_skin_keeps_off_eyes_mouth_and_rim():
    face, state, camera, _, texture = shown()
    depth = depth_of(face, state, camera, texture)
    at = face.vertices @ state.rotation.T + state.translation_m
    places = depth.places(camera.focal_px * at[:, :2] / at[:, 2:] + np.asarray(camera.principal_px))
    plain = depth.is_plain(places, at[:, 2])
    assert plain[face.region("face")].mean() > 0.1
    for start, stop in face.eye_ranges:
        assert not plain[start:stop].any()


def test_eliminated_offsets_leave_the_gradient_of_the_energy():
    model = built_in_face()
    random = np.random.default_rng(4)
    face, state, camera, _, _ = shown()
    del face
    count = 40
    vertices = random.permutation(np.flatnonzero(model.region("face")))[:count]
    points = vertex_points(model, vertices)
    rig = Rig(
        landmark_points(model),
        first_factors(LandmarkOptions()),
        vertex_points(model, vertices[:0]),
        np.zeros(0),
        None,
        LandmarkOptions(),
    )
    layout = Layout(model.expression_count, model.identity_count, has_focal=True)
    frames = (state, replace(state, translation_m=state.translation_m + np.array([0.01, 0.0, 0.02])))
    bundle = Bundle(frames, SharedState(random.normal(size=model.identity_count) * 0.3, FOCAL_PX))
    seen = [FramePoints(random.uniform(60, 200, (68, 2)), np.zeros((0, 2)), 60.0, np.ones(68)) for _ in frames]
    sigma = np.full(model.expression_count, 0.3)
    problem = BundleProblem(rig, seen, camera, FOCAL_PX, sigma, PriorOptions(), NAMED_RANGE)
    tracks = []
    for frame in frames:
        at = points.at(frame.expression, bundle.shared.identity) @ frame.rotation.T + frame.translation_m
        places = camera.focal_px * at[:, :2] / at[:, 2:] + np.asarray(camera.principal_px)
        tracks.append(TileTracks(places + random.normal(size=(count, 2)), random.normal(size=(count, 2, 2))))
    loose = np.tile(np.diag([250.0, 250.0, 1000.0]) ** 2, (count, 1, 1))
    nothing = np.zeros(0, dtype=np.int64)
    rims = [Rim(nothing, np.zeros((0, 2)), np.zeros((0, 2))) for _ in frames]
    evidence = _Evidence(points, tracks, loose, rims, [vertex_points(model, nothing)] * 2, 1.0, [None, None])
    equations, _ = _linearised(problem, evidence, bundle, layout)
    retract = moved_bundle(problem, layout)
    for place in (0, 2, 4, layout.frame_size + 1, len(equations.gradient) - 1, len(equations.gradient) - 5):
        step = np.zeros(len(equations.gradient))
        step[place] = 1e-6
        above, below = (_linearised(problem, evidence, retract(bundle, s * step), layout)[0].energy for s in (1, -1))
        assert 2 * equations.gradient[place] == pytest.approx((above - below) / 2e-6, rel=0.02, abs=0.02)
