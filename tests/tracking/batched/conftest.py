"""Three frames of the tiny face, for the reference and for the batched twin."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dvp_core.data.camera import Camera
from dvp_core.maths.frames import OPENGL_CAMERA_FROM_CAMERA
from dvp_core.maths.rotations import matrix_from_rotation_vector
from dvp_core.tracking.batched.states import FrameStates
from dvp_core.tracking.states import FrameState

DEVICE, DTYPE = torch.device("cpu"), torch.float64


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(values, dtype=DTYPE, device=DEVICE)


def states_of(frames: list[FrameState]) -> FrameStates:
    return FrameStates(
        tensor(np.stack([frame.rotation for frame in frames])),
        tensor(np.stack([frame.translation_m for frame in frames])),
        tensor(np.stack([frame.expression for frame in frames])),
    )


@dataclass(frozen=True)
class Frames:
    camera: Camera
    frames: list[FrameState]
    before: list[FrameState]

    @property
    def states(self) -> FrameStates:
        return states_of(self.frames)


@pytest.fixture(scope="package")
def tiny_frames() -> Frames:
    random = np.random.default_rng(3)

    def frame() -> FrameState:
        turn = matrix_from_rotation_vector(random.normal(size=3) * 0.3)
        place = np.array([0.0, 0.0, 0.6]) + random.normal(size=3) * 0.03
        return FrameState(OPENGL_CAMERA_FROM_CAMERA @ turn, place, random.uniform(0, 1, 2))

    frames = [frame() for _ in range(3)]
    return Frames(Camera.centered(150.0, 96, 64), frames, [frame() for _ in frames])
