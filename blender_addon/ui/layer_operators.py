# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""Buttons for layers of performance: add a performer, remove a layer, bake, compare with the tracked performance."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from dvp_core.data.errors import DataError
from dvp_core.edit import REGIONS

from .. import compat
from ..actors import rig_of_context
from ..rig.layer_store import check_all_play, check_editable, layer_of
from ..rig.layers import (
    add_performer,
    bake_layers,
    clear_strength_keys,
    hide_tracked,
    is_tracked_shown,
    key_strength,
    remove_layer,
    show_tracked,
)
from ..rig.timing import plate_frame
from .reporting import reported

_REGION_ITEMS = [(name, name.capitalize(), f"Expressions and motion of the region '{name}'") for name in REGIONS]


def can_change_layers(operator: type[bpy.types.Operator], context: bpy.types.Context, *, needs_layer: bool) -> bool:
    """Say whether the scene's rig may get or change layers, and tell the operator why not."""
    try:
        rig = rig_of_context(context)
        check_editable(rig)
    except DataError as error:
        operator.poll_message_set(str(error))
        return False
    if needs_layer and not rig.dvp_layers.layers:
        operator.poll_message_set("The rig has no layer; add a performer first")
        return False
    return True


def chosen_layer(rig: bpy.types.Object) -> str:
    """Return the name of the layer chosen in the list of a rig that has layers."""
    stack = rig.dvp_layers
    return stack.layers[min(stack.active, len(stack.layers) - 1)].name


class DVP_OT_add_performer(bpy.types.Operator, ImportHelper):
    """Lay a second performer's take over the tracked performance, one layer a region; all of it stays changeable."""

    bl_idname = "dvp.add_performer"
    bl_label = "Add Performer"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    filename_ext = ".take"
    filter_glob: StringProperty(default="*.take", options={"HIDDEN"})
    regions: EnumProperty(
        name="Regions",
        description="What the performer drives; all takes what the performer can",
        items=_REGION_ITEMS,
        options={"ENUM_FLAG"},
        default=set(REGIONS),
    )
    strength: FloatProperty(
        name="Strength",
        description="0 is the performance below, 1 the performer's",
        min=0.0,
        max=1.0,
        default=1.0,
        subtype="FACTOR",
    )
    offset_frames: IntProperty(name="Offset", description="Frames by which the performer comes later", default=0)
    is_swapped: BoolProperty(name="Swap Left and Right", description="Perform as in a mirror", default=False)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig, and no strip in tweak mode."""
        return can_change_layers(cls, context, needs_layer=False)

    def draw(self, context: bpy.types.Context) -> None:
        """Show the regions below one another, where their names have room, and the other options."""
        del context
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.column(align=True).prop(self, "regions")
        for name in ("strength", "offset_frames", "is_swapped"):
            layout.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the file chosen."""
        return reported(self, lambda: self._add(context))

    def _add(self, context: bpy.types.Context) -> str:
        added = add_performer(
            rig_of_context(context),
            self.filepath,
            regions=None if self.regions == set(REGIONS) else tuple(self.regions),
            strength=self.strength,
            offset_frames=self.offset_frames,
            is_swapped=self.is_swapped,
        )
        return ". ".join((f"Added {', '.join(added.layers)}", *added.notes))


class OfLayer:
    """What operators on one layer share."""

    name: StringProperty(
        name="Layer", description="Left out, the layer chosen in the list counts", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
        """Need a layer."""
        return can_change_layers(cls, context, needs_layer=True)

    def rig_and_layer(self, context: bpy.types.Context) -> tuple[bpy.types.Object, str]:
        """Return the scene's rig and the name of the layer that is meant."""
        rig = rig_of_context(context)
        return rig, self.name or chosen_layer(rig)


class DVP_OT_remove_layer(OfLayer, bpy.types.Operator):
    """Remove the layer chosen in the list; what lies below shows again."""

    bl_idname = "dvp.remove_layer"
    bl_label = "Remove Layer"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        return reported(self, lambda: self._remove(context))

    def _remove(self, context: bpy.types.Context) -> str:
        rig, name = self.rig_and_layer(context)
        remove_layer(rig, name)
        return f"Removed {name}"


class DVP_OT_key_layer_strength(OfLayer, bpy.types.Operator):
    """Key the chosen layer's strength at this frame; between keys it changes as any animation curve does."""

    bl_idname = "dvp.key_layer_strength"
    bl_label = "Key Strength"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    strength: FloatProperty(
        name="Strength",
        description="0 is the performance below, 1 the performer's; left out, the layer's own strength",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Key it at the scene's frame."""
        return reported(self, lambda: self._key(context))

    def _key(self, context: bpy.types.Context) -> str:
        (rig, name), frame = self.rig_and_layer(context), context.scene.frame_current
        if not self.properties.is_property_set("strength"):
            self.strength = layer_of(rig, name).strength
        key_strength(rig, name, plate_frame(rig, frame), self.strength)
        return f"{name}: strength {self.strength:.2f} at frame {frame}"


class DVP_OT_clear_layer_keys(OfLayer, bpy.types.Operator):
    """Remove the chosen layer's strength keys; its slider counts again."""

    bl_idname = "dvp.clear_layer_keys"
    bl_label = "Clear Strength Keys"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them."""
        return reported(self, lambda: self._clear(context))

    def _clear(self, context: bpy.types.Context) -> str:
        rig, name = self.rig_and_layer(context)
        clear_strength_keys(rig, name)
        return f"{name}: strength {layer_of(rig, name).strength:.2f} throughout"


class DVP_OT_bake_layers(bpy.types.Operator):
    """Merge all layers into one, as they show now; the tracked strip stays below and your keys above."""

    bl_idname = "dvp.bake_layers"
    bl_label = "Bake Layers"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a layer, and no track that hides others."""
        if not can_change_layers(cls, context, needs_layer=True):
            return False
        try:
            check_all_play(rig_of_context(context))
        except DataError as error:
            cls.poll_message_set(str(error))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bake the scene's rig."""
        return reported(self, lambda: f"Baked into {bake_layers(rig_of_context(context), context.scene)}")


class DVP_OT_compare_with_tracked(bpy.types.Operator):
    """Show a second head that plays the tracked performance alone, or take it away again; it is never rendered."""

    bl_idname = "dvp.compare_with_tracked"
    bl_label = "Compare with Tracked"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads the class's own set

    place: EnumProperty(
        name="Place",
        items=[
            ("BESIDE", "Beside", "On the picture's right of the edited head"),
            ("OVER", "Over", "As wires over the edited head"),
        ],
        default="BESIDE",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a rig, in object mode."""
        if context.mode not in ("OBJECT", "POSE"):
            cls.poll_message_set("Leave the current mode first (object or pose mode is needed)")
            return False
        return can_change_layers(cls, context, needs_layer=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Toggle the head."""
        return reported(self, lambda: self._toggle(context))

    def _toggle(self, context: bpy.types.Context) -> str:
        rig = rig_of_context(context)
        if is_tracked_shown(rig):
            hide_tracked(rig)
            return "The tracked head is gone"
        return f"{show_tracked(rig, place=self.place).name} plays the tracked performance"


class DVP_FH_performer(compat.FileHandler):
    """Lets a performer's take be dropped into a window that has a rig."""

    bl_idname = "DVP_FH_performer"
    bl_label = "Performer for the Portrait Rig"
    bl_import_operator = "dvp.add_performer"
    bl_file_extensions = ".take"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Accept takes over the 3D view of a scene with a rig."""
        return context.area is not None and context.area.type == "VIEW_3D" and DVP_OT_add_performer.poll(context)


CLASSES = (
    DVP_OT_add_performer,
    DVP_OT_remove_layer,
    DVP_OT_key_layer_strength,
    DVP_OT_clear_layer_keys,
    DVP_OT_bake_layers,
    DVP_OT_compare_with_tracked,
    *((DVP_FH_performer,) if compat.HAS_FILE_DROP else ()),
)


def add_menu() -> None:
    """Add the entry to File > Import."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_entry)


def remove_menu() -> None:
    """Remove the entry again."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_entry)


def _draw_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    del context
    menu.layout.operator(DVP_OT_add_performer.bl_idname, text="Deep Video Portraits Performer (.take)")
