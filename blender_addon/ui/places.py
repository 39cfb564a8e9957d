# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a field's files go, when a scene has several actors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from dvp_core.data.errors import DataError

from ..actors import rig_of_context


def draw_place(column: Any, context: bpy.types.Context, text: str, place_of: Callable[..., str]) -> None:
    """Say where a field's files go, where an actor's name makes that another place than is written."""
    try:
        place = place_of(context.scene, rig_of_context(context))
    except DataError:
        return
    if place != text:
        column.label(text=f"Goes to {place}", icon="FILE_FOLDER")
