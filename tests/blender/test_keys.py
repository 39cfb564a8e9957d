import json
import subprocess
import sys

import bpy
import numpy as np
import pytest

from blender_addon.headless import edit_and_export
from blender_addon.passes.scene_passes import pass_frame_of_scene
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import apply_edit_as_keys, key_expression, key_gaze, key_head_rotation
from blender_addon.rig.reading import read_pose
from dvp_core.data.edit import Curve, Edit, write_edit
from dvp_core.data.errors import DataError
from dvp_core.edit import apply_edit
from dvp_core.maths.rotations import angle_between_deg, matrix_from_quaternion_wxyz, rotation_from_yaw_pitch_roll
from dvp_core.passes.render import render_passes

EDIT = Edit(
    (
        Curve("expression.mouthSmileLeft", (1002, 1003, 1005), (0.0, 0.4, 0.0)),
        Curve("expression.jawOpen", (1003, 1004), (0.9, 0.1), "replace"),
        Curve("head.yaw_deg", (1002, 1004, 1006), (0.0, 12.0, 0.0)),
        Curve("head.pitch_deg", (1003, 1005), (5.0, -5.0)),
        Curve("head.z_m", (1002, 1004), (0.0, 0.05)),
        Curve("gaze.yaw_deg", (1001, 1006), (-5.0, 5.0)),
    )
)


def pose_at(imported, frame):
    bpy.context.scene.frame_set(frame)
    return read_pose(imported.rig, imported.take, bpy.context.evaluated_depsgraph_get())


def rotation_of(wxyz):
    return matrix_from_quaternion_wxyz(wxyz)


def test_edit_in_blender_is_the_edit_of_the_edit_room(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    apply_edit_as_keys(imported.rig, EDIT)
    edited = apply_edit(take, EDIT)
    for index, frame in enumerate(take.frames):
        pose = pose_at(imported, frame)
        np.testing.assert_allclose(pose.expression, edited.expression[index], atol=2e-6)
        np.testing.assert_allclose(pose.head_translation_m, edited.head_translation_m[index], atol=1e-6)
        np.testing.assert_allclose(pose.gaze_rad, edited.gaze_rad[index], atol=1e-6)
        expected = rotation_of(edited.head_rotation_wxyz[index])
        assert angle_between_deg(rotation_of(pose.head_rotation_wxyz), expected) < 1e-3


def test_edited_passes_are_those_of_the_edited_take(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    apply_edit_as_keys(imported.rig, EDIT)
    for expected in render_passes(apply_edit(take, EDIT)):
        context.scene.frame_set(expected.frame)
        depsgraph = context.evaluated_depsgraph_get()
        actual, _ = pass_frame_of_scene(imported.rig, take, depsgraph, frame=expected.frame, crop=take.crop)
        assert (actual.mask != expected.mask).mean() < 1e-3
        assert np.median(np.abs(actual.corr - expected.corr)) < 1e-5


def test_empty_edit_changes_no_bit(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    apply_edit_as_keys(imported.rig, Edit(()))
    pose = pose_at(imported, 1003)
    np.testing.assert_array_equal(pose.expression, take.expression[2])
    np.testing.assert_array_equal(np.abs(pose.head_rotation_wxyz), np.abs(take.head_rotation_wxyz[2]))


def test_tracked_strip_is_never_touched(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context)
    strip = imported.face.data.shape_keys.animation_data.nla_tracks[0].strips[0]
    before = tuple(strip.action.frame_range), strip.action.name
    apply_edit_as_keys(imported.rig, EDIT)
    key_expression(imported.rig, "jawOpen", 1003, 0.5)
    assert (tuple(strip.action.frame_range), strip.action.name) == before


def test_keyed_expression_is_what_is_seen_there(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    key_expression(imported.rig, "jawOpen", 1003, 0.25)
    key_expression(imported.rig, "browInnerUp", 1003, -0.1, mode="add")
    pose = pose_at(imported, 1003)
    assert pose.expression[take.expression_names.index("jawOpen")] == pytest.approx(0.25, abs=1e-6)
    brow = take.expression_names.index("browInnerUp")
    assert pose.expression[brow] == pytest.approx(max(0, take.expression[2, brow] - 0.1), abs=1e-6)


def test_key_inserted_as_an_animator_does_shows_the_value_set(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    context.scene.frame_set(1003)
    block = imported.face.data.shape_keys.key_blocks["jawOpen"]
    block.value = 0.625
    assert block.keyframe_insert("value", frame=1003)
    column = take.expression_names.index("jawOpen")
    assert pose_at(imported, 1003).expression[column] == pytest.approx(0.625, abs=1e-6)
    shift = 0.625 - take.expression[2, column]
    expected = np.clip(take.expression[4, column] + shift, 0, 1)
    assert pose_at(imported, 1005).expression[column] == pytest.approx(expected, abs=1e-6)


def test_keyed_turn_is_in_the_heads_own_axes(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    key_head_rotation(imported.rig, 1003, yaw_deg=20.0, pitch_deg=-5.0)
    turn = rotation_from_yaw_pitch_roll(*np.radians([20.0, -5.0, 0.0]))
    expected = rotation_of(take.head_rotation_wxyz[2]) @ turn
    assert angle_between_deg(rotation_of(pose_at(imported, 1003).head_rotation_wxyz), expected) < 1e-3


def test_keyed_gaze_adds_to_both_eyes(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    key_gaze(imported.rig, 1003, yaw_deg=10.0, pitch_deg=4.0)
    expected = take.gaze_rad[2] + np.radians([10.0, 4.0])
    np.testing.assert_allclose(pose_at(imported, 1003).gaze_rad, expected, atol=1e-6)


def test_unknown_expression_is_one_clear_error(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context)
    with pytest.raises(DataError, match="no expression 'noseFlute'"):
        key_expression(imported.rig, "noseFlute", 1003, 1.0)
    with pytest.raises(DataError, match="no expression 'noseFlute'"):
        apply_edit_as_keys(imported.rig, Edit((Curve("expression.noseFlute", (1003,), (1.0,)),)))


def test_edits_need_few_keys(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context)
    apply_edit_as_keys(imported.rig, Edit((Curve("gaze.yaw_deg", (1001, 1006), (0.0, 5.0)),)))
    from blender_addon.rig.animation import animator_curves

    counts = {
        (curve.data_path, curve.array_index): len(curve.keyframe_points) for curve in animator_curves(imported.rig)
    }
    assert len(counts) == 2
    assert max(counts.values()) <= 3


def test_child_process_edits_saves_and_exports(take_file, tmp_path):
    path, take = take_file
    write_edit(tmp_path / "e.json", EDIT)
    task = {
        "take": str(path),
        "edit": str(tmp_path / "e.json"),
        "blend": str(tmp_path / "edited.blend"),
        "passes": str(tmp_path / "passes"),
        "plate": None,
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    command = [sys.executable, "-m", "blender_addon.headless", str(tmp_path / "task.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["frames"] == str(take.frames)
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert told[-1] == {"stage": "passes", "done": 6, "total": 6}
    assert (tmp_path / "edited.blend").stat().st_size > 1000
    assert len(list((tmp_path / "passes").glob("passes.*.exr"))) == 6


def test_child_process_says_what_is_wrong(tmp_path):
    (tmp_path / "task.json").write_text(json.dumps({"take": "nowhere.take", "blend": "b.blend", "passes": "p"}))
    command = [sys.executable, "-m", "blender_addon.headless", str(tmp_path / "task.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "nowhere.take" in json.loads(done.stdout.splitlines()[-1])["error"]


def test_saved_edit_opens_with_its_keys(context, take_file, tmp_path):
    path, take = take_file
    edit_and_export(path, EDIT, tmp_path / "edited.blend", tmp_path / "passes")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "edited.blend"))
    rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    bpy.context.scene.frame_set(1003)
    pose = read_pose(rig, take, bpy.context.evaluated_depsgraph_get())
    np.testing.assert_allclose(pose.expression, apply_edit(take, EDIT).expression[2], atol=2e-6)
