from dataclasses import replace

import bpy
import numpy as np
import pytest
from posing import move, pose_of, set_shape, shown
from recording_layout import RecordingLayout, draw

from blender_addon.compat import ActionCurves, assign_strip_slot
from blender_addon.rig import names
from blender_addon.rig.animation import fill_curve
from blender_addon.rig.control_table import SHAPE_BONES, other_side
from blender_addon.rig.controls import add_controls, has_controls, rest_controls, shape_property
from blender_addon.rig.importing import import_take
from blender_addon.ui import control_panels
from dvp_core.data.errors import DataError
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA, HEAD_FROM_BLENDER_HEAD
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz, rotation_from_yaw_pitch_roll


def test_rest_positions_mirror_exactly(still):
    bones = still.rig.data.bones
    for bone in bones:
        if bone.name.endswith(".L") and bone.name not in (*names.EYE_BONES, *SHAPE_BONES, "board.mouthPress.L"):
            image = bones[other_side(bone.name)]
            assert tuple(image.head_local) == (-bone.head_local.x, bone.head_local.y, bone.head_local.z)
            assert np.array_equal(image.matrix_local.to_3x3(), bone.matrix_local.to_3x3())


def test_controls_are_sorted_coloured_and_drawn(still):
    collections = still.rig.data.collections
    assert {bone.name for bone in collections["Left"].bones} >= {"brow.L", "eye.L", "mouth.corner.L"}
    assert not collections["Mechanism"].is_visible
    assert {other_side(bone.name) for bone in collections["Left"].bones} == {
        bone.name for bone in collections["Right"].bones
    }
    colors = {tuple(still.rig.pose.bones[name].color.custom.normal) for name in ("brow.L", "brow.R", "jaw")}
    assert len(colors) == 3
    for bone in still.rig.pose.bones:
        assert sum(bone.name in collection.bones for collection in collections) == 1
        if bone.name == "skull":
            continue
        assert bone.custom_shape is not None, bone.name
        assert len(bone.custom_shape.data.edges) > 2


def test_a_rig_without_controls_gets_them_later(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context, has_controls=False)
    drawn = []
    control_panels.draw_controls(RecordingLayout(drawn), imported.rig)
    assert drawn == [("operator", "dvp.add_controls")]
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.dvp.add_controls("EXEC_DEFAULT", True) == {"FINISHED"}
    set_shape(imported.rig, "jawOpen", -1.0)
    assert shown(imported)["jawOpen"] == 0
    with pytest.raises(RuntimeError, match="has its controls"):
        bpy.ops.dvp.add_controls()
    with pytest.raises(DataError, match="controls already"):
        add_controls(imported.rig, take.face, view_layer=context.view_layer)


def test_the_neck_turns_the_face_about_its_own_base(still):
    rig, scene = still.rig, bpy.context.scene
    neck = rig.data.bones["neck"].head_local
    base = np.array(neck) @ HEAD_FROM_BLENDER_HEAD.T
    before = pose_of(still)
    rig.pose.bones["neck"].rotation_euler = (0.0, np.radians(25), 0.0)
    after = pose_of(still)
    assert after.notes == ()
    turn = rotation_from_yaw_pitch_roll(np.radians(25), 0.0, 0.0)
    rotation = matrix_from_quaternion_wxyz(before.head_rotation_wxyz) @ turn
    assert angle_between_deg(matrix_from_quaternion_wxyz(after.head_rotation_wxyz), rotation) < 1e-3
    place = [
        matrix_from_quaternion_wxyz(pose.head_rotation_wxyz) @ base + pose.head_translation_m
        for pose in (before, after)
    ]
    np.testing.assert_allclose(place[1], place[0], atol=1e-6)
    # The mesh that Blender shows is the one that the passes draw.
    take = replace(
        still.take,
        **{
            name: np.repeat(getattr(after, name)[None], 2, axis=0)
            for name in ("head_rotation_wxyz", "head_translation_m", "expression", "gaze_rad")
        },
    )
    mesh = still.face.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    np.testing.assert_allclose(
        positions.reshape(-1, 3), pose_vertices(take, 0) @ BLENDER_WORLD_FROM_CAMERA.T, atol=1e-5
    )
    rig.pose.bones["neck"].rotation_euler = (0.0, 0.0, 0.0)
    assert pose_of(still).head_rotation_wxyz.tobytes() == before.head_rotation_wxyz.tobytes()
    assert scene.frame_current == 1001


def looks_at(imported, point_world):
    """The gaze (2, 2) of eyes that look at a point of the scene."""
    found = []
    for name in names.EYE_BONES:
        bone = imported.rig.pose.bones[name]
        parent = bone.parent.matrix.to_3x3() @ bone.parent.bone.matrix_local.to_3x3().inverted()
        direction = bone.bone.matrix_local.to_3x3().inverted() @ parent.inverted() @ (point_world - bone.head)
        direction.normalize()
        found.append((np.arctan2(-direction.x, direction.y), np.arcsin(direction.z)))
    return np.array(found)


def test_eyes_look_at_the_aim_as_far_as_its_influence_says(still):
    rig = still.rig
    tracked = pose_of(still).gaze_rad
    aim = rig.pose.bones["aim"]
    aim.location = (0.1, 0.05, 0.0)
    assert pose_of(still).gaze_rad.tobytes() == tracked.tobytes()
    aim["influence"] = 1.0
    rig.update_tag()
    gaze = pose_of(still).gaze_rad
    for side, name in enumerate(names.AIM_BONES):
        expected = looks_at(still, rig.pose.bones[name].head)[side]
        np.testing.assert_allclose(gaze[side], expected, atol=1e-5)
    assert (gaze[:, 0] > 0.1).all(), "an aim moved to the subject's left draws the eyes to the subject's left"
    assert (gaze[:, 1] > 0.05).all()
    rig.pose.bones["aim.R"]["influence"] = 0.0
    rig.update_tag()
    one = pose_of(still).gaze_rad
    np.testing.assert_array_equal(one[0], gaze[0])
    np.testing.assert_array_equal(one[1], tracked[1])
    rig.pose.bones["aim.R"]["influence"] = 1.0
    aim["influence"] = 0.5
    rig.update_tag()
    half = pose_of(still).gaze_rad
    assert (np.abs(half - (gaze + tracked) / 2) < 0.03).all()


def test_lids_follow_the_aim_as_far_as_asked(still):
    rig, own = still.rig, pose_of(still).gaze_rad
    aim = rig.pose.bones["aim"]
    aim.location = (0.15, 0.08, 0.0)
    assert not any(shown(still).values())
    aim["influence"] = 1.0
    rig.update_tag()
    turn = pose_of(still).gaze_rad - own
    expected = {}
    for side, (name, inward) in enumerate((("Left", -1), ("Right", 1))):
        yaw, pitch = turn[side] / 0.5
        expected[f"eyeLookUp{name}"], expected[f"eyeLookDown{name}"] = pitch, -pitch
        expected[f"eyeLookIn{name}"], expected[f"eyeLookOut{name}"] = inward * yaw, -inward * yaw
    values = shown(still)
    assert max(expected.values()) > 0.1
    for name, value in values.items():
        assert value == pytest.approx(np.clip(expected.get(name, 0.0), 0, 1), abs=0.02), name
    aim["lids_follow"] = 0.0
    rig.update_tag()
    assert not any(shown(still).values())


def test_an_aim_can_stay_in_the_scene_while_the_head_moves(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context)
    rig = imported.rig

    def aim_at(frame):
        context.scene.frame_set(frame)
        return np.array(rig.pose.bones["aim"].head)

    assert np.abs(aim_at(1001) - aim_at(1004)).max() > 1e-3
    rig.pose.bones["aim"]["follow_head"] = 0.0
    rig.update_tag()
    np.testing.assert_array_equal(aim_at(1001), aim_at(1004))


def test_adding_controls_later_is_one_undo_step(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context, has_controls=False)
    rig_name, bones = imported.rig.name, imported.rig.data.bones.keys()
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.dvp.add_controls("EXEC_DEFAULT", True) == {"FINISHED"}
    rig = bpy.data.objects[rig_name]
    assert len(rig.data.bones) > len(bones)
    bpy.ops.ed.undo()
    rig = bpy.data.objects[rig_name]
    assert rig.data.bones.keys() == bones
    assert not has_controls(rig)
    assert "skull" not in rig.dvp_rig.face.vertex_groups


def test_rest_leaves_the_performance_alone(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    context.scene.frame_set(1002)
    tracked = pose_of(imported)
    move(imported.rig, "jaw", "turn_x", 0.2)
    set_shape(imported.rig, "eyeBlinkLeft", 0.5)
    imported.rig.pose.bones["neck"].rotation_euler = (0.1, 0.2, 0.3)
    imported.rig.pose.bones["aim"]["influence"] = 1.0
    assert shown(imported) != dict(zip(take.expression_names, tracked.expression.tolist(), strict=True))
    assert bpy.ops.dvp.rest_controls() == {"FINISHED"}
    rested = pose_of(imported)
    for name in ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad"):
        assert getattr(rested, name).tobytes() == getattr(tracked, name).tobytes()


def test_panels_show_every_slider(still, context):
    drawn = []
    draw(control_panels.DVP_PT_controls, RecordingLayout(drawn), context)
    assert drawn.count(("prop", "is_visible")) == 5
    assert ("prop", '["influence"]') in drawn
    assert drawn[-1] == ("operator", "dvp.rest_controls")
    drawn.clear()
    draw(control_panels.DVP_PT_shapes, RecordingLayout(drawn), context)
    assert len(drawn) == 52


def in_3d_view():
    """The context of a 3D view, which some of Blender's own operators ask for."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "VIEW_3D"
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def test_poses_of_the_library_and_whole_character_keys_hold_controls_and_sliders(still):
    """What Pose Library, keying sets and NLA do, they do by these three."""
    rig, scene = still.rig, bpy.context.scene
    move(rig, "mouth.corner.L", "y", 0.02)
    set_shape(rig, "cheekPuff", 0.75)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.select_all(action="SELECT")
    scene.frame_set(1002)
    with in_3d_view():
        assert bpy.ops.anim.keyframe_insert_by_name(type="WholeCharacter") == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    action = rig.animation_data.action
    keyed = {curve.data_path for curve in ActionCurves(action, rig)}
    assert {'pose.bones["mouth.corner.L"].location', shape_property("cheekPuff")} <= keyed
    pose = bpy.data.actions.new("smile")
    curves = ActionCurves(pose, rig)
    fill_curve(curves.new('pose.bones["mouth.corner.L"].location', 1), np.array([1.0]), np.array([0.01]))
    fill_curve(curves.new(shape_property("jawOpen")), np.array([1.0]), np.array([0.5]))
    rest_controls(rig)
    rig.pose.apply_pose_from_action(pose, evaluation_time=1.0)
    rig.update_tag()
    values = shown(still)
    assert values["mouthSmileLeft"] == pytest.approx(0.5, abs=1e-6)
    assert values["jawOpen"] == pytest.approx(0.5, abs=1e-6)


def test_a_strip_of_control_keys_adds_in_the_nla(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    rig = imported.rig
    action = bpy.data.actions.new("smirk")
    curves = ActionCurves(action, rig)
    frames = np.array([1001.0, 1006.0])
    fill_curve(curves.new('pose.bones["mouth.corner.R"].location', 1), frames, np.array([0.005, 0.005]))
    fill_curve(curves.new(shape_property("jawOpen")), frames, np.array([-0.5, -0.5]))
    track = rig.animation_data.nla_tracks.new()
    strip = track.strips.new("smirk", 1001, action)
    assign_strip_slot(strip, curves)
    strip.blend_type = "ADD"
    strip.use_auto_blend = False
    strip.use_animated_influence = True
    for strength in (1.0, 0.5, 0.0):
        strip.fcurves.find("influence").keyframe_points.insert(1001, strength)
        context.scene.frame_set(1003)
        values = shown(imported)
        tracked = dict(zip(take.expression_names, take.expression[2].tolist(), strict=True))
        smile = min(1, tracked["mouthSmileRight"] + 0.25 * strength)
        assert values["mouthSmileRight"] == pytest.approx(smile, abs=1e-6)
        assert values["jawOpen"] == pytest.approx(max(0, tracked["jawOpen"] - 0.5 * strength), abs=1e-6)
        if strength == 0:
            assert values == tracked


def test_controls_stop_where_their_table_ends(still):
    rig = still.rig
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="POSE")
    for bone, expected in (("mouth.corner.L", (0.015, 0.02, 0.01)), ("lid.L", (0, 0.011, 0)), ("shapes", (0, 0, 0))):
        bpy.ops.pose.select_all(action="DESELECT")
        select(rig, bone)
        with in_3d_view():
            assert bpy.ops.transform.translate(value=(1.0, 1.0, 1.0), orient_type="LOCAL") == {"FINISHED"}
        np.testing.assert_allclose(rig.pose.bones[bone].location, expected, atol=1e-6, err_msg=bone)
    bpy.ops.object.mode_set(mode="OBJECT")


def select(rig, name):
    """Select a bone in pose mode; from 5.0 on that is a pose bone's matter."""
    bone = rig.pose.bones[name]
    rig.data.bones.active = bone.bone
    (bone if hasattr(bone, "select") else bone.bone).select = True
