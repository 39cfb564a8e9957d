"""The picture shows the truth: Cycles' outline of the head lies where the project's rasteriser puts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
# Blender keeps one scene for a whole process, so it gets a process of its own.
SCRIPT = """
import json
from dvp_core.face import built_in_face
from tools.built_in_actor.performance import built_in_performance
from tools.built_in_actor.scene import build_scene
from tools.built_in_actor.truth import actor_camera, actor_truth_of
from tools.built_in_actor.verification import silhouette_offset_px

model, camera = built_in_face(), actor_camera(128)
scene = build_scene(model, actor_truth_of(model, built_in_performance()), camera, sample_count=1)
print(json.dumps([silhouette_offset_px(scene, camera, frame) for frame in (70, 145)]))
"""


def test_rendered_and_rasterised_outlines_agree():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    offsets_px = np.array(json.loads(result.stdout.strip().splitlines()[-1]))
    assert np.abs(offsets_px).max() < 0.1
