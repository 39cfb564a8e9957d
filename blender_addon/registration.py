# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told on enabling and disabling the add-on; imported only by `register`."""

from __future__ import annotations

import atexit

import bpy

from . import ghost_drawing, ghost_properties, layer_properties, preferences, properties, submit_properties
from .job_watcher import add_handler, remove_handler, stop_watching
from .passes import engine
from .preview import asking, live, overlay
from .preview import properties as preview_properties
from .ui import (
    control_panels,
    export_operators,
    ghost_panel,
    import_operators,
    layer_operators,
    layer_panel,
    panels,
    plate_panel,
    preview_panel,
    result_operators,
    smoothing_operators,
    submit_operators,
    submit_panel,
)

CLASSES = (
    *properties.CLASSES,
    *layer_properties.CLASSES,
    *ghost_properties.CLASSES,
    *submit_properties.CLASSES,
    *preview_properties.CLASSES,
    *preferences.CLASSES,
    *import_operators.CLASSES,
    *smoothing_operators.CLASSES,
    *export_operators.CLASSES,
    *submit_operators.CLASSES,
    *result_operators.CLASSES,
    *layer_operators.CLASSES,
    *panels.CLASSES,
    *plate_panel.CLASSES,
    *control_panels.CLASSES,
    *layer_panel.CLASSES,
    *ghost_panel.CLASSES,
    *preview_panel.CLASSES,
    *submit_panel.CLASSES,
    *engine.CLASSES,
)
_registered: list[type] = []


def register() -> None:
    """Register all classes in order, then properties and menu entries."""
    for item in CLASSES:
        _describe(item)
        bpy.utils.register_class(item)
        _registered.append(item)
    properties.add_properties()
    layer_properties.add_properties()
    ghost_properties.add_properties()
    submit_properties.add_properties()
    preview_properties.add_properties()
    import_operators.add_menu()
    submit_panel.add_menu()
    layer_operators.add_menu()
    engine.add_to_panels()
    add_handler()
    ghost_drawing.add_handlers()
    live.add_handlers()
    overlay.add_overlay()
    atexit.register(_leave)  # an engine that has rendered and stays registered hangs or crashes Blender's exit


def _describe(item: type) -> None:
    """Give an operator the tooltip that its docstring is; Blender puts the full stop behind it itself."""
    if issubclass(item, bpy.types.Operator) and item.__doc__:
        item.bl_description = item.__doc__.removesuffix(".")


def unregister() -> None:
    """Undo `register`; harmless where nothing is registered."""
    atexit.unregister(_leave)
    if not _registered:
        return
    overlay.remove_overlay()
    live.remove_handlers()
    asking.stop_asking()
    remove_handler()
    ghost_drawing.remove_handlers()
    engine.remove_from_panels()
    layer_operators.remove_menu()
    import_operators.remove_menu()
    submit_panel.remove_menu()
    stop_watching()
    preview_properties.remove_properties()
    submit_properties.remove_properties()
    ghost_properties.remove_properties()
    layer_properties.remove_properties()
    properties.remove_properties()
    while _registered:
        bpy.utils.unregister_class(_registered.pop())


def _leave() -> None:
    """Unregister before Blender exits; one with a window has taken everything back by itself by then."""
    if hasattr(bpy.types.Scene, "dvp"):
        unregister()
