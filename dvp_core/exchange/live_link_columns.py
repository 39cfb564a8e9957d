"""The columns of Live Link Face's CSV, in the app's order, which is not ARKit's alphabetical one."""

from __future__ import annotations

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_PAIRS_OF_MOUTH = ("Smile", "Frown", "Dimple", "Stretch")
_LAST_PAIRS_OF_MOUTH = ("Press", "LowerDown", "UpperUp")
_SIDES = ("Left", "Right")

SHAPES: tuple[str, ...] = (
    *(f"eye{what}{side}" for side in _SIDES for what in _EYE),
    *("jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"),
    *("mouthRight", "mouthLeft"),
    *(f"mouth{what}{side}" for what in _PAIRS_OF_MOUTH for side in _SIDES),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *(f"mouth{what}{side}" for what in _LAST_PAIRS_OF_MOUTH for side in _SIDES),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""ARKit's 52 shapes."""

ANGLES: tuple[str, ...] = tuple(
    f"{part}{turn}" for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll")
)
"""The nine columns after them."""

FLIP_OF_ANGLE: dict[str, str] = {
    name.lower(): ("head_" if name.startswith("Head") else "eye_") + turn.lower()
    for name in ANGLES
    for turn in ("Yaw", "Pitch", "Roll")
    if name.endswith(turn)
}
"""Which sign of `ReadingOptions.flips` turns which column, by the column's name in small letters."""
