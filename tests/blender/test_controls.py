from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from recording_layout import RecordingLayout
from small_take import small_take

from blender_addon.compat import ActionCurves, assign_strip_slot
from blender_addon.passes.exporting import export_passes
from blender_addon.passes.scene_passes import pass_frame_of_scene
from blender_addon.rig import names
from blender_addon.rig.animation import fill_curve
from blender_addon.rig.control_table import SHAPE_BONES, all_controls, controls_for, other_side, shape_home
from blender_addon.rig.controls import add_controls, has_controls, rest_controls, shape_property
from blender_addon.rig.importing import import_take
from blender_addon.rig.memory import forget_takes
from blender_addon.rig.reading import read_pose
from blender_addon.ui import control_panels
from dvp_core.data.errors import DataError
from dvp_core.data.take import with_compact_face, write_take
from dvp_core.face import built_in_face
from dvp_core.face.expression_names import ARKIT_52, mirrored_name
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA, HEAD_FROM_BLENDER_HEAD
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz, rotation_from_yaw_pitch_roll
from dvp_core.passes.render import render_passes

CHANNELS = {"x": ("location", 0), "y": ("location", 1), "z": ("location", 2), "turn_x": ("rotation_euler", 0)}


@pytest.fixture(scope="module")
def built_in():
    model = built_in_face()
    return with_compact_face(model.baked(np.zeros(model.identity_count)))


@pytest.fixture
def still(context, tmp_path, built_in):
    """A rig of the built-in face whose tracked expressions are all zero."""
    take = small_take(face=built_in, frame_count=2)
    path = tmp_path / "still.take"
    write_take(path, replace(take, expression=0 * take.expression))
    return import_take(path, context=context)


def shown(imported):
    """What the evaluated scene shows now, by shape."""
    bpy.context.view_layer.update()
    pose = read_pose(imported.rig, imported.take, bpy.context.evaluated_depsgraph_get())
    return dict(zip(imported.take.expression_names, pose.expression.tolist(), strict=True))


def move(rig, bone, axis, value):
    channel, index = CHANNELS[axis]
    getattr(rig.pose.bones[bone], channel)[index] = value


def set_shape(rig, shape, value):
    bone, name = shape_home(shape)
    rig.pose.bones[bone][name] = value
    rig.update_tag()


def rest(rig):
    for bone in rig.pose.bones:
        if bone.name not in (names.HEAD_BONE, *names.EYE_BONES):
            bone.location = (0, 0, 0)
            bone.rotation_euler = (0, 0, 0)


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


def test_every_shape_is_pulled_by_a_control_and_has_its_own_slider(still):
    controls = controls_for(ARKIT_52)
    pulled = {pull.shape for control in controls for pull in control.pulls}
    assert pulled == set(ARKIT_52) == set(still.take.expression_names)
    for control in controls:
        for pull in control.pulls:
            move(still.rig, control.name, pull.axis, pull.reach)
            expected = {other.shape: other.reach == pull.reach for other in control.pulls if other.axis == pull.axis}
            values = shown(still)
            assert {name: value for name, value in values.items() if value} == pytest.approx(
                {name: 1.0 for name, is_risen in expected.items() if is_risen}, abs=1e-6
            )
            move(still.rig, control.name, pull.axis, 0.0)
    for shape in ARKIT_52:
        set_shape(still.rig, shape, 0.625)
        assert {name: value for name, value in shown(still).items() if value} == {shape: 0.625}
        set_shape(still.rig, shape, 0.0)
    assert not any(shown(still).values())


def test_left_controls_move_the_subjects_left(still):
    neutral = head_vertices(still)
    for control in controls_for(ARKIT_52):
        if not control.name.endswith(".L"):
            continue
        for pull in control.pulls:
            move(still.rig, control.name, pull.axis, pull.reach)
            moved = np.linalg.norm(head_vertices(still) - neutral, axis=1)
            assert moved.max() > 1e-4, pull
            assert moved @ neutral[:, 0] > 0, pull
            move(still.rig, control.name, pull.axis, 0.0)
    move(still.rig, "lid.L", "y", -0.011)
    assert shown(still)["eyeBlinkLeft"] == pytest.approx(1, abs=1e-6)
    moved = np.linalg.norm(head_vertices(still) - neutral, axis=1) > 1e-4
    assert moved.sum() > 10
    assert (neutral[moved, 0] > 0).all()


def test_the_table_is_its_own_mirror_image():
    table = {control.name: control for control in all_controls()}
    for control in table.values():
        image = table[other_side(control.name)]
        flipped = {
            (mirrored_name(pull.shape), pull.axis, -pull.reach if pull.axis == "x" else pull.reach)
            for pull in control.pulls
        }
        assert {(pull.shape, pull.axis, pull.reach) for pull in image.pulls} == flipped


def test_rest_positions_mirror_exactly(still):
    bones = still.rig.data.bones
    for bone in bones:
        if bone.name.endswith(".L") and bone.name not in (*names.EYE_BONES, *SHAPE_BONES, "board.mouthPress.L"):
            image = bones[other_side(bone.name)]
            assert tuple(image.head_local) == (-bone.head_local.x, bone.head_local.y, bone.head_local.z)
            assert np.array_equal(image.matrix_local.to_3x3(), bone.matrix_local.to_3x3())


def posed_at_random(rig, controls):
    random = np.random.default_rng(3)
    for control in controls:
        for pull in control.pulls:
            move(rig, control.name, pull.axis, float(random.uniform(-0.5, 0.5) * abs(pull.reach)))
    for shape in ARKIT_52:
        set_shape(rig, shape, float(random.uniform(0.3, 0.5)))


def control_numbers(rig):
    return {
        bone.name: (*bone.location, *bone.rotation_euler, *(value for _, value in sorted(bone.items())))
        for bone in rig.pose.bones
        if bone.name not in (names.HEAD_BONE, *names.EYE_BONES)
    }


def paste_mirrored(rig):
    bpy.ops.pose.select_all(action="SELECT")
    assert bpy.ops.pose.copy() == {"FINISHED"}
    assert bpy.ops.pose.paste(flipped=True) == {"FINISHED"}


def test_mirrored_paste_mirrors_the_face_and_twice_is_identity(still):
    posed_at_random(still.rig, controls_for(ARKIT_52))
    before, shapes = control_numbers(still.rig), shown(still)
    bpy.context.view_layer.objects.active = still.rig
    bpy.ops.object.mode_set(mode="POSE")
    paste_mirrored(still.rig)
    mirrored = shown(still)
    for name, value in mirrored.items():
        assert value == pytest.approx(shapes[mirrored_name(name)], abs=1e-6), name
    assert control_numbers(still.rig) != before
    paste_mirrored(still.rig)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert control_numbers(still.rig) == before
    assert shown(still) == shapes


def test_controls_at_rest_change_no_bit(context, take_file, tmp_path):
    path, take = take_file
    bare = import_take(path, context=context, has_controls=False)
    assert not has_controls(bare.rig)
    bare_vertices = []
    for frame in take.frames:
        context.scene.frame_set(frame)
        bare_vertices.append(head_vertices(bare))
    bpy.ops.wm.read_homefile(use_empty=True)
    imported = import_take(path, context=bpy.context)
    assert has_controls(imported.rig)
    scene = bpy.context.scene
    for index, expected in enumerate(render_passes(take)):
        scene.frame_set(expected.frame)
        np.testing.assert_array_equal(head_vertices(imported), bare_vertices[index])
        depsgraph = bpy.context.evaluated_depsgraph_get()
        actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=expected.frame, crop=take.crop)
        assert notes == ()
        for name in ("color", "corr", "gaze", "mask", "depth"):
            np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)


def test_controls_add_to_the_tracked_value_and_stay_in_its_range(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    column = take.expression_names.index("mouthSmileLeft")
    for index, frame in enumerate(take.frames):
        tracked = float(take.expression[index, column])
        context.scene.frame_set(frame)
        for lift in (0.25, 1.0, -0.25, -1.0):
            move(imported.rig, "mouth.corner.L", "y", lift * 0.02)
            expected = float(np.clip(tracked + lift, 0, 1))
            assert shown(imported)["mouthSmileLeft"] == pytest.approx(expected, abs=1e-6)
        rest(imported.rig)


def test_passes_see_what_controls_do(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    move(imported.rig, "jaw", "turn_x", 0.35)
    set_shape(imported.rig, "browInnerUp", -1.0)
    context.scene.frame_set(1003)
    expression = take.expression.copy()
    expression[2, take.expression_names.index("jawOpen")] = 1
    expression[2, take.expression_names.index("browInnerUp")] = 0
    expected = list(render_passes(replace(take, expression=expression)))[2]
    depsgraph = context.evaluated_depsgraph_get()
    actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=1003, crop=take.crop)
    assert notes == ()
    np.testing.assert_allclose(actual.corr, expected.corr, atol=1e-5)
    untouched = list(render_passes(take))[2]
    assert np.abs(actual.corr - untouched.corr).max() > 0.01


def test_keyed_controls_survive_the_file_byte_by_byte(context, take_file, tmp_path):
    path, take = take_file
    imported = import_take(path, context=context)
    rig = imported.rig
    before = tracked_keys(imported)
    for frame, lift in ((1001, 0.0), (1004, 0.02), (1006, -0.01)):
        context.scene.frame_set(frame)
        move(rig, "mouth.corner.R", "y", lift)
        assert rig.pose.bones["mouth.corner.R"].keyframe_insert("location", index=1, frame=frame)
        set_shape(rig, "eyeBlinkLeft", abs(lift) * 40)
        assert rig.keyframe_insert(shape_property("eyeBlinkLeft"), frame=frame)
    context.scene.frame_set(1004)
    values = shown(imported)
    tracked = dict(zip(take.expression_names, take.expression[3].tolist(), strict=True))
    assert values["mouthSmileRight"] == pytest.approx(1, abs=1e-6)
    assert values["eyeBlinkLeft"] == pytest.approx(min(1, tracked["eyeBlinkLeft"] + 0.8), abs=1e-6)
    assert values["jawOpen"] == tracked["jawOpen"]
    assert tracked_keys(imported) == before
    first = [file.read_bytes() for file in export_passes(context.scene, tmp_path / "first")]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    forget_takes()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    second = [file.read_bytes() for file in export_passes(bpy.context.scene, tmp_path / "second")]
    assert second == first
    assert len(first) == 6


def tracked_keys(imported):
    found = []
    for owner in (imported.rig, imported.face.data.shape_keys):
        action = owner.animation_data.nla_tracks[names.TRACKED_TRACK].strips[0].action
        for curve in ActionCurves(action, owner):
            found.append((curve.data_path, [tuple(point.co) for point in curve.keyframe_points]))
    return found


def test_drivers_need_no_python(still):
    drivers = still.face.data.shape_keys.animation_data.drivers
    assert len(drivers) == 52
    shown(still)
    for curve in drivers:
        assert curve.driver.is_simple_expression, curve.data_path
        assert curve.driver.is_valid, curve.data_path


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


def pose_of(imported):
    bpy.context.view_layer.update()
    return read_pose(imported.rig, imported.take, bpy.context.evaluated_depsgraph_get())


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
    control_panels.DVP_PT_controls.draw(SimpleNamespace(layout=RecordingLayout(drawn)), context)
    assert drawn.count(("prop", "is_visible")) == 5
    assert ("prop", '["influence"]') in drawn
    assert drawn[-1] == ("operator", "dvp.rest_controls")
    drawn.clear()
    control_panels.DVP_PT_shapes.draw(SimpleNamespace(layout=RecordingLayout(drawn)), context)
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
