# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the Blender versions served (4.2 to 5.0; 3.4 works too), each difference in one function.

Branches ask for a feature, never for a version number.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

HAS_FILE_DROP = hasattr(bpy.types, "FileHandler")
FileHandler: Any = getattr(bpy.types, "FileHandler", object)


class ActionCurves:
    """The F-curves of one data-block in one action: the action's own below 4.4, a slot's channel bag from then on."""

    def __init__(self, action: bpy.types.Action, owner: bpy.types.ID) -> None:
        self.action = action
        self.slot: Any = None
        self._bag: Any = action
        if hasattr(action, "slots"):
            self.slot = _slot_for(action, owner)
            layer = action.layers[0] if action.layers else action.layers.new("Layer")
            strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
            self._bag = strip.channelbag(self.slot, ensure=True)

    def __iter__(self) -> Any:
        return iter(self._bag.fcurves)

    def find(self, data_path: str, index: int = 0) -> Any:
        """Return the curve of a channel, or None."""
        return self._bag.fcurves.find(data_path, index=index)

    def new(self, data_path: str, index: int = 0, *, group: str = "") -> Any:
        """Return a new, empty curve in a named group."""
        curve = self._bag.fcurves.new(data_path, index=index)
        if group:
            curve.group = self._bag.groups.get(group) or self._bag.groups.new(group)
        return curve

    def clear(self) -> None:
        """Remove every curve of the data-block."""
        for curve in list(self._bag.fcurves):
            self._bag.fcurves.remove(curve)

    def find_or_new(self, data_path: str, index: int = 0, *, group: str = "") -> Any:
        """Return the curve of a channel, made where it is missing."""
        return self.find(data_path, index) or self.new(data_path, index, group=group)


def _slot_for(action: bpy.types.Action, owner: bpy.types.ID) -> Any:
    for slot in action.slots:
        if slot.target_id_type == owner.id_type:
            return slot
    return action.slots.new(id_type=owner.id_type, name=owner.name)


def kind_of(owner: bpy.types.ID) -> str:
    """Return the kind of a data-block, such as "OBJECT" or "KEY", which versions before 4.2 do not name themselves."""
    return getattr(owner, "id_type", "") or owner.bl_rna.identifier.upper()


def assign_action(animation_data: bpy.types.AnimData, curves: ActionCurves) -> None:
    """Make an action the active one, with its slot where actions have slots."""
    animation_data.action = curves.action
    if curves.slot is not None:
        animation_data.action_slot = curves.slot


def assign_strip_slot(strip: bpy.types.NlaStrip, curves: ActionCurves) -> None:
    """Let an NLA strip play the right slot of its action."""
    if curves.slot is not None:
        strip.action_slot = curves.slot


def enum_number(struct: type, property_name: str, item: str) -> int:
    """Return the integer behind an enum item, as `foreach_set` wants it."""
    return struct.bl_rna.properties[property_name].enum_items[item].value


def set_multilayer_exr(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Ask for float32 multilayer EXR in one part, compressed without loss."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "MULTI_LAYER_IMAGE"
    image_settings.file_format = "OPEN_EXR_MULTILAYER"
    image_settings.color_depth = "32"
    image_settings.exr_codec = "ZIP"
    if hasattr(image_settings, "use_exr_interleave"):
        image_settings.use_exr_interleave = True


def set_still_png(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Ask for 8-bit PNG with alpha."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "IMAGE"
    image_settings.file_format = "PNG"
    image_settings.color_mode = "RGBA"
    image_settings.color_depth = "8"


def fill_pass(render_pass: bpy.types.RenderPass, picture: np.ndarray) -> None:
    """Copy a picture (H, W, C), first row on top, into a render pass (Blender's first row is the lowest)."""
    rows = np.ascontiguousarray(picture[::-1], dtype=np.float32)
    if bpy.app.version < (4, 1):  # the only change here that no feature tells
        render_pass.rect.foreach_set(rows.reshape(-1, rows.shape[-1]))
    else:
        render_pass.rect.foreach_set(rows.ravel())


def vertex_positions(mesh: bpy.types.Mesh) -> np.ndarray:
    """Return the mesh's vertices (V, 3) as float32, in object space."""
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    if "position" in mesh.attributes:
        mesh.attributes["position"].data.foreach_get("vector", positions)
    else:
        mesh.vertices.foreach_get("co", positions)
    return positions.reshape(-1, 3)


def color_bone(rig: bpy.types.Object, bone: Any, color: tuple[float, float, float], *, group: str) -> None:
    """Give a pose bone a colour, lighter when selected; by a group of bones where bones have no own one (3.4)."""
    if hasattr(bone, "color"):
        bone.color.palette = "CUSTOM"
        colors = bone.color.custom
    else:
        bone.bone_group = rig.pose.bone_groups.get(group) or rig.pose.bone_groups.new(name=group)
        bone.bone_group.color_set = "CUSTOM"
        colors = bone.bone_group.colors
    colors.normal = color
    colors.select = [0.5 + 0.5 * part for part in color]
    colors.active = [0.75 + 0.25 * part for part in color]


def collect_bones(armature: Any, members: dict[str, list[str]], *, hidden: str) -> None:
    """Make bone collections, by name with the bones' names; versions without them (3.4) show all bones alike.

    Args:
        armature: The armature's data-block.
        members: Names of bones by name of collection.
        hidden: The collection that is not shown.
    """
    if not hasattr(armature, "collections"):
        return
    for name, bone_names in members.items():
        collection = armature.collections.get(name) or armature.collections.new(name)
        for bone_name in bone_names:
            collection.assign(armature.bones[bone_name])
        collection.is_visible = name != hidden


def texture_of(picture: np.ndarray) -> Any:
    """Return a picture (H, W, 4) float32, first row on top, as a texture (OpenGL's first row is the lowest)."""
    import gpu

    height, width = picture.shape[:2]
    rows = np.ascontiguousarray(picture[::-1], np.float32).ravel()
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=gpu.types.Buffer("FLOAT", rows.size, rows))


def draw_texture(texture: Any, x_px: float, y_px: float, width_px: float, height_px: float) -> None:
    """Draw a texture with premultiplied alpha over what a region shows."""
    import gpu
    from gpu_extras.presets import draw_texture_2d

    gpu.state.blend_set("ALPHA_PREMULT")
    draw_texture_2d(texture, (x_px, y_px), width_px, height_px)
    gpu.state.blend_set("NONE")


def draw_wires(vertices: np.ndarray, edges: np.ndarray, color: tuple[float, float, float, float]) -> None:
    """Draw lines in the 3D view that is being drawn, behind what stands before them.

    Args:
        vertices: (V, 3) float32, world.
        edges: (E, 2) int32.
        color: RGBA as shown.
    """
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("3D_UNIFORM_COLOR" if bpy.app.version < (4, 0) else "UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINES", {"pos": vertices}, indices=edges)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("LESS_EQUAL")
    shader.uniform_float("color", color)
    batch.draw(shader)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def is_online_allowed() -> bool:
    """Say whether the user lets Blender use the network; versions without the switch always do."""
    return bool(getattr(bpy.app, "online_access", True))


def sequencer_strips(editor: bpy.types.SequenceEditor) -> Any:
    """Return the sequencer's strips, which were called sequences before 4.4."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def draw_progress(layout: Any, owner: Any, property_name: str) -> None:
    """Draw a share 0..1 as a bar, or as a slider where there are no bars."""
    if not hasattr(layout, "progress"):
        layout.prop(owner, property_name, slider=True)
        return
    share = getattr(owner, property_name)
    layout.progress(factor=share, text=f"{share:.0%}")


def builtin_shader(name: str) -> Any:
    """Return one of Blender's own shaders; in 3.4 some names still begin with their dimension."""
    import gpu  # only where something is drawn

    try:
        return gpu.shader.from_builtin(name)
    except ValueError:
        return gpu.shader.from_builtin(f"2D_{name}")


def set_font_size(font: int, size_px: float) -> None:
    """Set the size of letters; 3.4 wants a resolution too."""
    import blf

    try:
        blf.size(font, size_px)
    except TypeError:
        blf.size(font, round(size_px), 72)
