# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""What a rig stores of its performance layers; a changed setting changes the layer's strip at once."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .rig.layer_settling import settle_and_say


def _changed(layer: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    del context
    settle_and_say(layer.id_data, layer)


class LayerSettings(bpy.types.PropertyGroup):
    """One layer: a region of a performer's take, or what was baked. Its `name` is that of its NLA tracks."""

    bl_idname = "DVP_LayerSettings"

    performer: StringProperty(name="Performer", description="Pseudonym of the person who performs")
    region: StringProperty(name="Region", description="Region of the face it drives; empty for a baked layer")
    take_text: PointerProperty(
        type=bpy.types.Text, name="Packed Take", description="Text data-block that carries the performer's take"
    )
    take_sha256: StringProperty(name="Take Hash", description="SHA-256 over the content of the performer's take")
    strength: FloatProperty(
        name="Strength",
        description="0 is the performance below, 1 the performer's; over time, key the strip's influence",
        min=0.0,
        max=1.0,
        default=1.0,
        precision=2,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    offset_frames: IntProperty(
        name="Offset",
        description="Frames by which the performer comes later",
        default=0,
        options=set(),
        update=_changed,
    )
    neutral: EnumProperty(
        name="Neutral",
        description="What the performer's motion is counted from",
        items=[
            ("FOUND", "Found", "The rest found in the performer's take"),
            ("FRAME", "Frame", "One frame of the performer's own clip"),
            ("NONE", "None", "Nothing: the performer's values as they are"),
        ],
        default="FOUND",
        options=set(),
        update=_changed,
    )
    neutral_frame: IntProperty(
        name="Neutral Frame",
        description="Frame of the performer's own clip that shows the performer at rest",
        options=set(),
        update=_changed,
    )
    is_swapped: BoolProperty(
        name="Swap Left and Right",
        description="Perform as in a mirror",
        options=set(),
        update=_changed,
    )
    problem: StringProperty(name="Problem", description="Why the last change could not be made")
    is_settled: BoolProperty(name="Is Settled", description="The layer has its strips", options={"HIDDEN"})
    built_from: StringProperty(name="Built From", description="What its curves were made of", options={"HIDDEN"})
    content_frames: FloatProperty(name="Length", description="Frames of the rig's rate", options={"HIDDEN"})
    fade_frames: FloatProperty(name="Fade", description="Frames of the rig's rate", options={"HIDDEN"})
    shown_strength: FloatProperty(name="Shown Strength", options={"HIDDEN"})
    shown_offset: IntProperty(name="Shown Offset", options={"HIDDEN"})
    written_influence: StringProperty(
        name="Written Influence", description="Keys of the influence as last written", options={"HIDDEN"}
    )


class LayerStack(bpy.types.PropertyGroup):
    """Of a rig: its layers from the lowest to the highest, and the head that shows the tracked performance."""

    bl_idname = "DVP_LayerStack"

    layers: CollectionProperty(type=LayerSettings, name="Layers")
    active: IntProperty(name="Active Layer", options=set())
    tracked_head: PointerProperty(
        type=bpy.types.Collection, name="Tracked Head", description="The head that shows the tracked performance"
    )


CLASSES = (LayerSettings, LayerStack)


def add_properties() -> None:
    """Hang the layers on objects."""
    bpy.types.Object.dvp_layers = PointerProperty(type=LayerStack)


def remove_properties() -> None:
    """Take them off again; what files stored stays in them."""
    del bpy.types.Object.dvp_layers
