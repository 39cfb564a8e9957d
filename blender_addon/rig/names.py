# SPDX-License-Identifier: GPL-3.0-or-later
"""The names by which rigs, bones, tracks and channels are found again; each is written here only.

`.L` and `.R` are the subject's left and right.
"""

from __future__ import annotations

HEAD_BONE = "head"
EYE_BONES = ("eye.L", "eye.R")
NECK_BONE = "neck"
SKULL_BONE = "skull"
AIM_BONE = "aim"
AIM_BONES = ("aim.L", "aim.R")
AIM_CONSTRAINT = "Aim"
INFLUENCE = "influence"
FOLLOW_HEAD = "follow_head"
LIDS_FOLLOW = "lids_follow"
TRACKED_TRACK = "Tracked"
ANIMATOR_ACTION = "Animator"
ARMATURE_MODIFIER = "Rig"
REFLECTANCE = "reflectance"
BASIS_KEY = "Basis"
LIGHT_FLOATS = 27

HEAD_LOCATION = f'pose.bones["{HEAD_BONE}"].location'
HEAD_ROTATION = f'pose.bones["{HEAD_BONE}"].rotation_quaternion'
LIGHT = "dvp_rig.light_sh"


def eye_rotation(side: int) -> str:
    """Return the data path of an eye bone's Euler rotation; 0 is the left eye."""
    return f'pose.bones["{EYE_BONES[side]}"].rotation_euler'


def expression_value(name: str) -> str:
    """Return the data path of a shape key's value, from its Key data-block."""
    return f'key_blocks["{name}"].value'


def added_key(name: str) -> str:
    """Return the name of the shape key that holds what the controls add to an expression."""
    return f"+{name}"
