"""A rig with a second performer at hand, and what its scene shows; for the tests of layers."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import bpy
import numpy as np
from small_take import small_take

from blender_addon.compat import ActionCurves, vertex_positions
from blender_addon.passes.exporting import export_passes
from blender_addon.rig import names
from blender_addon.rig.importing import import_take
from blender_addon.rig.reading import read_pose
from dvp_core.data.clip import Clip
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take
from dvp_core.passes import PassFolder
from dvp_core.passes.render import render_passes

CURVES = ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad")
ROUNDING = 2e-7  # float32 around 1


def bea(*, frame_count=24, fps=Fraction(30000, 1001), seed=7, start_frame=1):
    """A performer of the same face, who moves otherwise."""
    clip = Clip("bea.mp4", "1" * 64, 320, 180, fps, start_frame, frame_count)
    return replace(small_take(seed=seed, clip=clip), subject="Bea")


def make_shot(context, folder):
    """Ada's rig of 24 frames, and takes on disk: her own and Bea's."""
    clip = Clip("plate.mp4", "0" * 64, 320, 180, Fraction(30000, 1001), 1001, 24)
    take, performer = small_take(clip=clip), bea()
    write_take(folder / "ada.take", take)
    write_take(folder / "bea.take", performer)
    imported = import_take(folder / "ada.take", context=context)
    return SimpleNamespace(
        take=take, performer=performer, rig=imported.rig, face=imported.face, scene=context.scene, folder=folder
    )


def shown(shot, frames=None):
    """What the evaluated scene shows in each channel, (F, numbers)."""
    numbers = shot.take.frames.numbers if frames is None else frames
    found = {name: [] for name in CURVES}
    for frame in numbers:
        shot.scene.frame_set(int(frame))
        pose = read_pose(shot.rig, shot.take, bpy.context.evaluated_depsgraph_get())
        for name in CURVES:
            found[name].append(np.ravel(getattr(pose, name)))
    return {name: np.array(values) for name, values in found.items()}


def curves_of(take):
    return {name: getattr(take, name).reshape(take.frame_count, -1) for name in CURVES}


def assert_same(actual, expected, tolerance=0.0):
    for name in CURVES:
        a, b = actual[name], expected[name]
        if name == "head_rotation_wxyz" and tolerance:
            b = b * np.sign((a * b).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=name)


def tracked_keys(shot):
    """Every key of the tracked strips, by channel."""
    found = {}
    for owner in (shot.rig, shot.face.data.shape_keys):
        strip = owner.animation_data.nla_tracks["Tracked"].strips[0]
        for curve in ActionCurves(strip.action, owner):
            found[owner.name, curve.data_path, curve.array_index] = [tuple(p.co) for p in curve.keyframe_points]
    return found


def animator_curve(shot, name):
    key = shot.face.data.shape_keys
    return ActionCurves(key.animation_data.action, key).find(names.expression_value(name))


def track_names():
    owners = (bpy.data.objects["Ada Rig"], bpy.data.objects["Ada Face"].data.shape_keys)
    return [[track.name for track in owner.animation_data.nla_tracks] for owner in owners]


def passes_of(shot, name):
    """The passes of one frame in the middle, as the scene exports them."""
    export_passes(shot.scene, shot.folder / name, FrameRange.span(1011, 1011))
    return PassFolder(shot.folder / name).read(1011)


def exported(shot, name):
    """The bytes of two frames' files."""
    return [path.read_bytes() for path in export_passes(shot.scene, shot.folder / name, FrameRange.parse("1004,1020"))]


def passes_of_take(shot, take):
    return next(passes for passes in render_passes(take) if passes.frame == 1011)


def evaluated_vertices(item, scene, frame):
    """The evaluated mesh (V, 3) in the world."""
    scene.frame_set(frame)
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrix = np.array(evaluated.matrix_world)
    return vertex_positions(evaluated.data) @ matrix[:3, :3].T + matrix[:3, 3]
