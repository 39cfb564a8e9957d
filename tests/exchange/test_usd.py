"""USD files are written and looked at in processes of their own: usd-core and Blender must not meet in one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.exchange import write_usd
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA

HERE = Path(__file__).parent
needs_usd = pytest.mark.skipif(find_spec("pxr") is None, reason="the extra usd (usd-core) is not installed")


def run_alone(*words):
    command = [sys.executable, *map(str, words)]
    own = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def written_and_seen(folder, take, frames, suffix=".usdc"):
    """What usd-core shows of a take that was written: facts and arrays."""
    write_take(folder / "a.take", take)
    run_alone("-m", "dvp_core", "export", folder / "a.take", "-o", folder / f"a{suffix}")
    run_alone(HERE / "look_with_usd.py", folder / f"a{suffix}", ",".join(map(str, frames)), folder / "seen.npz")
    with np.load(folder / "seen.npz") as arrays:
        return json.loads(str(arrays["facts"])), {name: arrays[name] for name in arrays.files if name != "facts"}


@pytest.fixture
def take(make_take):
    """A take whose expressions also shift the eyeballs, before a camera that is off the middle."""
    plain = make_take(("jawOpen", "mouthSmileLeft", "brow inner-up"), frame_count=5, fps=Fraction(30000, 1001))
    basis = plain.face.expression_basis.copy()
    for start, stop in plain.face.eye_ranges:
        basis[:, start:stop] = np.random.default_rng(4).normal(0, 0.002, (3, 1, 3)).astype(np.float16)
    basis[1, :40] = 0
    face = replace(plain.face, expression_basis=basis)
    return replace(plain, face=face, camera=Camera(160.0, (51.0, 30.0), 96, 64))


@needs_usd
@pytest.mark.parametrize("suffix", [".usdc", ".usda"])
def test_skinned_by_usd_it_is_the_take(tmp_path, take, suffix):
    facts, arrays = written_and_seen(tmp_path, take, take.frames, suffix)
    for index, frame in enumerate(take.frames):
        expected = pose_vertices(take, index) @ OPENGL_CAMERA_FROM_CAMERA.T
        np.testing.assert_allclose(arrays[f"points.{frame}"], expected, atol=2e-6)
    assert facts["errors"] == []
    assert facts["format"] == suffix[1:]
    assert facts["shapes"] == list(take.expression_names)


@needs_usd
def test_the_stage_says_what_the_take_says(tmp_path, take):
    facts, arrays = written_and_seen(tmp_path, take, [101])
    assert (facts["start"], facts["end"], facts["up"], facts["meters"]) == (101, 105, "Y", 1)
    assert facts["rate"] == pytest.approx(30000 / 1001)
    assert facts["times"] == [101, 102, 103, 104, 105]
    assert facts["data"] == {"clip": "tiny.mp4", "fps": "30000/1001", "subject": "tiny"}
    np.testing.assert_allclose(facts["frustum"], [-51 / 160, -34 / 160, 45 / 160, 30 / 160], atol=1e-6)
    polygons = take.face.polygons
    np.testing.assert_array_equal(arrays["indices"], polygons[polygons >= 0])
    np.testing.assert_array_equal(arrays["counts"], (polygons >= 0).sum(axis=1))
    np.testing.assert_array_equal(arrays["uv"], take.face.uv[take.face.polygon_uv[polygons >= 0]])
    np.testing.assert_array_equal(arrays["colors"], take.reflectance)
    np.testing.assert_allclose(np.linalg.norm(arrays["normals"], axis=1), 1, atol=1e-5)


def test_beside_blender_it_is_refused(tmp_path, take, monkeypatch):
    monkeypatch.setitem(sys.modules, "bpy", ModuleType("bpy"))
    with pytest.raises(DataError, match="outside Blender"):
        write_usd(tmp_path / "a.usdc", take)


def test_without_usd_core_it_says_what_to_install(tmp_path, take, monkeypatch):
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    monkeypatch.setitem(sys.modules, "pxr", None)
    (tmp_path / "a.usdc").write_bytes(b"precious")
    with pytest.raises(DataError, match=r"deep-video-portraits\[usd\]"):
        write_usd(tmp_path / "a.usdc", take)
    assert (tmp_path / "a.usdc").read_bytes() == b"precious"
    with pytest.raises(DataError, match="no face"):
        write_usd(tmp_path / "a.usdc", replace(take, face=None))
