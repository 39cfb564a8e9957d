"""Moving a rig's controls, and what is seen then."""

import bpy
import numpy as np

from blender_addon.compat import ActionCurves
from blender_addon.rig import names
from blender_addon.rig.control_table import shape_home
from blender_addon.rig.reading import read_pose
from dvp_core.maths.frames import HEAD_FROM_BLENDER_HEAD

CHANNELS = {"x": ("location", 0), "y": ("location", 1), "z": ("location", 2), "turn_x": ("rotation_euler", 0)}


def shown(imported):
    """What the evaluated scene shows now, by shape."""
    bpy.context.view_layer.update()
    pose = read_pose(imported.rig, imported.take, bpy.context.evaluated_depsgraph_get())
    return dict(zip(imported.take.expression_names, pose.expression.tolist(), strict=True))


def pose_of(imported):
    bpy.context.view_layer.update()
    return read_pose(imported.rig, imported.take, bpy.context.evaluated_depsgraph_get())


def move(rig, bone, axis, value):
    channel, index = CHANNELS[axis]
    getattr(rig.pose.bones[bone], channel)[index] = value


def set_shape(rig, shape, value):
    bone, name = shape_home(shape)
    rig.pose.bones[bone][name] = value
    rig.update_tag()


def head_vertices(imported):
    """Vertices of the evaluated shape keys in head axes, without the head's pose."""
    modifier = imported.face.modifiers[names.ARMATURE_MODIFIER]
    modifier.show_viewport = False
    bpy.context.view_layer.update()
    mesh = imported.face.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    modifier.show_viewport = True
    return positions.reshape(-1, 3) @ HEAD_FROM_BLENDER_HEAD.T


def tracked_keys(imported):
    found = []
    for owner in (imported.rig, imported.face.data.shape_keys):
        action = owner.animation_data.nla_tracks[names.TRACKED_TRACK].strips[0].action
        for curve in ActionCurves(action, owner):
            found.append((curve.data_path, [tuple(point.co) for point in curve.keyframe_points]))
    return found
