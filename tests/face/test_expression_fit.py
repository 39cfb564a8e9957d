"""Laws of the map between two models' expressions, on the built-in face and copies of it that are made differently."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.expression_map import read_expression_map
from dvp_core.data.face_model import FaceModel, write_face_model
from dvp_core.data.files import write_arrays
from dvp_core.face import built_in_face, import_ict, landmarks_68
from dvp_core.face.expression_fit import descended, fit_expression_map
from dvp_core.face.surface_match import carrying, fit_similarity, fit_warp, match_surfaces
from dvp_core.maths.rotations import matrix_from_rotation_vector

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def face() -> FaceModel:
    return built_in_face()


def remeshed(face: FaceModel) -> FaceModel:
    """The face, larger and turned, each triangle split at its middle, and its vertices in another order."""
    rotation = matrix_from_rotation_vector(np.array([0.05, -0.1, 0.03]))
    order = np.random.default_rng(6).permutation(face.vertex_count + len(face.triangles))
    place = np.argsort(order)
    a, b, c = face.triangles.T
    middle = face.vertex_count + np.arange(len(a))
    split = np.concatenate([np.column_stack(corners) for corners in ((a, b, middle), (b, c, middle), (c, a, middle))])
    polygons = np.column_stack([place[split], np.full(len(split), -1)]).astype(np.int32)

    def with_middles(fields: np.ndarray) -> np.ndarray:
        """Fields (..., V, 3) of the face as those of the new mesh, turned and enlarged."""
        middles = fields[..., face.triangles, :].mean(axis=-2)
        return (1.07 * np.concatenate([fields, middles], axis=-2)[..., order, :]) @ rotation.T

    return replace(
        face,
        id="remeshed",
        vertices=with_middles(face.vertices) + np.array((0.01, 0.02, -0.03)),
        polygons=polygons,
        polygon_uv=np.where(polygons < 0, -1, 0).astype(np.int32),
        identity_basis=np.zeros((0, len(order), 3), np.float32),
        expression_basis=with_middles(face.expression_basis).astype(np.float32),
        reflectance_mean=np.zeros((len(order), 3), np.float32),
        reflectance_basis=np.zeros((0, len(order), 3), np.float32),
        correspondence=np.zeros((len(order), 3), np.float32),
        region_ids=np.concatenate([face.region_ids, face.region_ids[a]])[order],
        landmark_vertices=place[face.landmark_vertices].astype(np.int32),
    )


def test_the_map_to_itself_is_the_identity(face):
    found = fit_expression_map(face, face)
    np.testing.assert_allclose(found.matrix, np.eye(face.expression_count), atol=1e-6)
    assert found.overall_residual_mm < 1e-4
    assert found.explained > 0.9999


def test_numbered_modes_of_one_model_map_to_themselves(face):
    numbered = replace(face, expression_names=tuple(f"expression_{k:03d}" for k in range(face.expression_count)))
    np.testing.assert_allclose(fit_expression_map(numbered, numbered).matrix, np.eye(face.expression_count), atol=1e-6)


def test_another_mesh_in_another_place_and_size_is_followed(face):
    other = remeshed(face)
    found = fit_expression_map(other, face)
    assert found.explained > 0.98
    diagonal = np.diag(found.matrix)
    assert np.median(diagonal) > 0.9
    moves = found.motion_mm > 0.5
    assert (found.residual_mm[moves] < 0.35 * found.motion_mm[moves]).all()


def test_modes_without_names_are_expressed_with_any_sign(face):
    """Mixtures of the built-in shapes as numbered modes: the map undoes the mixing, which names could not."""
    chosen = [face.expression_names.index(name) for name in ("jawOpen", "mouthSmileLeft", "browInnerUp")]
    mixing = np.array([[1.0, 0.5, -0.3], [-0.4, 1.0, 0.2], [0.1, -0.6, 1.0]])
    named = replace(
        face,
        expression_basis=face.expression_basis[chosen],
        expression_names=tuple(face.expression_names[index] for index in chosen),
    )
    mixed = replace(
        named,
        id="flame",
        expression_basis=np.tensordot(mixing, named.expression_basis, axes=1).astype(np.float32),
        expression_names=("expression_000", "expression_001", "expression_002"),
    )
    found = fit_expression_map(named, mixed)
    np.testing.assert_allclose(found.matrix, np.linalg.inv(mixing.T), atol=0.02)
    assert found.explained > 0.999


def test_what_the_target_cannot_do_is_reported(face):
    smile = face.expression_names.index("mouthSmileLeft")
    without = replace(
        face,
        id="no smile",
        expression_basis=np.delete(face.expression_basis, smile, axis=0),
        expression_names=tuple(name for name in face.expression_names if name != "mouthSmileLeft"),
    )
    found = fit_expression_map(face, without)
    left = found.residual_mm / found.motion_mm
    assert left[smile] > 0.3
    assert np.delete(left, smile).max() < 0.01
    assert 0 <= found.matrix.min()
    assert found.matrix.max() <= 1


def test_a_model_without_expressions_is_refused(face):
    still = replace(face, expression_basis=face.expression_basis[:0], expression_names=())
    with pytest.raises(DataError, match="has no expressions"):
        fit_expression_map(still, face)


def test_a_similarity_is_found_again():
    random = np.random.default_rng(4)
    points = random.normal(size=(20, 3))
    rotation = matrix_from_rotation_vector(np.array([0.4, -1.0, 0.3]))
    found = fit_similarity(points, 1.3 * points @ rotation.T + (1, 2, 3))
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
    assert found.scale == pytest.approx(1.3)
    np.testing.assert_allclose(found.of_points(points), 1.3 * points @ rotation.T + (1, 2, 3), atol=1e-12)


def test_a_warp_keeps_affine_maps_and_meets_its_knots():
    random = np.random.default_rng(4)
    knots, points = random.normal(size=(30, 3)) * 0.05, random.normal(size=(50, 3)) * 0.05
    bend = np.eye(3) + 0.1 * random.normal(size=(3, 3))
    np.testing.assert_allclose(fit_warp(knots, knots @ bend - knots).of_points(points), points @ bend, atol=1e-9)
    offsets = random.normal(size=(30, 3)) * 0.004
    missed = np.linalg.norm(fit_warp(knots, offsets).of_points(knots) - knots - offsets, axis=1)
    assert missed.max() < 0.25 * np.linalg.norm(offsets, axis=1).max()


def test_lids_that_meet_on_one_face_meet_on_another_with_wider_eyes(face):
    """The upper lids' points fall onto the lower ones; on the other face the way between them is half as long again."""
    upper, lower = [37, 38, 43, 44], [41, 40, 47, 46]
    marks = landmarks_68(face, face.vertices)
    rise = np.exp(-(np.linalg.norm(face.vertices[:, None] - marks[upper], axis=-1).min(axis=1) ** 2) / 0.006**2)
    other = replace(face, id="wide eyes", vertices=face.vertices + rise[:, None] * (0, 0.004, 0))
    falls = marks[lower] - marks[upper]
    way = carrying(face, other)
    carried = way.of_motion(marks[upper], falls[None])[0]
    wide = landmarks_68(other, other.vertices)
    shut = np.linalg.norm(wide[upper] + carried - wide[lower], axis=1)
    assert shut.max() < 0.0012
    assert np.linalg.norm(wide[upper] + falls - wide[lower], axis=1).min() > 0.002  # as it stands it would not


def test_places_lie_on_the_other_surface(face):
    """The middle of a triangle is found on the triangle, where the other mesh has no vertex."""
    other = remeshed(face)
    of_old = np.isin(np.arange(other.vertex_count), other.polygons[: len(face.triangles), 0])
    numbers = np.flatnonzero(other.region("face") & ~of_old)[::7]
    match = match_surfaces(face, other, numbers)
    assert len(match.target_vertices) > 0.95 * len(numbers)
    places = np.einsum("nc,ncx->nx", match.source_weights, face.vertices[match.source_corners])
    gap = np.linalg.norm(match.carrying.of_points(places) - other.vertices[match.target_vertices], axis=1)
    assert np.percentile(gap, 95) < 0.0003
    np.testing.assert_allclose(match.source_weights.sum(axis=1), 1.0)


def test_bounded_descent_agrees_with_a_search_over_active_sets():
    random = np.random.default_rng(8)
    for _ in range(20):
        root = random.normal(size=(6, 3))
        hessian, right = root.T @ root, random.normal(size=(3, 1)) * 3
        zeros, ones = np.zeros((3, 1)), np.ones((3, 1))
        found = descended(hessian, right, zeros, zeros, ones)
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 41)] * 3), axis=-1).reshape(-1, 3)
        energy = 0.5 * np.einsum("ni,ij,nj->n", grid, hessian, grid) - grid @ right[:, 0]
        own = 0.5 * found[:, 0] @ hessian @ found[:, 0] - found[:, 0] @ right[:, 0]
        assert own <= energy.min() + 1e-9


def test_the_command_writes_a_map_that_reads_back(face, tmp_path, capsys):
    for name, model in (("a", face), ("b", remeshed(face))):
        write_face_model(tmp_path / f"{name}.face.npz", model)
    words = ["model", "map", str(tmp_path / "a.face.npz"), str(tmp_path / "b.face.npz"), "-o", str(tmp_path / "ab.npz")]
    assert run([*words, "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "jawOpen" in said.err
    read = read_expression_map(tmp_path / "ab.npz")
    assert read.source.sha256 == face.sha256
    assert read.target.id == "remeshed"
    assert told["residual_mm"] == pytest.approx(read.overall_residual_mm, abs=1e-4)
    assert set(told["residual_mm_by_expression"]) == set(face.expression_names)


@pytest.mark.parametrize(
    ("header", "said"),
    [({}, "no expression map"), ({"kind": "expression map", "version": 1}, "names no model")],
)
def test_other_files_are_no_maps(tmp_path, header, said):
    write_arrays(tmp_path / "x.map.npz", {"matrix": np.eye(2)}, header=header)
    with pytest.raises(DataError, match=said):
        read_expression_map(tmp_path / "x.map.npz")


def test_the_built_in_face_is_said_in_ict_facekit(face, test_data):
    ict = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    found = fit_expression_map(face, ict)
    assert found.explained > 0.75
    for name in ("jawOpen", "mouthSmileLeft", "mouthPucker", "eyeBlinkRight", "browOuterUpLeft"):
        column = found.matrix[:, face.expression_names.index(name)]
        assert ict.expression_names[int(column.argmax())] == name
