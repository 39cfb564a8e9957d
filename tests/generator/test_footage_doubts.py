from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from disc_scene import make_take

from dvp_core.generator import TrainOptions, footage_doubts
from dvp_core.maths.frames import facing_camera_rotation_wxyz
from dvp_core.maths.rotations import multiply_quaternions, quaternion_wxyz_from_rotation_vector

COUNT = 900
PHASE = np.linspace(0, 12 * np.pi, COUNT)
NAMES = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", *(f"mode_{number}" for number in range(7)))


def lively(*, turn_deg=20.0, nod_deg=10.0, gaze_deg=10.0, jaw=0.7, blink=0.9, others=0.5):
    """Thirty-six seconds in which everything moves that far to both sides of rest, or up from it."""
    up = (1 + np.sin(PHASE)) / 2
    degrees = np.stack([nod_deg * np.cos(PHASE), turn_deg * np.sin(PHASE), 0 * PHASE], axis=1)
    turned = quaternion_wxyz_from_rotation_vector(np.radians(degrees))
    expression = np.stack([jaw * up, blink * up, blink * up, *(others * up for _ in range(7))], axis=1)
    gaze = np.zeros((COUNT, 2, 2))
    gaze[..., 0] = np.radians(gaze_deg) * np.sin(PHASE)[:, None]
    zeros = np.zeros(COUNT)
    return make_take(
        clip=replace(make_take().clip, frame_count=COUNT, fps=Fraction(25)),
        expression_names=NAMES,
        expression=expression.astype(np.float32),
        head_rotation_wxyz=multiply_quaternions(facing_camera_rotation_wxyz(), turned).astype(np.float32),
        head_translation_m=np.zeros((COUNT, 3), dtype=np.float32),
        gaze_rad=gaze.astype(np.float32),
        illumination_sh=np.zeros((COUNT, 9, 3), dtype=np.float32),
        is_tracked=np.ones(COUNT, dtype=bool),
        landmark_error_px=zeros.astype(np.float32),
        photometric_error=zeros.astype(np.float32),
    )


def test_lively_footage_raises_no_doubt():
    assert footage_doubts([lively()], TrainOptions()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"turn_deg": 2.0}, "turns from side to side by only 4.0 degrees"),
        ({"nod_deg": 1.0}, "nods by only 2.0 degrees"),
        ({"gaze_deg": 1.0}, "look from side to side by only 2.0 degrees"),
        ({"jaw": 0.1}, "hardly opens (jawOpen moves by 0.10)"),
        ({"blink": 0.2}, "hardly ever close (eyeBlink moves by 0.20)"),
        ({"others": 0.0}, "only 3 of 10 expressions move"),
    ],
)
def test_what_hardly_moves_is_told_alone(change, said):
    (told,) = footage_doubts([lively(**change)], TrainOptions())
    assert said in told


def test_a_slip_of_the_tracker_is_no_motion():
    still = lively(jaw=0.0)
    still.expression[100:104, 0] = 1.0
    assert "hardly opens" in footage_doubts([still], TrainOptions())[0]


def test_a_second_take_can_show_what_the_first_lacks():
    assert footage_doubts([lively(jaw=0.0), lively()], TrainOptions()) == []


def test_what_is_held_out_does_not_count():
    take = lively()
    take.expression[: COUNT * 2 // 3, 0] = 0.0
    assert footage_doubts([take], TrainOptions()) == []
    assert "hardly opens" in footage_doubts([take], TrainOptions(hold_out="last-third"))[0]


def test_little_footage_is_told_in_seconds():
    take = lively()
    take.is_tracked[300:] = False
    assert footage_doubts([take], TrainOptions())[0].startswith("there are only 300 frames (12 s)")
