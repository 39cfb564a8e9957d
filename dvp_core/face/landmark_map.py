"""The order of the 68 facial landmarks, and which of them are each other's mirror images.

The order is that of Multi-PIE and of the 300-W annotations (Sagonas et al. 2013, iBUG). Left and right are the
subject's. This file holds names only; where a landmark lies on a model is the model's own array.
"""

from __future__ import annotations

LANDMARK_GROUPS: dict[str, range] = {
    "jaw": range(0, 17),  # from the subject's right ear over the chin to the left ear
    "brow_right": range(17, 22),  # outer end first
    "brow_left": range(22, 27),  # inner end first
    "nose_bridge": range(27, 31),  # from between the eyes down to the tip
    "nose_base": range(31, 36),  # from the right wing to the left wing
    "eye_right": range(36, 42),  # outer corner, two above, inner corner, two below
    "eye_left": range(42, 48),  # inner corner, two above, outer corner, two below
    "lips_outer": range(48, 60),  # right corner, over the upper lip, left corner, under the lower lip
    "lips_inner": range(60, 68),  # right corner, over the opening, left corner, under the opening
}

_MIRROR_PAIRS = (
    *((index, 16 - index) for index in range(8)),
    *((17 + index, 26 - index) for index in range(5)),
    (31, 35),
    (32, 34),
    (36, 45),
    (37, 44),
    (38, 43),
    (39, 42),
    (40, 47),
    (41, 46),
    (48, 54),
    (49, 53),
    (50, 52),
    (55, 59),
    (56, 58),
    (60, 64),
    (61, 63),
    (65, 67),
)


def mirrored_landmarks() -> tuple[int, ...]:
    """For each of the 68 landmarks the index of its mirror image (itself on the middle line)."""
    mirror = list(range(68))
    for first, second in _MIRROR_PAIRS:
        mirror[first], mirror[second] = second, first
    return tuple(mirror)
