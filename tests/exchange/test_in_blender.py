"""Files that go out are opened by Blender, in a process of its own: bpy and usd-core must not meet in one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.data.take import Take, with_compact_face, write_take
from dvp_core.exchange import write_glb
from dvp_core.exchange.head_parts import head_parts
from dvp_core.face import built_in_face
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA, BLENDER_WORLD_FROM_OPENGL_CAMERA

needs_blender = pytest.mark.skipif(find_spec("bpy") is None, reason="Blender as a module (pip's bpy) is not installed")
SCRIPT = Path(__file__).parent / "look_in_blender.py"


@pytest.fixture
def take(make_take) -> Take:
    """The built-in head as somebody, performing with every expression, before a camera that is off the middle."""
    model = built_in_face()
    plain = make_take(model.expression_names, frame_count=4)
    identity = np.random.default_rng(2).normal(size=model.identity_count).astype(np.float32)
    face = with_compact_face(model.baked(identity))
    camera = Camera(160.0, (51.0, 30.0), 96, 64)
    return replace(
        plain, face=face, identity=identity, reflectance=model.reflectance_mean, camera=camera, face_model_id=model.id
    )


def looked_at(path, frames, folder):
    """What Blender shows on some of its frames: facts, and vertices by object and place in `frames`."""
    output = folder / "seen.npz"
    command = [sys.executable, str(SCRIPT), str(path), "24", ",".join(map(str, frames)), str(output)]
    own = os.environ | {"BLENDER_USER_RESOURCES": str(folder / "user")}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    with np.load(output) as arrays:
        return json.loads(str(arrays["facts"])), {name: arrays[name] for name in arrays.files if name != "facts"}


@needs_blender
def test_a_glb_is_the_take_in_blender(tmp_path, take):
    write_glb(tmp_path / "a.glb", take)
    facts, vertices = looked_at(tmp_path / "a.glb", [0, 1, 3], tmp_path)
    for place, index in enumerate((0, 1, 3)):
        expected = pose_vertices(take, index) @ BLENDER_WORLD_FROM_CAMERA.T
        for part in head_parts(take.face):
            np.testing.assert_allclose(vertices[f"{part.name}.{place}"], expected[part.source], atol=1e-5)
    assert facts["meshes"]["face"]["keys"] == ["Basis", *take.expression_names]
    assert facts["meshes"]["face"]["uvs"] == 1
    assert facts["meshes"]["face"]["colors"]
    camera = facts["cameras"]["camera"]
    expected_matrix = np.eye(4)
    expected_matrix[:3, :3] = BLENDER_WORLD_FROM_OPENGL_CAMERA
    np.testing.assert_allclose(camera["matrix"], expected_matrix, atol=1e-6)
    assert np.tan(camera["angle_y"] / 2) == pytest.approx(32 / 160, rel=1e-5)


@needs_blender
@pytest.mark.skipif(find_spec("pxr") is None, reason="the extra usd (usd-core) is not installed")
def test_a_usd_stage_is_the_take_in_blender(tmp_path, take):
    write_take(tmp_path / "a.take", take)
    words = ["-m", "dvp_core", "export", str(tmp_path / "a.take"), "-o", str(tmp_path / "a.usdc")]
    own = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, *words], check=True, env=own)
    facts, vertices = looked_at(tmp_path / "a.usdc", [101, 104], tmp_path)
    for place, index in enumerate((0, 3)):
        expected = pose_vertices(take, index) @ BLENDER_WORLD_FROM_CAMERA.T
        np.testing.assert_allclose(vertices[f"face.{place}"], expected, atol=1e-5)
    assert sorted(facts["meshes"]["face"]["keys"]) == sorted(["Basis", *take.expression_names])
    camera = facts["cameras"]["camera"]
    assert camera["lens"] == pytest.approx(36 * 160 / 96, rel=1e-5)
    np.testing.assert_allclose(camera["shift"], [-3 / 96, -2 / 96], atol=1e-6)
