"""A take with the ARKit names an importer meets, everything moving."""

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.clip import Clip
from dvp_core.data.take import with_compact_face
from dvp_core.face.expression_names import ARKIT_52, SPLIT_NAMES
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import (
    multiply_quaternions,
    normalized,
    quaternion_wxyz_from_rotation_vector,
    unwrapped_quaternions,
)

sys.path.insert(0, str(Path(__file__).parent))  # for the readers beside the tests

SPLIT_53 = tuple(
    half for name in ARKIT_52 if name != "tongueOut" for half in SPLIT_NAMES.get(name, (name,))
)  # as ICT-FaceKit has them


def _take_with(tiny_take, names, *, frame_count=48, fps=Fraction(24), seed=5):
    random = np.random.default_rng(seed)
    face = tiny_take.face
    basis = random.normal(size=(len(names), face.vertex_count, 3)) * 0.002
    for start, stop in face.eye_ranges:
        basis[:, start:stop] = 0
    face = with_compact_face(replace(face, expression_basis=basis.astype(np.float32), expression_names=tuple(names)))
    turns = np.cumsum(random.normal(0, 0.03, (frame_count, 3)), axis=0)
    rotation = multiply_quaternions(facing_camera_rotation_wxyz(), quaternion_wxyz_from_rotation_vector(turns))
    place = np.array([0.01, -0.02, 0.6]) + np.cumsum(random.normal(0, 0.001, (frame_count, 3)), axis=0)
    return replace(
        tiny_take,
        clip=Clip("tiny.mp4", "0" * 64, 96, 64, fps, 101, frame_count),
        face=face,
        expression_names=tuple(names),
        head_rotation_wxyz=unwrapped_quaternions(normalized(rotation)).astype(np.float32),
        head_translation_m=place.astype(np.float32),
        expression=random.uniform(0, 1, (frame_count, len(names))).astype(np.float32),
        gaze_rad=random.normal(0, 0.1, (frame_count, 2, 2)).astype(np.float32),
        illumination_sh=np.repeat(tiny_take.illumination_sh[:1], frame_count, axis=0),
        is_tracked=np.ones(frame_count, bool),
        landmark_error_px=np.full(frame_count, 0.5, np.float32),
        photometric_error=np.full(frame_count, 0.02, np.float32),
    )


@pytest.fixture
def make_take(tiny_take):
    """A builder: `make_take(names, frame_count=, fps=, seed=)`."""
    return lambda names=ARKIT_52, **options: _take_with(tiny_take, names, **options)


@pytest.fixture
def split_names():
    return SPLIT_53
