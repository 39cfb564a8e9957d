# SPDX-License-Identifier: GPL-3.0-or-later
"""The dial of smoothing on a rig: the tracked strip's curves made anew from what was measured.

It starts from the imported take each time, so it never adds up, and it leaves the animator's layer alone.
"""

from __future__ import annotations

import bpy

from dvp_core.data.errors import DataError
from dvp_core.data.take import Take
from dvp_core.edit import smooth

from .animation import refill_tracked_layers
from .channels import check_key_limits, expression_channels, rig_channels, set_key_limits
from .layer_settling import settle_layers
from .memory import DIAL_DECIMALS, imported_take, remember_dial, remembered_take
from .reading import face_object_of
from .timing import scene_frames


def turn_dial(rig: bpy.types.Object, strength: float) -> Take:
    """Show the rig's performance smoothed by 0 (as measured) to 1, and return the take that it now shows.

    Args:
        rig: The portrait rig.
        strength: See `dvp_core.edit.smooth`; counted in four decimals.

    Raises:
        DataError: The take has no measurement, a strength outside 0..1, or a tracked strip that was changed by hand.
    """
    source, before = imported_take(rig), remembered_take(rig)
    if source.measured is None:
        raise DataError(
            "its take has no measurement to smooth from",
            where=rig.name,
            remedy="Import the tracked take; an edited one is smoothed for good by 'dvp smooth'",
        )
    strength = round(strength, DIAL_DECIMALS)
    take = source if strength == source.smoothing else smooth(source, strength)
    check_key_limits(take)
    frames = scene_frames(rig, take)
    face = face_object_of(rig)
    refill_tracked_layers([(face.data.shape_keys, expression_channels(take)), (rig, rig_channels(take))], frames)
    set_key_limits(face, take, before=before)
    remember_dial(rig, take)
    settle_layers(rig)
    return take
