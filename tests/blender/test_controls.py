from dataclasses import replace

import bpy
import numpy as np
import pytest
from posing import head_vertices, move, pose_of, set_shape, shown, tracked_keys

from blender_addon.passes.exporting import export_passes
from blender_addon.passes.scene_passes import pass_frame_of_scene
from blender_addon.rig import names
from blender_addon.rig.control_table import all_controls, controls_for, other_side
from blender_addon.rig.controls import has_controls, shape_property
from blender_addon.rig.importing import import_take
from blender_addon.rig.memory import forget_takes
from dvp_core.face.expression_names import ARKIT_52, SPLIT_NAMES, mirrored_name
from dvp_core.passes.render import render_passes


def rest(rig):
    for bone in rig.pose.bones:
        if bone.name not in (names.HEAD_BONE, *names.EYE_BONES):
            bone.location = (0, 0, 0)
            bone.rotation_euler = (0, 0, 0)


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


def posed_at_random(rig, controls):
    random = np.random.default_rng(3)
    for control in controls:
        for pull in control.pulls:
            move(rig, control.name, pull.axis, float(random.uniform(-0.5, 0.5) * abs(pull.reach)))
    for shape in ARKIT_52:
        set_shape(rig, shape, float(random.uniform(0.3, 0.5)))


def pose_numbers(rig):
    """Every number of every bone: channels, and custom properties by name."""
    return {
        bone.name: (
            *bone.location,
            *(bone.rotation_quaternion if bone.rotation_mode == "QUATERNION" else bone.rotation_euler),
            *(value for _, value in sorted(bone.items())),
        )
        for bone in rig.pose.bones
    }


def paste_mirrored(rig):
    bpy.ops.pose.select_all(action="SELECT")
    assert bpy.ops.pose.copy() == {"FINISHED"}
    assert bpy.ops.pose.paste(flipped=True) == {"FINISHED"}


def test_mirrored_paste_mirrors_the_face_and_twice_is_identity(still):
    posed_at_random(still.rig, controls_for(ARKIT_52))
    before, shapes, gaze = pose_numbers(still.rig), shown(still), pose_of(still).gaze_rad
    bpy.context.view_layer.objects.active = still.rig
    bpy.ops.object.mode_set(mode="POSE")
    paste_mirrored(still.rig)
    mirrored = shown(still)
    for name, value in mirrored.items():
        assert value == pytest.approx(shapes[mirrored_name(name)], abs=1e-6), name
    np.testing.assert_array_equal(pose_of(still).gaze_rad, gaze[::-1] * [-1.0, 1.0])
    assert pose_numbers(still.rig) != before
    paste_mirrored(still.rig)
    bpy.ops.object.mode_set(mode="OBJECT")
    after = pose_numbers(still.rig)
    # Blender normalises a pasted quaternion, which may change its last bit.
    assert after.pop(names.HEAD_BONE) == pytest.approx(before.pop(names.HEAD_BONE), abs=1e-6)
    assert after == before
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


def test_drivers_need_no_python(still):
    drivers = still.face.data.shape_keys.animation_data.drivers
    assert len(drivers) == 52
    shown(still)
    for curve in drivers:
        assert curve.driver.is_simple_expression, curve.data_path
        assert curve.driver.is_valid, curve.data_path


def test_faces_with_shapes_in_two_halves_are_pulled_whole_and_by_halves():
    shapes = [half for shape in ARKIT_52 for half in SPLIT_NAMES.get(shape, (shape,)) if shape != "tongueOut"]
    controls = {control.name: control for control in controls_for(shapes)}
    assert {pull.shape for control in controls.values() for pull in control.pulls} == set(shapes)
    assert [pull.shape for pull in controls["brow.inner"].pulls] == ["browInnerUpLeft", "browInnerUpRight"]
    assert [pull.shape for pull in controls["brow.inner.R"].pulls] == ["browInnerUpRight"]
    assert "board.tongueOut" not in controls
    assert "brow.inner.L" not in {control.name for control in controls_for(ARKIT_52)}


def test_two_rigs_are_posed_apart(context, take_file):
    path, take = take_file
    first, second = (import_take(path, context=context) for _ in range(2))
    set_shape(second.rig, "jawOpen", -1.0)
    move(second.rig, "mouth.corner.L", "y", -0.02)
    tracked = dict(zip(take.expression_names, take.expression[0].tolist(), strict=True))
    assert shown(first) == tracked
    assert shown(second) == {**tracked, "jawOpen": 0.0, "mouthSmileLeft": 0.0}
