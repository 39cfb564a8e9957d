# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""What a rig stores of its ghosts.

No property calls back, since a callback that Blender holds may keep pip's `bpy` 4.2 from ending cleanly; the panel,
which is drawn whenever one of them is changed there, sees to it that the view follows.
"""

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty


class GhostSettings(bpy.types.PropertyGroup):
    """Of a rig."""

    bl_idname = "DVP_GhostSettings"

    is_shown: BoolProperty(
        name="Onion Head",
        description="Draw the head as it is before (blue) and after (orange) this frame, as wires",
        default=False,
        options=set(),
    )
    count: IntProperty(name="Count", description="Heads on each side", min=1, max=8, default=2, options=set())
    step: IntProperty(
        name="Step",
        description="Frames from one head to the next",
        min=1,
        max=100,
        default=5,
        options=set(),
    )
    opacity: FloatProperty(
        name="Opacity",
        description="Of the nearest; those further away are fainter",
        min=0.0,
        max=1.0,
        default=0.3,
        subtype="FACTOR",
        options=set(),
    )


CLASSES = (GhostSettings,)


def add_properties() -> None:
    """Hang the settings on objects."""
    bpy.types.Object.dvp_ghosts = PointerProperty(type=GhostSettings)


def remove_properties() -> None:
    """Take them off again; what files stored stays in them."""
    del bpy.types.Object.dvp_ghosts
