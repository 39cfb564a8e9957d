"""Channels of a performance as asked for and as the tracker finds them in pictures made of it.

The tracker's own errors on this person are taken out: got is the tracked take plus what the tracker finds different
between the made pictures and the plate's crops (`retracking`).
"""

from __future__ import annotations

import numpy as np

from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import Take
from dvp_core.evaluate.check_page import AskedAndGot, frames_of
from dvp_core.evaluate.motion_faults import Motion, eye_signals, jaw_opening
from dvp_core.evaluate.retracking import MadeFollowed, PlateFollowed
from dvp_core.maths.frames import relative_to_facing
from dvp_core.maths.rotations import (
    conjugate_quaternion,
    multiply_quaternions,
    normalized,
    yaw_pitch_roll_rad,
)

MOST_EXPRESSIONS = 8


def point_channels(motion: Motion) -> list[AskedAndGot]:
    """Return what the points tell: the jaw, the lids' difference, the irises."""
    names = {"blinks": "left eye wider than right, px", "looks": "irises across, px"}
    eyes = [
        AskedAndGot(names[name], signal(motion.asked), signal(motion.shown)) for name, signal in eye_signals().items()
    ]
    return [AskedAndGot("jaw, chin from nose, px", jaw_opening(motion.asked), jaw_opening(motion.shown)), *eyes]


def tracked_channels(
    tracked: Take, edited: Take, frames: FrameRange, plate: PlateFollowed, made: MadeFollowed
) -> list[AskedAndGot]:
    """Return head, gaze and the expressions that move most, asked for and got.

    Args:
        tracked: The take as tracked.
        edited: What was asked for.
        frames: The T consecutive frames that were tracked again.
        plate: The plate's crops, followed.
        made: The made pictures, followed.
    """
    own, asked = frames_of(tracked, frames), frames_of(edited, frames)
    before, after = plate.curves, made.curves
    turn = multiply_quaternions(
        conjugate_quaternion(normalized(before.rotation_wxyz.astype(np.float64))),
        normalized(after.rotation_wxyz.astype(np.float64)),
    )
    got_rotation = normalized(multiply_quaternions(normalized(own.head_rotation_wxyz.astype(np.float64)), turn))
    angles_asked, angles_got = (
        np.degrees(yaw_pitch_roll_rad(relative_to_facing(rotation)))
        for rotation in (asked.head_rotation_wxyz, got_rotation)
    )
    got_gaze = own.gaze_rad + after.gaze_rad - before.gaze_rad
    got_expression = own.expression + after.expression - before.expression
    lively = np.argsort(-asked.expression.std(axis=0), kind="stable")[:MOST_EXPRESSIONS]
    return [
        *(
            AskedAndGot(f"head {name}, degrees", angles_asked[:, axis], angles_got[:, axis])
            for axis, name in enumerate(("yaw", "pitch", "roll"))
        ),
        *(
            AskedAndGot(
                f"gaze {name}, degrees",
                np.degrees(asked.gaze_rad[..., axis].mean(axis=1)),
                np.degrees(got_gaze[..., axis].mean(axis=1)),
            )
            for axis, name in enumerate(("to the subject's left", "up"))
        ),
        *(
            AskedAndGot(
                f"{edited.expression_names[column]}, 0 to 1", asked.expression[:, column], got_expression[:, column]
            )
            for column in lively.tolist()
        ),
    ]
