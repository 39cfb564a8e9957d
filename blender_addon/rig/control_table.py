# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control moves which ARKit shape, and how far: the one table behind the bones an animator poses.

Only the subject's left side and the middle are written down; the right side is their mirror image, so that a mirrored
paste cannot disagree with the rig. Axes are head space's (x to the subject's left, y up, z out of the face), which are
also the control bones' own. Nothing here knows Blender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dvp_core.face.expression_names import SPLIT_NAMES, mirrored_name

Axis = Literal["x", "y", "z", "turn_x"]  # the first three in metres, the last in radians (opens a jaw where positive)
Widget = Literal[
    "dot", "cross", "bar", "arc", "cup", "mouth", "head", "neck", "aim", "slider", "square"
]  # outlines, see `widgets`

LEFT, RIGHT = ".L", ".R"
BOARD = "board"


@dataclass(frozen=True)
class Pull:
    """One shape on one axis of a control.

    Attributes:
        shape: ARKit's name.
        axis: Of the control.
        reach: Where on the axis the shape has risen by 1; negative where it rises in the other direction. On the far
            side of rest the shape falls, as far as it had risen otherwise.
    """

    shape: str
    axis: Axis
    reach: float


@dataclass(frozen=True)
class Control:
    """One bone.

    Attributes:
        name: Of the bone; `.L` is the subject's left.
        place: Where it rests, a name known to `places.control_places`.
        widget: How it is drawn.
        pulls: What it moves.
        offset_m: From its place, in head axes.
    """

    name: str
    place: str
    widget: Widget
    pulls: tuple[Pull, ...]
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.012)


@dataclass(frozen=True)
class Follow:
    """One shape of lids that follow an eye which the aim has turned.

    Attributes:
        shape: ARKit's name.
        side: Of the eye: 0 left, 1 right.
        axis: Of the eye bone's Euler angles: 0 up, 2 to the subject's left.
        reach_rad: The turn away from the tracked gaze at which the shape has risen by 1; negative where it rises in
            the other direction.
    """

    shape: str
    side: int
    axis: int
    reach_rad: float


_BOARD_REACH_M = 0.02
_FOLLOW_RAD = 0.5
_PITCH, _YAW = 0, 2  # Euler axes of an eye bone

_LEFT_FOLLOWS = (
    Follow("eyeLookUpLeft", 0, _PITCH, _FOLLOW_RAD),
    Follow("eyeLookDownLeft", 0, _PITCH, -_FOLLOW_RAD),
    Follow("eyeLookOutLeft", 0, _YAW, _FOLLOW_RAD),
    Follow("eyeLookInLeft", 0, _YAW, -_FOLLOW_RAD),
)

_LEFT_CONTROLS = (
    Control("brow.L", "brow", "bar", (Pull("browOuterUpLeft", "y", 0.015), Pull("browDownLeft", "y", -0.012))),
    Control("brow.inner.L", "brow_inner", "dot", (Pull("browInnerUpLeft", "y", 0.015),)),
    Control("lid.L", "lid_upper", "arc", (Pull("eyeBlinkLeft", "y", -0.011), Pull("eyeWideLeft", "y", 0.006))),
    Control("lid.lower.L", "lid_lower", "cup", (Pull("eyeSquintLeft", "y", 0.006),)),
    Control(
        "lid.follow.L",
        "eye_outer",
        "cross",
        (
            Pull("eyeLookUpLeft", "y", 0.01),
            Pull("eyeLookDownLeft", "y", -0.01),
            Pull("eyeLookOutLeft", "x", 0.01),
            Pull("eyeLookInLeft", "x", -0.01),
        ),
        offset_m=(0.016, 0.0, 0.012),
    ),
    Control("cheek.L", "cheek", "dot", (Pull("cheekSquintLeft", "y", 0.012), Pull("cheekPuffLeft", "z", 0.015))),
    Control("nose.L", "nose_wing", "dot", (Pull("noseSneerLeft", "y", 0.01),)),
    Control(
        "mouth.corner.L",
        "mouth_corner",
        "cross",
        (
            Pull("mouthSmileLeft", "y", 0.02),
            Pull("mouthFrownLeft", "y", -0.015),
            Pull("mouthStretchLeft", "x", 0.015),
            Pull("mouthDimpleLeft", "z", -0.01),
        ),
    ),
    Control("lip.upper.L", "lip_upper_side", "dot", (Pull("mouthUpperUpLeft", "y", 0.01),)),
    Control("lip.lower.L", "lip_lower_side", "dot", (Pull("mouthLowerDownLeft", "y", -0.01),)),
    Control("board.mouthPress.L", BOARD, "slider", (Pull("mouthPressLeft", "y", _BOARD_REACH_M),)),
)

_MIDDLE_CONTROLS = (
    Control("brow.inner", "brow_middle", "bar", (Pull("browInnerUp", "y", 0.015),)),
    Control(
        "jaw",
        "jaw_hinge",
        "cup",
        (
            Pull("jawOpen", "turn_x", 0.35),
            Pull("jawLeft", "x", 0.01),
            Pull("jawRight", "x", -0.01),
            Pull("jawForward", "z", 0.01),
        ),
        offset_m=(0.0, 0.0, 0.0),
    ),
    Control(
        "mouth",
        "mouth_middle",
        "mouth",
        (Pull("mouthLeft", "x", 0.015), Pull("mouthRight", "x", -0.015), Pull("mouthPucker", "z", 0.015)),
        offset_m=(0.0, 0.0, 0.02),
    ),
    Control("lip.upper", "lip_upper", "bar", (Pull("mouthShrugUpper", "y", 0.01),)),
    Control("lip.lower", "lip_lower", "bar", (Pull("mouthShrugLower", "y", 0.01),)),
    *(
        Control(f"board.{shape}", BOARD, "slider", (Pull(shape, "y", _BOARD_REACH_M),))
        for shape in ("mouthClose", "mouthFunnel", "mouthRollUpper", "mouthRollLower", "cheekPuff", "tongueOut")
    ),
)


def all_controls() -> tuple[Control, ...]:
    """Return every control: the middle ones, the left ones, and their mirror images."""
    return (*_MIDDLE_CONTROLS, *_LEFT_CONTROLS, *(_mirrored(control) for control in _LEFT_CONTROLS))


def controls_for(shapes: Sequence[str]) -> tuple[Control, ...]:
    """Return the controls of a face that has these shapes, without pulls it cannot follow.

    A shape of ARKit that the face has in two halves is pulled in both of them.
    """
    known = set(shapes)
    fitted = (replace(control, pulls=_pulls_for(control, known)) for control in all_controls())
    return tuple(control for control in fitted if control.pulls)


def follows_of(shape: str) -> tuple[Follow, ...]:
    """Return by what eye a shape is moved while the aim turns that eye; empty for shapes that are no lids'."""
    right = (
        replace(
            follow,
            shape=mirrored_name(follow.shape),
            side=1,
            reach_rad=-follow.reach_rad if follow.axis == _YAW else follow.reach_rad,
        )
        for follow in _LEFT_FOLLOWS
    )
    return tuple(follow for follow in (*_LEFT_FOLLOWS, *right) if follow.shape == shape)


def _pulls_for(control: Control, known: set[str]) -> tuple[Pull, ...]:
    pulls: list[Pull] = []
    for pull in control.pulls:
        targets = (pull.shape,) if pull.shape in known else SPLIT_NAMES.get(pull.shape, ())
        pulls += [replace(pull, shape=shape) for shape in targets if shape in known]
    return tuple(pulls)


def other_side(name: str) -> str:
    """Return the name of a bone's mirror image; the name itself for bones of the middle."""
    if name.endswith(LEFT):
        return name.removesuffix(LEFT) + RIGHT
    if name.endswith(RIGHT):
        return name.removesuffix(RIGHT) + LEFT
    return name


def _mirrored(control: Control) -> Control:
    x, y, z = control.offset_m
    return replace(
        control,
        name=other_side(control.name),
        offset_m=(-x, y, z),
        pulls=tuple(
            Pull(mirrored_name(pull.shape), pull.axis, -pull.reach if pull.axis == "x" else pull.reach)
            for pull in control.pulls
        ),
    )


def shape_home(shape: str) -> tuple[str, str]:
    """Return the bone and the name of the custom property that is a shape's own slider.

    Shapes of a side have the same property on `shapes.L` and `shapes.R`, which is what lets a mirrored paste swap them.
    """
    for side, bone in (("Left", "shapes.L"), ("Right", "shapes.R")):
        if shape.endswith(side):
            return bone, shape.removesuffix(side)
    return "shapes", shape


SHAPE_BONES = ("shapes", "shapes.L", "shapes.R")
