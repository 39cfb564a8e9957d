"""The 52 ARKit expressions of the built-in face, each a sum of a few muscle fields.

Shapes of one side are drawn on the subject's left and mirrored. What each should look like stands in `MEANINGS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dvp_core.face.built_in.muscles import (
    JAW_OPEN_DEG,
    Muscles,
    close_lips,
    gather_lips,
    push,
    roll_lip,
    swing_jaw,
    turn_lids,
)
from dvp_core.face.expression_names import ARKIT_52

Field = Callable[[Muscles], np.ndarray]

MEANINGS: dict[str, str] = {
    "browDown": "brow lowered and drawn in",
    "browInnerUp": "inner ends of both brows raised",
    "browOuterUp": "outer end of the brow raised",
    "cheekPuff": "both cheeks blown up",
    "cheekSquint": "cheek raised toward the eye",
    "eyeBlink": "eye closed",
    "eyeLookDown": "lids follow a look down",
    "eyeLookIn": "lids follow a look toward the nose",
    "eyeLookOut": "lids follow a look outward",
    "eyeLookUp": "lids follow a look up",
    "eyeSquint": "eye narrowed, lower lid tight",
    "eyeWide": "eye opened wide",
    "jawForward": "jaw thrust forward",
    "jawLeft": "jaw moved to the subject's left",
    "jawRight": "jaw moved to the subject's right",
    "jawOpen": "jaw dropped, mouth open",
    "mouthClose": "lips kept shut over an open jaw",
    "mouthDimple": "corner of the mouth drawn back",
    "mouthFrown": "corner of the mouth pulled down",
    "mouthFunnel": "lips pushed out and open",
    "mouthLeft": "whole mouth to the subject's left",
    "mouthRight": "whole mouth to the subject's right",
    "mouthLowerDown": "lower lip pulled down on one side",
    "mouthPress": "lips pressed together on one side",
    "mouthPucker": "lips gathered to a kiss",
    "mouthRollLower": "lower lip rolled in",
    "mouthRollUpper": "upper lip rolled in",
    "mouthShrugLower": "lower lip and chin pushed up",
    "mouthShrugUpper": "upper lip pushed up and out",
    "mouthSmile": "corner of the mouth up and out",
    "mouthStretch": "corner of the mouth drawn aside",
    "mouthUpperUp": "upper lip raised on one side",
    "noseSneer": "wing of the nose and lip raised",
    "tongueOut": "tongue put out",
}


def meaning(name: str) -> str:
    """One line that says what the named expression should look like."""
    stem = name if name in MEANINGS else name.removesuffix("Left").removesuffix("Right")
    return MEANINGS[stem]


def expression_fields(muscles: Muscles) -> np.ndarray:
    """The basis (52, V, 3) in mm, in the order of `ARKIT_52`."""
    middle = {name: field(muscles) for name, field in _MIDDLE.items()}
    sided: dict[str, np.ndarray] = {}
    for stem, field in _SIDED.items():
        left = field(muscles) * muscles.left[:, None]
        sided[f"{stem}Left"] = left
        sided[f"{stem}Right"] = _mirrored(left, muscles)
    for stem, field in (("jaw", _jaw_left), ("mouth", _mouth_left)):
        left = field(muscles)
        sided[f"{stem}Left"], sided[f"{stem}Right"] = left, _mirrored(left, muscles)
    fields = middle | sided
    return np.stack([fields[name] for name in ARKIT_52])


def _mirrored(field: np.ndarray, muscles: Muscles) -> np.ndarray:
    return field[muscles.head.mirror] * (-1, 1, 1)


def _both(field: np.ndarray, muscles: Muscles) -> np.ndarray:
    """A field of the left side laid on both sides, shared out smoothly at the middle."""
    left = field * muscles.left[:, None]
    return left + _mirrored(left, muscles)


def _jaw_left(muscles: Muscles) -> np.ndarray:
    return swing_jaw(muscles, aside_deg=5.5)


def _mouth_left(muscles: Muscles) -> np.ndarray:
    shift = push(muscles, (3, -34, 106), (9.0, 0.8, 0.0), (30, 20, 34))
    return shift + push(muscles, (28, -34, 98), (2.0, 1.5, -4.5), (16, 14, 20))


def _brow_down(m: Muscles) -> np.ndarray:
    return push(m, (16, 54, 108), (-3.0, -6.5, 1.0), (17, 13, 30)) + push(
        m, (36, 56, 100), (-1.5, -4.0, 0), (18, 12, 30)
    )


def _brow_inner_up(m: Muscles) -> np.ndarray:
    return _both(push(m, (11, 58, 109), (1.0, 8.5, 0.8), (17, 16, 30)), m)


def _brow_outer_up(m: Muscles) -> np.ndarray:
    return push(m, (40, 58, 97), (1.0, 8.0, -0.8), (20, 16, 30))


def _cheek_puff(m: Muscles) -> np.ndarray:
    cheek = push(m, (44, -30, 84), (8.5, 0, 6.0), (24, 21, 30))
    lips = push(m, (10, -22, 109), (0.5, 0.8, 2.5), (18, 9, 20)) + push(
        m, (10, -47, 105), (0.5, -0.8, 2.0), (18, 9, 20)
    )
    return _both(cheek + lips, m)


def _cheek_squint(m: Muscles) -> np.ndarray:
    raised = push(m, (38, 12, 90), (0.5, 6.0, 2.2), (19, 14, 25))
    return raised + turn_lids(m, upper=0.0, lower=0.22)


def _eye_blink(m: Muscles) -> np.ndarray:
    lids = turn_lids(m, upper=0.82, lower=0.18)
    return lids + push(m, (31, 55, 103), (0, -1.2, 0), (18, 10, 25))


def _eye_look_down(m: Muscles) -> np.ndarray:
    return turn_lids(m, upper=0.46, lower=-0.12)


def _eye_look_up(m: Muscles) -> np.ndarray:
    return turn_lids(m, upper=-0.20, lower=0.10) + push(m, (31, 56, 103), (0, 1.5, 0), (20, 12, 25))


def _lids_aside(m: Muscles, amount: float) -> np.ndarray:
    """The lids dragged sideways by the cornea's bulge: a small slide along the ball."""
    head, rings = m.head, m.head.skin.eye_rings[0]
    follow = np.abs(head.part.lid_height[rings])
    field = np.zeros_like(head.vertices)
    middle = np.exp(-(((head.vertices[rings, 0] - 31.0) / 9.0) ** 2))
    field[rings, 0] = amount * follow * middle
    return field


def _eye_look_in(m: Muscles) -> np.ndarray:
    return _lids_aside(m, -1.6)


def _eye_look_out(m: Muscles) -> np.ndarray:
    return _lids_aside(m, 1.6)


def _eye_squint(m: Muscles) -> np.ndarray:
    cheek = push(m, (34, 18, 91), (-0.5, 2.8, 0.8), (18, 9, 25))
    return turn_lids(m, upper=0.18, lower=0.34) + cheek + push(m, (36, 53, 101), (0, -2.0, 0), (20, 10, 25))


def _eye_wide(m: Muscles) -> np.ndarray:
    return turn_lids(m, upper=-0.28, lower=-0.08) + push(m, (31, 55, 103), (0, 2.0, 0), (20, 11, 25))


def _mouth_dimple(m: Muscles) -> np.ndarray:
    return push(m, (25, -34, 100), (4.5, 0.8, -4.0), (14, 11, 20)) + push(m, (33, -34, 95), (0.5, 0, -3.5), (6, 8, 16))


def _mouth_frown(m: Muscles) -> np.ndarray:
    corner = push(m, (24, -34, 100), (1.5, -8.0, -1.5), (13, 11, 20))
    return corner + push(m, (27, -50, 96), (1.0, -3.0, 1.0), (12, 12, 20))


def _mouth_lower_down(m: Muscles) -> np.ndarray:
    return push(m, (11, -40, 111), (1.0, -8.5, 0.5), (17, 15, 25), side="lower")


def _mouth_press(m: Muscles) -> np.ndarray:
    upper = push(m, (14, -29, 111), (0, -1.8, -2.4), (15, 7, 20), side="upper")
    lower = push(m, (14, -39, 109), (0, 2.2, -2.4), (15, 7, 20), side="lower")
    return upper + lower + push(m, (25, -34, 100), (1.6, 0, -2.4), (10, 9, 20))


def _mouth_smile(m: Muscles) -> np.ndarray:
    corner = push(m, (26, -34, 99), (8.0, 1.0, -6.0), (19, 15, 24)) + push(m, (29, -33, 97), (0, 7.5, 0), (13, 15, 20))
    cheek = push(m, (40, -4, 91), (1.5, 5.0, 3.0), (18, 17, 26))
    return corner + cheek + push(m, (8, -34, 112), (1.5, 1.2, -1.8), (14, 11, 20))


def _mouth_stretch(m: Muscles) -> np.ndarray:
    corner = push(m, (25, -35, 100), (8.5, -3.0, -5.0), (17, 14, 24))
    return corner + push(m, (30, -58, 90), (2.0, -4.0, 0), (16, 15, 24))


def _mouth_upper_up(m: Muscles) -> np.ndarray:
    lip = push(m, (11, -28, 112), (0.5, 7.5, 0.8), (16, 12, 24), side="upper")
    return lip + push(m, (20, -10, 102), (0.5, 3.0, 1.0), (11, 10, 20))


def _nose_sneer(m: Muscles) -> np.ndarray:
    wing = push(m, (17, -4, 105), (1.2, 5.5, 0.5), (11, 11, 20)) + push(m, (11, 20, 104), (0, 3.0, 1.0), (9, 13, 20))
    lip = push(m, (15, -24, 109), (0.3, 4.0, 0.5), (14, 10, 20), side="upper")
    return wing + lip + push(m, (12, 48, 105), (-0.8, -2.5, 0.5), (11, 9, 20))


def _jaw_forward(m: Muscles) -> np.ndarray:
    return swing_jaw(m, forward_mm=7.0)


def _jaw_open(m: Muscles) -> np.ndarray:
    return swing_jaw(m, open_deg=JAW_OPEN_DEG)


def _mouth_funnel(m: Muscles) -> np.ndarray:
    return gather_lips(m, narrow=0.26, forward_mm=6.0, open_mm=7.0)


def _mouth_pucker(m: Muscles) -> np.ndarray:
    return gather_lips(m, narrow=0.42, forward_mm=8.0, open_mm=0.0)


def _mouth_roll_lower(m: Muscles) -> np.ndarray:
    return roll_lip(m, is_upper=False)


def _mouth_roll_upper(m: Muscles) -> np.ndarray:
    return roll_lip(m, is_upper=True)


def _mouth_shrug_lower(m: Muscles) -> np.ndarray:
    lip = push(m, (0, -40, 112), (0, 4.5, 2.5), (24, 12, 25), side="lower")
    seal = push(m, (0, -30, 113), (0, 3.0, 0.5), (22, 10, 25), side="upper")
    return lip + seal + push(m, (0, -64, 108), (0, 5.0, 1.0), (18, 13, 25))


def _mouth_shrug_upper(m: Muscles) -> np.ndarray:
    lip = push(m, (0, -28, 113), (0, 4.0, 3.0), (20, 10, 25), side="upper")
    return lip + push(m, (0, -36, 112), (0, 3.8, 2.2), (19, 9, 25), side="lower")


def _tongue_out(m: Muscles) -> np.ndarray:
    head = m.head
    is_tongue = head.is_region("tongue")
    forward = smooth_tip(head.vertices[:, 2])
    field = np.zeros_like(head.vertices)
    # It rises over the lower teeth and its tip hangs down before the lip.
    field[:, 2] = is_tongue * forward * 30.0
    field[:, 1] = is_tongue * (14.0 * forward - 16.0 * forward**4)
    field[:, 0] = is_tongue * forward * head.vertices[:, 0] * -0.12
    lips = push(m, (0, -40, 112), (0, -6.5, 0.5), (17, 11, 22), side="lower")
    return field + lips + push(m, (0, -30, 113), (0, 2.5, 1.0), (15, 9, 22), side="upper")


def smooth_tip(depth_mm: np.ndarray) -> np.ndarray:
    """0 at the tongue's root, 1 at its tip."""
    return np.clip((depth_mm - 45.0) / 48.0, 0.0, 1.0) ** 1.2


_SIDED: dict[str, Field] = {
    "browDown": _brow_down,
    "browOuterUp": _brow_outer_up,
    "cheekSquint": _cheek_squint,
    "eyeBlink": _eye_blink,
    "eyeLookDown": _eye_look_down,
    "eyeLookIn": _eye_look_in,
    "eyeLookOut": _eye_look_out,
    "eyeLookUp": _eye_look_up,
    "eyeSquint": _eye_squint,
    "eyeWide": _eye_wide,
    "mouthDimple": _mouth_dimple,
    "mouthFrown": _mouth_frown,
    "mouthLowerDown": _mouth_lower_down,
    "mouthPress": _mouth_press,
    "mouthSmile": _mouth_smile,
    "mouthStretch": _mouth_stretch,
    "mouthUpperUp": _mouth_upper_up,
    "noseSneer": _nose_sneer,
}
_MIDDLE: dict[str, Field] = {
    "browInnerUp": _brow_inner_up,
    "cheekPuff": _cheek_puff,
    "jawForward": _jaw_forward,
    "jawOpen": _jaw_open,
    "mouthClose": close_lips,
    "mouthFunnel": _mouth_funnel,
    "mouthPucker": _mouth_pucker,
    "mouthRollLower": _mouth_roll_lower,
    "mouthRollUpper": _mouth_roll_upper,
    "mouthShrugLower": _mouth_shrug_lower,
    "mouthShrugUpper": _mouth_shrug_upper,
    "tongueOut": _tongue_out,
}
