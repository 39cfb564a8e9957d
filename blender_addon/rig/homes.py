# SPDX-License-Identifier: GPL-3.0-or-later
"""On which data-block and data path each part of a performance lives; whoever animates it asks here."""

from __future__ import annotations

import bpy

from . import names
from .reading import face_object_of


def expression_home(rig: bpy.types.Object, expression: str) -> tuple[bpy.types.ID, str]:
    """Return the data-block and the data path on which an expression's tracked value is animated."""
    return face_object_of(rig).data.shape_keys, names.expression_value(expression)


def pose_home(rig: bpy.types.Object) -> bpy.types.ID:
    """Return the data-block on which head and eyes are animated."""
    return rig


def performance_owners(rig: bpy.types.Object) -> list[bpy.types.ID]:
    """Return every data-block that holds a part of the performance."""
    return [rig, face_object_of(rig).data.shape_keys]
