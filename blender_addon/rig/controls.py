# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones by which an animator poses the face, and how their motion reaches the shape keys.

The tracked strip animates the shape keys; a property that is animated cannot be driven as well. So every shape has a
second key of the same form, `+jawOpen` beside `jawOpen`, which drivers fill with what the controls add: Blender mixes
both, and a control at rest adds exactly nothing. The sum stays in 0..1, or where the tracked value is outside that.
Each shape is also a slider of its own, a custom property of the bone that `control_table.shape_home` names.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.data.face_model import FaceModel
from dvp_core.face.expression_names import is_named

from . import names
from .control_bones import add_control_bones, own_bone_names
from .control_table import BOARD, SHAPE_BONES, Control, Follow, Pull, controls_for, follows_of, shape_home
from .reading import face_object_of

_ADDED_LIMIT = 10.0  # Blender's own limit of a shape key's range: what is added may undo any tracked value
_AXIS_PATHS = {"x": "location[0]", "y": "location[1]", "z": "location[2]", "turn_x": "rotation_euler[0]"}


def add_controls(rig: bpy.types.Object, face: FaceModel, *, view_layer: bpy.types.ViewLayer) -> None:
    """Give a portrait rig its face controls; what it shows does not change.

    Args:
        rig: The portrait rig, in object mode.
        face: Its face, which says where the controls rest and which shapes there are.
        view_layer: One that shows the rig.

    Raises:
        DataError: The rig has its controls already, or has lost its face.
    """
    if has_controls(rig):
        raise DataError("has its controls already", where=rig.name, remedy="Undo, or import the take again")
    face_object = face_object_of(rig)
    shapes = [name for name in face.expression_names if is_named(name)]
    controls = controls_for(shapes)
    add_control_bones(rig, face_object, face, controls, view_layer=view_layer)
    _add_shape_properties(rig, shapes)
    _add_second_keys(face_object, shapes)
    # Properties made by scripts reach the evaluated rig only after a tag; a driver that was once evaluated without
    # its property stays switched off.
    rig.update_tag()
    _add_drivers(rig, face_object.data.shape_keys, shapes, controls)


def has_controls(rig: bpy.types.Object) -> bool:
    """Say whether a rig has its face controls."""
    return all(name in rig.pose.bones for name in SHAPE_BONES)


def rest_controls(rig: bpy.types.Object) -> None:
    """Put controls, neck and sliders back to rest and let the eyes go where they were tracked; keys are not touched."""
    bones = rig.pose.bones
    for name in own_bone_names() - {names.HEAD_BONE, BOARD, *names.EYE_BONES, names.AIM_BONE, *names.AIM_BONES}:
        if name in bones:
            bones[name].location = (0.0, 0.0, 0.0)
            bones[name].rotation_euler = (0.0, 0.0, 0.0)
    for name in SHAPE_BONES:
        for shape in bones[name].keys():
            bones[name][shape] = 0.0
    bones[names.AIM_BONE][names.INFLUENCE] = 0.0
    rig.update_tag()


def shape_property(shape: str) -> str:
    """Return the data path, from the rig object, of a shape's own slider."""
    bone, name = shape_home(shape)
    return f'pose.bones["{bone}"]["{name}"]'


def _add_shape_properties(rig: bpy.types.Object, shapes: list[str]) -> None:
    for shape in shapes:
        bone_name, name = shape_home(shape)
        bone = rig.pose.bones[bone_name]
        bone[name] = 0.0
        bone.id_properties_ui(name).update(
            min=-1.0,
            max=1.0,
            soft_min=0.0,
            soft_max=1.0,
            default=0.0,
            description=f"Added to {shape}; negative takes away from what was tracked",
        )


def _add_second_keys(face_object: bpy.types.Object, shapes: list[str]) -> None:
    keys = face_object.data.shape_keys.key_blocks
    positions = np.empty(3 * len(face_object.data.vertices), np.float32)
    for shape in shapes:
        keys[shape].data.foreach_get("co", positions)
        added = face_object.shape_key_add(name=names.added_key(shape), from_mix=False)
        added.data.foreach_set("co", positions)
        added.slider_min, added.slider_max = -_ADDED_LIMIT, _ADDED_LIMIT


def _add_drivers(rig: bpy.types.Object, key: bpy.types.Key, shapes: list[str], controls: tuple[Control, ...]) -> None:
    pulls: dict[str, list[tuple[Control, Pull]]] = {shape: [] for shape in shapes}
    for control in controls:
        for pull in control.pulls:
            pulls[pull.shape].append((control, pull))
    for shape in shapes:
        driver = key.driver_add(names.expression_value(names.added_key(shape))).driver
        driver.type = "SCRIPTED"
        _add_variable(driver, "tracked", key, "KEY", names.expression_value(shape))
        _add_variable(driver, "slider", rig, "OBJECT", shape_property(shape))
        terms = ["tracked", "slider"]
        for number, (control, pull) in enumerate(pulls[shape]):
            path = f'pose.bones["{control.name}"].{_AXIS_PATHS[pull.axis]}'
            _add_variable(driver, f"pull{number}", rig, "OBJECT", path)
            terms.append(f"pull{number}*{1 / pull.reach:.9g}")
        terms += [_following_term(driver, rig, follow) for follow in follows_of(shape)]
        # Arithmetic, min and max alone: Blender evaluates that without Python, in any file.
        driver.expression = f"max(min(tracked,0),min(max(tracked,1),{'+'.join(terms)}))-tracked"


def _following_term(driver: Any, rig: bpy.types.Object, follow: Follow) -> str:
    """Return the term by which lids follow what the aim adds to an eye's own angle.

    The turned angle comes from a matrix and is rounded; while the aim has no influence a factor of 0 keeps that out.
    """
    aim, one = names.AIM_BONE, names.AIM_BONES[follow.side]
    _add_variable(driver, "follow", rig, "OBJECT", f'pose.bones["{aim}"]["{names.LIDS_FOLLOW}"]')
    _add_variable(driver, "both", rig, "OBJECT", f'pose.bones["{aim}"]["{names.INFLUENCE}"]')
    _add_variable(driver, "one", rig, "OBJECT", f'pose.bones["{one}"]["{names.INFLUENCE}"]')
    _add_variable(driver, "own", rig, "OBJECT", f"{names.eye_rotation(follow.side)}[{follow.axis}]")
    turned = driver.variables.new()
    turned.name, turned.type = "turned", "TRANSFORMS"
    target = turned.targets[0]
    target.id, target.bone_target = rig, names.EYE_BONES[follow.side]
    target.transform_type = "ROT_X" if follow.axis == 0 else "ROT_Z"
    target.transform_space, target.rotation_mode = "LOCAL_SPACE", "XYZ"
    return f"follow*min(1,both*one*1e6)*(turned-own)*{1 / follow.reach_rad:.9g}"


def _add_variable(driver: Any, name: str, owner: bpy.types.ID, id_type: str, data_path: str) -> None:
    variable = driver.variables.new()
    variable.name = name
    target = variable.targets[0]
    target.id_type = id_type
    target.id = owner
    target.data_path = data_path
