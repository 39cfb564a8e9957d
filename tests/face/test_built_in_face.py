"""The built-in face as a mesh and as a model of persons."""

from collections import Counter

import numpy as np
import pytest

from dvp_core.data.face_model import read_face_model, write_face_model
from dvp_core.face import built_in_face, evaluate, landmarks_68
from dvp_core.face.landmark_map import LANDMARK_GROUPS, mirrored_landmarks
from dvp_core.raster import rasterize

FLIP = np.array((-1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def face():
    return built_in_face()


@pytest.fixture(scope="module")
def marks(face):
    return landmarks_68(face, face.vertices)


def test_size_and_modes(face):
    assert 3_000 <= face.vertex_count <= 8_000
    assert np.mean(face.polygons[:, 3] >= 0) > 0.9
    assert face.identity_count >= 40
    assert len(face.reflectance_basis) >= 20
    assert face.expression_count == 52


def test_every_vertex_has_its_mirror_image(face):
    rounded = np.round(face.vertices, 6) + 0.0
    assert Counter(map(tuple, rounded)) == Counter(map(tuple, np.round(face.vertices * FLIP, 6) + 0.0))


def test_polygons_are_a_surface_with_open_edges_only_where_nobody_looks(face):
    directed = Counter()
    for polygon in face.polygons:
        corners = [int(corner) for corner in polygon if corner >= 0]
        assert len(set(corners)) == len(corners)
        directed.update(zip(corners, corners[1:] + corners[:1], strict=True))
    assert max(directed.values()) == 1
    open_edges = np.array([edge for edge in directed if edge[::-1] not in directed])
    names = {face.region_names[face.region_ids[vertex]] for vertex in open_edges.ravel()}
    assert names <= {"neck", "head", "eye_socket", "teeth", "gums", "tongue"}
    assert not (face.region("face")[open_edges]).any()


def test_every_vertex_is_used_and_no_polygon_is_degenerate(face):
    assert set(np.unique(face.polygons)) - {-1} == set(range(face.vertex_count))
    corners = face.vertices[face.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    outside = face.region("face", "head", "neck")[face.triangles].all(axis=1)
    assert area[outside].min() > 1e-10


def test_skin_faces_outward(face):
    skin = face.region("face")[face.triangles].all(axis=1)
    corners = face.vertices[face.triangles[skin]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = np.sum(normals * (corners.mean(axis=1) - (0, 0.01, 0)), axis=1)
    assert np.mean(outward > 0) > 0.93


def test_regions_and_eyes_agree(face):
    for side, name in enumerate(("eyeball_left", "eyeball_right")):
        start, stop = face.eye_ranges[side]
        np.testing.assert_array_equal(np.flatnonzero(face.region(name)), np.arange(start, stop))
        radius = np.linalg.norm(face.vertices[start:stop] - face.eye_centers[side], axis=1)
        np.testing.assert_allclose(radius, face.eye_radii[side], atol=2e-6)
    assert face.eye_centers[0, 0] > 0 > face.eye_centers[1, 0]


def test_landmarks_are_in_ibug_order(face, marks):
    np.testing.assert_allclose(marks[list(mirrored_landmarks())] * FLIP, marks, atol=5e-4)
    right_to_left = [*LANDMARK_GROUPS["jaw"]], [*range(17, 27)], [*range(31, 36)], [*range(48, 55)], [*range(60, 65)]
    for group in right_to_left:
        assert (np.diff(marks[group, 0]) > 0).all()
    assert marks[:17, 1].argmin() == 8
    assert (np.diff(marks[27:31, 1]) < 0).all()
    assert marks[:, 2].argmax() == 30
    assert marks[36, 0] < marks[39, 0] < 0 < marks[42, 0] < marks[45, 0]
    assert marks[[37, 38, 43, 44], 1].min() > marks[[40, 41, 46, 47], 1].max()
    assert marks[[50, 51, 52], 1].min() > marks[[61, 62, 63], 1].max() > marks[[65, 66, 67], 1].max() - 1e-9
    assert marks[[65, 66, 67], 1].min() > marks[[56, 57, 58], 1].max()


def test_measures_are_human(marks):
    def distance_mm(first, second):
        return 1000.0 * np.linalg.norm(marks[first] - marks[second])

    norms = {(36, 45): (80, 100), (39, 42): (27, 38), (48, 54): (45, 58), (31, 35): (22, 38), (27, 8): (105, 130)}
    for pair, (low, high) in norms.items():
        assert low < distance_mm(*pair) < high, pair


def test_texture_coordinates_stay_in_the_square_and_cross_no_seam(face):
    assert face.uv.min() >= 0.0
    assert face.uv.max() <= 1.0
    across = [np.ptp(face.uv[polygon[polygon >= 0], 0]) for polygon in face.polygon_uv]
    skin = face.region("face", "neck")[face.polygons[:, 0]]
    assert np.array(across)[skin].max() < 0.2


def test_correspondence_is_the_place_in_the_box(face):
    np.testing.assert_allclose(face.correspondence.min(axis=0), 0.0)
    np.testing.assert_allclose(face.correspondence.max(axis=0), 1.0)


def test_colours_are_colours(face):
    assert face.reflectance_mean.min() > 0.0
    assert face.reflectance_mean.max() < 0.9
    teeth, lips = face.region("teeth"), face.landmark_vertices[51, 0]
    assert face.reflectance_mean[teeth].mean() > 0.5
    assert face.reflectance_mean[lips, 0] > 2.0 * face.reflectance_mean[lips, 1]
    pupils = [start + face.vertices[start:stop, 2].argmax() for start, stop in face.eye_ranges]
    assert face.reflectance_mean[pupils].max() < 0.05


@pytest.mark.parametrize("seed", range(6))
def test_persons_look_out_of_their_eyes(face, seed):
    """Identity moves the lids with the ball: neither cut by it nor far from it."""
    person = face.baked(np.random.default_rng(seed).normal(size=face.identity_count))
    margins = landmarks_68(person, person.vertices)
    for center, indices in zip(person.eye_centers, (range(42, 48), range(36, 42)), strict=True):
        lids = margins[[index for index in indices if index not in (36, 39, 42, 45)]]
        distance = np.linalg.norm(lids - center, axis=1)
        assert distance.min() > person.eye_radii[0] - 0.0003
        assert distance.max() < person.eye_radii[0] + 0.0045


def test_identity_modes_are_mostly_symmetric_and_of_human_size(face):
    skin = face.region("face")
    size_mm = 1000.0 * np.sqrt(np.mean(np.sum(face.identity_basis[:, skin] ** 2, axis=2), axis=1))
    assert size_mm.min() > 0.05
    assert 2.0 < np.sqrt(np.sum(size_mm**2)) < 9.0
    mirrored = face.identity_basis[:, np.lexsort(np.round(face.vertices * FLIP, 6).T)] * FLIP.astype(np.float32)
    plain = face.identity_basis[:, np.lexsort(np.round(face.vertices, 6).T)]
    symmetric = np.linalg.norm((plain + mirrored).reshape(len(plain), -1), axis=1)
    odd = np.linalg.norm((plain - mirrored).reshape(len(plain), -1), axis=1)
    assert np.sum(odd**2) < 0.1 * np.sum(symmetric**2)


def test_the_model_survives_its_file(face, tmp_path):
    write_face_model(tmp_path / "built-in.face.npz", face)
    again = read_face_model(tmp_path / "built-in.face.npz")
    assert again.sha256 == face.sha256
    np.testing.assert_array_equal(evaluate(again), evaluate(face))


@pytest.mark.parametrize("name", ["jawOpen", "mouthFunnel", "eyeWideLeft"])
def test_no_part_shows_its_inside(face, name):
    """Triangles that face away are hidden by others: leaving them out changes almost no pixel."""
    weights = [float(each == name) for each in face.expression_names]
    vertices = evaluate(face, expression=weights)
    points_px = np.column_stack([80.0 + vertices[:, 0] * 640.0, 80.0 - vertices[:, 1] * 640.0])
    seen = [
        rasterize(points_px, 2.0 - vertices[:, 2], face.triangles, 160, 160, is_culling=is_culling, backend="reference")
        for is_culling in (False, True)
    ]
    assert np.mean(seen[0].triangle_ids != seen[1].triangle_ids) < 0.002
