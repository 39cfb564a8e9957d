import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from glb_reader import Glb

from dvp_core.data.errors import DataError
from dvp_core.exchange import write_glb
from dvp_core.exchange.head_parts import head_parts
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import matrix_from_quaternion_wxyz


def with_moving_eyes(take):
    """The take with expressions that also shift and dent the eyeballs, and a seam in the texture."""
    random = np.random.default_rng(4)
    face = take.face
    basis = face.expression_basis.copy()
    for start, stop in face.eye_ranges:
        basis[:, start:stop] = 0.002 * random.normal(size=(len(basis), 1, 3)) + 0.0005 * random.normal(
            size=(len(basis), stop - start, 3)
        )
    polygon_uv = face.polygon_uv.copy()
    polygon_uv[0, 0] = 5
    face = replace(face, expression_basis=basis.astype(np.float32), polygon_uv=polygon_uv)
    return replace(take, face=face)


@pytest.fixture(params=["still eyes", "moving eyes"])
def take(request, make_take):
    plain = make_take(("jawOpen", "mouthSmileLeft", "browInnerUp"), frame_count=5)
    return plain if request.param == "still eyes" else with_moving_eyes(plain)


def matrix_of(rotation_xyzw, translation):
    matrix = np.eye(4)
    matrix[:3, :3] = matrix_from_quaternion_wxyz(np.roll(rotation_xyzw, 1))
    matrix[:3, 3] = translation
    return matrix


def posed(glb, name, index):
    """Vertices (N, 3) of a part in the scene on one frame, by the rules of glTF."""
    mesh, node = glb.mesh(name), glb.node(name)
    primitive = mesh["primitives"][0]
    vertices = glb.array(primitive["attributes"]["POSITION"]).astype(np.float64)
    targets = primitive.get("targets", [])
    if targets:
        weights = glb.curve(name, "weights")[1].reshape(-1, len(targets))[index]
        vertices = vertices + sum(
            weight * glb.array(target["POSITION"]) for weight, target in zip(weights, targets, strict=True)
        )
    head = matrix_of(glb.curve("head", "rotation")[1][index], glb.curve("head", "translation")[1][index])
    try:
        place = glb.curve(name, "translation")[1][index]
    except StopIteration:
        place = node.get("translation", (0, 0, 0))
    turn = (0, 0, 0, 1) if name == "face" else glb.curve(name, "rotation")[1][index]
    matrix = head @ matrix_of(turn, place)
    return vertices @ matrix[:3, :3].T + matrix[:3, 3]


def test_posed_by_the_rules_of_gltf_it_is_the_take(tmp_path, take):
    write_glb(tmp_path / "a.glb", take)
    glb = Glb(tmp_path / "a.glb")
    parts = head_parts(take.face)
    assert [part.name for part in parts] == ["face", "eye_left", "eye_right"]
    seen = set()
    for index in range(take.frame_count):
        expected = pose_vertices(take, index) @ OPENGL_CAMERA_FROM_CAMERA.T
        for part in parts:
            np.testing.assert_allclose(posed(glb, part.name, index), expected[part.source], atol=2e-6)
            seen |= set(part.source.tolist())
    assert len(seen) == take.face.vertex_count


def test_every_number_is_in_its_place(tmp_path, take):
    write_glb(tmp_path / "a.glb", take)
    glb = Glb(tmp_path / "a.glb")
    for number in range(len(glb.document["accessors"])):
        assert np.isfinite(glb.array(number)).all()
    face = glb.mesh("face")
    primitive = face["primitives"][0]
    assert face["extras"]["targetNames"] == list(take.expression_names)
    assert len(primitive["targets"]) == len(face["weights"]) == 3
    for number in (primitive["attributes"]["POSITION"], *(target["POSITION"] for target in primitive["targets"])):
        assert {"min", "max"} <= set(glb.document["accessors"][number])
    source = head_parts(take.face)[0].source
    triangles = source[glb.array(primitive["indices"]).reshape(-1, 3)]
    is_skin = (take.face.triangles < take.face.eye_ranges[0, 0]).all(axis=1)
    np.testing.assert_array_equal(triangles, take.face.triangles[is_skin])
    np.testing.assert_array_equal(glb.array(primitive["attributes"]["COLOR_0"]), take.reflectance[source])
    np.testing.assert_allclose(np.linalg.norm(glb.array(primitive["attributes"]["NORMAL"]), axis=1), 1, atol=1e-5)
    pairs = {
        (vertex, tuple(uv)) for vertex, uv in zip(source, glb.array(primitive["attributes"]["TEXCOORD_0"]), strict=True)
    }
    corners = zip(take.face.polygons[:64].ravel(), take.face.polygon_uv[:64].ravel(), strict=True)
    assert pairs == {(vertex, (take.face.uv[uv, 0], np.float32(1) - take.face.uv[uv, 1])) for vertex, uv in corners}


def test_times_are_the_plates(tmp_path, make_take):
    take = make_take(("jawOpen",), frame_count=7, fps=Fraction(30000, 1001))
    write_glb(tmp_path / "a.glb", take)
    glb = Glb(tmp_path / "a.glb")
    times, values = glb.curve("face", "weights")
    np.testing.assert_allclose(times, np.arange(7) * 1001 / 30000, rtol=1e-6)
    np.testing.assert_array_equal(values[:, 0], take.expression[:, 0])
    facts = glb.document["scenes"][0]["extras"]
    assert (facts["fps"], facts["start_frame"], facts["frame_count"]) == ("30000/1001", 101, 7)


def test_the_camera_sees_as_the_plates_did(tmp_path, make_take):
    take = make_take(("jawOpen",), frame_count=2)
    write_glb(tmp_path / "a.glb", take)
    camera = Glb(tmp_path / "a.glb").document["cameras"][0]["perspective"]
    assert math.tan(camera["yfov"] / 2) * take.camera.focal_px == pytest.approx(take.camera.height_px / 2)
    assert camera["aspectRatio"] == pytest.approx(take.camera.width_px / take.camera.height_px)


def test_offsets_are_stored_as_small_as_they_can_be(tmp_path, make_take):
    take = make_take(("jawOpen", "mouthSmileLeft", "browInnerUp"), frame_count=2)
    basis = take.face.expression_basis.copy()
    basis[0, 7:] = 0
    basis[1] = 0
    take = replace(take, face=replace(take.face, expression_basis=basis))
    write_glb(tmp_path / "a.glb", take)
    glb = Glb(tmp_path / "a.glb")
    targets = glb.mesh("face")["primitives"][0]["targets"]
    few, none, all_of_them = (glb.document["accessors"][target["POSITION"]] for target in targets)
    assert few["sparse"]["count"] == 7
    assert not {"sparse", "bufferView"} & set(none)
    assert "bufferView" in all_of_them
    source = head_parts(take.face)[0].source
    np.testing.assert_array_equal(glb.array(targets[0]["POSITION"]), basis[0, source])


def test_a_take_without_its_face_is_refused_and_the_file_kept(tmp_path, make_take):
    (tmp_path / "a.glb").write_bytes(b"precious")
    with pytest.raises(DataError, match="no face"):
        write_glb(tmp_path / "a.glb", replace(make_take(frame_count=2), face=None))
    assert (tmp_path / "a.glb").read_bytes() == b"precious"
