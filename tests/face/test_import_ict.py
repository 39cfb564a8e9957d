"""The ICT-FaceKit importer on files made here in the original format, and on the real model where it is at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.face import evaluate, import_ict, landmarks_68
from dvp_core.face.eyeballs import fit_sphere
from dvp_core.face.import_ict import KEPT_VERTEX_COUNT, SHELL_RANGES
from dvp_core.face.landmark_map import mirrored_landmarks

VERTEX_COUNT = KEPT_VERTEX_COUNT + 9
EXPRESSIONS = ["jawOpen", "mouthSmile_L", "browInnerUp_R"]


def ball(center, radius, count, random):
    directions = random.normal(size=(count, 3))
    return np.asarray(center) + radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def write_obj(path: Path, vertices: np.ndarray, *, end: int | None = None) -> None:
    lines = ["# a face", "mtllib none.mtl", *("v {:.6g} {:.6g} {:.6g}".format(*vertex) for vertex in vertices)]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", "usemtl M_Face"]
    lines += ["f 1/1 2/2 3/3 4/4", "f 3/1 4/2 5/3", f"f 6/1 7/2 {VERTEX_COUNT}/3 8/4"]
    path.write_text("\n".join(lines[:end]) + "\n")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A whole FaceXModel folder in miniature: true vertex ranges, 100 identities (mostly links), three expressions."""
    folder = tmp_path_factory.mktemp("ICT-FaceKit") / "FaceXModel"
    folder.mkdir()
    random = np.random.default_rng(1)
    neutral = random.uniform(-9, 9, size=(VERTEX_COUNT, 3)).round(4)
    for (start, stop), x in zip(SHELL_RANGES, (3.1, -3.1), strict=True):
        neutral[start:stop] = ball((x, 3.6, 8.0), 1.5, stop - start, random)
    write_obj(folder / "generic_neutral_mesh.obj", neutral)
    write_obj(folder / "identity000.obj", neutral + np.array((0.5, 0, 0)))
    for index in range(1, 100):
        (folder / f"identity{index:03d}.obj").symlink_to("identity000.obj")
    write_obj(folder / "jawOpen.obj", neutral - np.array((0, 2.0, 0)))
    for name in EXPRESSIONS[1:]:
        (folder / f"{name}.obj").symlink_to("jawOpen.obj")
    indices = {"expressions": EXPRESSIONS, "idx_to_landmark_verts": list(range(68))}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return folder.parent


def link_copy(checkout: Path, target: Path) -> Path:
    """A folder of links to the checkout's files, in which a test may replace some."""
    target.mkdir()
    for path in (checkout / "FaceXModel").iterdir():
        (target / path.name).symlink_to(path.resolve())
    return target


@pytest.fixture(scope="module")
def partial(checkout, tmp_path_factory) -> Path:
    """The same with a single identity, as a small folder to load quickly."""
    folder = link_copy(checkout, tmp_path_factory.mktemp("partial") / "FaceXModel")
    for index in range(1, 100):
        (folder / f"identity{index:03d}.obj").unlink()
    return folder


def test_original_format(partial):
    model = import_ict(partial, allow_partial=True)
    assert model.vertex_count == KEPT_VERTEX_COUNT
    assert model.expression_names == ("jawOpen", "mouthSmileLeft", "browInnerUpRight")
    assert model.polygons.tolist() == [[0, 1, 2, 3], [2, 3, 4, -1]]
    np.testing.assert_allclose(
        model.identity_basis[0], np.broadcast_to((0.005, 0, 0), (KEPT_VERTEX_COUNT, 3)), atol=1e-7
    )
    opened = evaluate(model, expression=[1, 0, 0]) - model.vertices
    np.testing.assert_allclose(opened, np.broadcast_to((0, -0.02, 0), opened.shape), atol=1e-7)
    np.testing.assert_allclose(model.eye_centers, [(0.031, 0.036, 0.08), (-0.031, 0.036, 0.08)], atol=1e-4)
    np.testing.assert_allclose(model.eye_radii, 0.015, atol=1e-4)
    np.testing.assert_array_equal(landmarks_68(model, model.vertices), model.vertices[:68])


def test_the_folder_is_found_from_the_checkouts_root(partial):
    assert import_ict(partial.parent, allow_partial=True).identity_count == 1


def test_missing_files_are_named(partial):
    with pytest.raises(DataError, match=r"99 of 103 model files are missing, first identity001\.obj"):
        import_ict(partial)


def test_a_cut_file_is_refused(partial, tmp_path):
    folder = link_copy(partial.parent, tmp_path / "FaceXModel")
    path = folder / "jawOpen.obj"
    content = path.read_text()
    path.unlink()
    path.write_text(content[: len(content) // 2].rsplit("\n", 1)[0] + "\n")
    with pytest.raises(DataError, match="vertices where the neutral mesh has"):
        import_ict(folder, allow_partial=True)


@pytest.mark.parametrize("broken", ["{", "[]", '{"expressions": 3}'])
def test_broken_indices_are_refused(partial, tmp_path, broken):
    folder = link_copy(partial.parent, tmp_path / "FaceXModel")
    (folder / "vertex_indices.json").unlink()
    (folder / "vertex_indices.json").write_text(broken)
    with pytest.raises(DataError, match="vertex_indices"):
        import_ict(folder)


def test_another_archive_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", neutral=np.zeros((3, 3)))
    with pytest.raises(DataError, match="missing faces"):
        import_ict(tmp_path / "other.npz")


def test_a_sphere_is_fitted_exactly():
    center, radius = fit_sphere(ball((1, 2, 3), 0.7, 50, np.random.default_rng(2)))
    np.testing.assert_allclose(center, (1, 2, 3))
    assert radius == pytest.approx(0.7)


def test_the_real_archive(test_data):
    model = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    assert (model.vertex_count, model.identity_count, model.expression_count) == (24591, 100, 53)
    assert {"mouthSmileLeft", "browInnerUpLeft", "cheekPuffRight"} <= set(model.expression_names)
    marks = landmarks_68(model, model.vertices)
    np.testing.assert_allclose(marks[list(mirrored_landmarks())] * (-1, 1, 1), marks, atol=1e-4)
    assert 0.06 < model.eye_centers[0, 0] - model.eye_centers[1, 0] < 0.065
    assert model.polygons.max() == model.vertex_count - 1
    assert 0.0 < model.reflectance_mean.min() < model.reflectance_mean.max() < 0.9


def test_the_real_checkout_equals_the_archive(test_data):
    archive = import_ict(test_data / "ict_facekit" / "ict_facekit.npz")
    folder = import_ict(test_data / "ict_facekit" / "FaceXModel", allow_partial=True)
    np.testing.assert_allclose(folder.vertices, archive.vertices, atol=1e-7)
    np.testing.assert_array_equal(folder.polygons, archive.polygons)
    assert folder.expression_names == ("eyeBlinkLeft", "jawOpen", "mouthSmileLeft", "mouthSmileRight")
    for index, name in enumerate(folder.expression_names):
        same = archive.expression_basis[archive.expression_names.index(name)]
        np.testing.assert_allclose(folder.expression_basis[index], same, atol=2e-5)
    np.testing.assert_allclose(folder.identity_basis, archive.identity_basis[:3], atol=2e-5)
