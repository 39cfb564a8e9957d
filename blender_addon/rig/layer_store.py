# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's list of layers: finding, making and removing them, and whether they may be changed now."""

from __future__ import annotations

from typing import Any

import bpy

from dvp_core.data.errors import DataError

from .homes import performance_owners
from .layer_strips import remove_layer_strip

_NAME_BYTES = 40  # Blender cuts the names of tracks at 63


def new_layer(rig: bpy.types.Object, performer: str, region: str = "") -> Any:
    """Return the settings of a new, empty layer at the end of the list; a name that is taken gets a number."""
    stack = rig.dvp_layers
    short = performer.encode()[:_NAME_BYTES].decode(errors="ignore")
    name = _unused_name(rig, f"{short} {region}".strip())
    layer = stack.layers.add()
    layer.name, layer.performer, layer.region = name, performer, region
    stack.active = len(stack.layers) - 1
    return layer


def check_editable(rig: bpy.types.Object) -> None:
    """Check that nobody is at work inside a strip.

    Raises:
        DataError: A strip is in tweak mode, where Blender swaps actions.
    """
    for owner in performance_owners(rig):
        animation = owner.animation_data
        if animation is not None and animation.use_tweak_mode:
            raise DataError("an NLA strip is in tweak mode", where=rig.name, remedy="Leave it (Tab in the NLA editor)")


def check_all_play(rig: bpy.types.Object) -> None:
    """Check that what is seen is the whole stack.

    Raises:
        DataError: A track is solo, which hides all others.
    """
    for owner in performance_owners(rig):
        animation = owner.animation_data
        if animation is not None and any(track.is_solo for track in animation.nla_tracks):
            raise DataError("an NLA track is solo", where=rig.name, remedy="Switch its star off in the NLA editor")


def remove_layer(rig: bpy.types.Object, name: str) -> None:
    """Remove a layer, its strips, and the packed take where no other layer needs it.

    Raises:
        DataError: No such layer.
    """
    check_editable(rig)
    layer = layer_of(rig, name)
    text = layer.take_text
    for owner in performance_owners(rig):
        remove_layer_strip(owner, name)
    stack = rig.dvp_layers
    stack.layers.remove(stack.layers.find(name))
    stack.active = max(0, min(stack.active, len(stack.layers) - 1))
    if text is not None and text.users == int(text.use_fake_user):
        bpy.data.texts.remove(text)
    update_owners(rig)


def layer_of(rig: bpy.types.Object, name: str) -> Any:
    """Return a layer's settings.

    Raises:
        DataError: No such layer.
    """
    index = rig.dvp_layers.layers.find(name)
    if index < 0:
        raise DataError(f"has no layer '{name}'", where=rig.name, remedy="See rig.dvp_layers.layers")
    return rig.dvp_layers.layers[index]


def update_owners(rig: bpy.types.Object) -> None:
    """Tell Blender that the performance changed."""
    for owner in performance_owners(rig):
        owner.update_tag()


def _unused_name(rig: bpy.types.Object, wanted: str) -> str:
    taken = {track.name for owner in performance_owners(rig) for track in owner.animation_data.nla_tracks}
    taken |= {layer.name for layer in rig.dvp_layers.layers}
    candidates = [wanted, *(f"{wanted} {number}" for number in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)
