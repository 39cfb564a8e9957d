# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""What the add-on stores in a .blend: per rig which take it shows, per scene what to export and submit.

The farm's address and token are no part of this; they live in the preferences, never in a .blend.
"""

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .rig.names import LIGHT_FLOATS


class RigSettings(bpy.types.PropertyGroup):
    """Of an armature object made by an import; the light is animated like a bone."""

    bl_idname = "DVP_RigSettings"

    is_rig: BoolProperty(name="Is a Portrait Rig", description="Made by importing a take")
    subject: StringProperty(name="Subject", description="Pseudonym of the filmed person")
    take_text: PointerProperty(
        type=bpy.types.Text, name="Packed Take", description="Text data-block that carries the take's bytes"
    )
    take_path: StringProperty(name="Take", description="Where the take was imported from", subtype="FILE_PATH")
    take_sha256: StringProperty(name="Take Hash", description="SHA-256 over the content of the take that is shown")
    imported_sha256: StringProperty(
        name="Imported Take Hash", description="SHA-256 over the take's content before its dial was turned here"
    )
    is_measured: BoolProperty(name="Is Measured", description="The take holds what the tracker measured")
    smoothing: FloatProperty(
        name="Smoothing",
        description="How much of the tracker's noise to take away; 0 is what was measured",
        min=0.0,
        max=1.0,
        precision=2,
        subtype="FACTOR",
        options=set(),
    )
    shown_smoothing: FloatProperty(
        name="Shown Smoothing", description="Where the dial stood when it was last applied", options={"HIDDEN"}
    )
    face_model_path: StringProperty(
        name="Face Model", description="Only for takes that must not carry their face", subtype="FILE_PATH"
    )
    face: PointerProperty(type=bpy.types.Object, name="Face", description="Mesh object of the face")
    camera: PointerProperty(type=bpy.types.Object, name="Camera", description="Camera of the plate")
    frame_shift: IntProperty(
        name="Frame Shift",
        description="By how much the scene's frames are numbered later than the plate's",
        options=set(),
    )
    light_sh: FloatVectorProperty(
        name="Light",
        description="Spherical harmonics of the light: nine coefficients for each of red, green and blue",
        size=LIGHT_FLOATS,
        precision=4,
    )


class SceneSettings(bpy.types.PropertyGroup):
    """Of a scene: which rig, what to export, what to ask of the farm."""

    bl_idname = "DVP_SceneSettings"

    # No `poll`: a callback on a scene's property keeps pip's bpy 4.2 from ending. What is no rig here chooses nothing.
    rendered_rig: PointerProperty(
        type=bpy.types.Object,
        name="Rendered",
        description="Which of several rigs F12 renders; empty for the one whose camera is the scene's",
    )
    area: EnumProperty(
        name="Area",
        description="What the passes engine shows",
        items=[
            ("PLATE", "Plate", "The whole plate, at the scene's resolution"),
            ("CROP", "Crop", "The take's square, as the generator sees it"),
        ],
        default="PLATE",
    )
    preview_px: IntProperty(
        name="Preview",
        description="Longer side of the picture that Rendered shading draws in the 3D view; larger is slower",
        min=64,
        max=4096,
        default=256,
        subtype="PIXEL",
    )
    passes_folder: StringProperty(
        name="Passes", description="Folder for the exported passes", subtype="DIR_PATH", default="//passes"
    )
    frames: StringProperty(
        name="Frames",
        description="Frames of the plate, such as 1-30,40,50-60x2; empty for the scene's range",
        default="",
    )
    job_name: StringProperty(name="Name", description="Shown on the farm; empty takes the file's", default="")
    generator: StringProperty(
        name="Generator", description="Trained weights of this person (*.safetensors)", subtype="FILE_PATH", default=""
    )
    plate: StringProperty(
        name="Plate",
        description="The clip, to set the face into and for its sound; empty renders the bare crop",
        subtype="FILE_PATH",
        default="",
    )
    consent: StringProperty(
        name="Consent", description="The person's consent record (*.json)", subtype="FILE_PATH", default=""
    )
    output: StringProperty(
        name="Output",
        description="Rendered frames, with #### for the frame number",
        subtype="FILE_PATH",
        default="//frames/frame.####.png",
    )
    priority: IntProperty(name="Priority", description="0 comes last, 100 first", min=0, max=100, default=50)
    job_id: StringProperty(name="Job", description="The job last submitted from this scene")
    job_state: StringProperty(name="State", description="What the farm last said of the job")
    job_progress: FloatProperty(name="Progress", min=0.0, max=1.0, subtype="FACTOR")


CLASSES = (RigSettings, SceneSettings)


def add_properties() -> None:
    """Hang the groups on objects and scenes."""
    bpy.types.Object.dvp_rig = PointerProperty(type=RigSettings)
    bpy.types.Scene.dvp = PointerProperty(type=SceneSettings)


def remove_properties() -> None:
    """Take the groups off again; what files stored stays in them."""
    del bpy.types.Object.dvp_rig
    del bpy.types.Scene.dvp
