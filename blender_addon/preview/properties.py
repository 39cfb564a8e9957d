# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""How previews are asked for and shown: settings of the session, on the window manager, which no .blend stores.

None of them has a callback: one that is registered crashes the exit of Blender 4.2.
"""

import bpy
from bpy.props import BoolProperty, FloatProperty, PointerProperty, StringProperty


class PreviewSettings(bpy.types.PropertyGroup):
    """Of the window manager."""

    bl_idname = "DVP_PreviewSettings"

    is_live: BoolProperty(
        name="Live",
        description="Ask again by itself when the pose has been still for a moment",
        default=False,
    )
    is_shown: BoolProperty(
        name="Show", description="Draw the preview over the plate in the camera's view", default=True
    )
    wipe: FloatProperty(
        name="Plate | Preview",
        description="How much of the square shows the preview, from its left edge; the rest shows the plate",
        min=0.0,
        max=1.0,
        default=1.0,
        subtype="FACTOR",
    )
    message: StringProperty(name="Message", description="What the farm or the checks last said, empty when all is well")


CLASSES = (PreviewSettings,)


def add_properties() -> None:
    """Hang the group on the window manager."""
    bpy.types.WindowManager.dvp_preview = PointerProperty(type=PreviewSettings)


def remove_properties() -> None:
    """Take the group off again."""
    del bpy.types.WindowManager.dvp_preview
