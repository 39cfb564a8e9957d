"""The dial of smoothing on a rig, in real Blender."""

from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from recording_layout import RecordingLayout, draw
from small_take import small_take

from blender_addon.compat import ActionCurves
from blender_addon.passes.exporting import export_passes
from blender_addon.rig import names
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression, key_head_rotation
from blender_addon.rig.memory import forget_takes, imported_take, remembered_take
from blender_addon.rig.smoothing import turn_dial
from blender_addon.ui import panels
from dvp_core.data.errors import DataError
from dvp_core.data.measurement import Measurement
from dvp_core.data.take import read_take, write_take
from dvp_core.edit import smooth
from dvp_core.passes import PassFolder
from dvp_core.passes.render import render_passes
from dvp_core.pipeline.track import smooth_take


def tracked_take():
    """A take that was measured with large deviations and is seen with the dial at a half."""
    take = small_take(frame_count=8)
    count, expressions = take.expression.shape
    random = np.random.default_rng(4)
    measured = Measurement(
        head_rotation_wxyz=take.head_rotation_wxyz,
        head_translation_m=take.head_translation_m,
        expression=(1.2 * take.expression - 0.1).astype(np.float32),  # raw curves leave 0..1
        gaze_rad=take.gaze_rad,
        rotation_sigma_rad=np.full((count, 3), 0.3, np.float32),
        translation_sigma_m=np.full((count, 3), 0.02, np.float32),
        expression_sigma=random.uniform(0.2, 0.4, (count, expressions)).astype(np.float32),
        gaze_sigma_rad=np.full((count, 2, 2), 0.3, np.float32),
    )
    return smooth(replace(take, measured=measured), 0.5)


@pytest.fixture
def tracked(context, tmp_path):
    """The take's file, and the rig imported from it."""
    path = tmp_path / "ada.take"
    write_take(path, tracked_take())
    return SimpleNamespace(path=path, imported=import_take(path, context=context), scene=context.scene)


def owners(imported):
    return imported.rig, imported.face.data.shape_keys


def curves_of(imported, *, is_tracked):
    """Every key of the tracked strips, or of the animator's layers, by channel."""
    found = {}
    for owner in owners(imported):
        animation = owner.animation_data
        action = animation.nla_tracks[names.TRACKED_TRACK].strips[0].action if is_tracked else animation.action
        for curve in ActionCurves(action, owner):
            keys = [
                (*point.co, *point.handle_left, *point.handle_right, point.interpolation)
                for point in curve.keyframe_points
            ]
            found[owner.name, curve.data_path, curve.array_index] = keys
    return found


def assert_shows(scene, folder, expected):
    files = export_passes(scene, folder)
    assert len(files) == expected.frame_count
    passes = PassFolder(folder)
    for wanted in render_passes(expected):
        actual = passes.read(wanted.frame)
        for name in ("color", "corr", "gaze", "mask", "depth"):
            np.testing.assert_array_equal(getattr(actual, name), getattr(wanted, name), err_msg=name)
        assert actual.take_sha256 == wanted.take_sha256
        assert actual.content_sha256 == wanted.content_sha256


def test_the_dial_at_zero_shows_the_measured_curves_bit_for_bit(tracked, context, tmp_path):
    imported = tracked.imported
    at_import = curves_of(imported, is_tracked=True)
    turn_dial(imported.rig, 0.8)
    turned = curves_of(imported, is_tracked=True)
    turn_dial(imported.rig, 0.0)
    raw = curves_of(imported, is_tracked=True)
    measured = imported.take.measured
    for number, name in enumerate(imported.take.expression_names):
        keys = raw[imported.face.data.shape_keys.name, names.expression_value(name), 0]
        assert [key[1] for key in keys] == measured.expression[:, number].tolist()
    assert raw != turned != at_import
    turn_dial(imported.rig, 0.5)
    assert curves_of(imported, is_tracked=True) == at_import
    # And all of it as an import of the measured take has it, sliders' ranges too.
    turn_dial(imported.rig, 0.0)
    ranges = [(key.slider_min, key.slider_max) for key in imported.face.data.shape_keys.key_blocks]
    smooth_take(tracked.path, tmp_path / "raw.take", strength=0.0)
    bpy.ops.wm.read_homefile(use_empty=True)
    fresh = import_take(tmp_path / "raw.take", context=bpy.context)
    assert list(curves_of(fresh, is_tracked=True).values()) == list(raw.values())
    assert [(key.slider_min, key.slider_max) for key in fresh.face.data.shape_keys.key_blocks] == ranges


@pytest.mark.parametrize("strength", [0.0, 0.8])
def test_passes_after_the_dial_are_those_of_the_smoothed_take(tracked, tmp_path, strength):
    smooth_take(tracked.path, tmp_path / "calm.take", strength=strength)
    expected = read_take(tmp_path / "calm.take")
    imported = tracked.imported
    imported.rig.dvp_rig.smoothing = strength
    assert bpy.ops.dvp.smooth() == {"FINISHED"}
    assert remembered_take(imported.rig).sha256 == expected.sha256
    assert imported.rig.dvp_rig.take_sha256 == expected.sha256
    assert_shows(tracked.scene, tmp_path / "passes", expected)


def test_the_animators_keys_stay(tracked):
    imported = tracked.imported
    key_expression(imported.rig, "jawOpen", 1003, 0.3, mode="add")
    key_head_rotation(imported.rig, 1004, yaw_deg=10)
    imported.face.data.shape_keys.key_blocks["jawOpen"].slider_max = 3.0
    before = curves_of(imported, is_tracked=False)
    turn_dial(imported.rig, 0.8)
    assert curves_of(imported, is_tracked=False) == before
    assert len(before) == 5
    assert imported.face.data.shape_keys.key_blocks["jawOpen"].slider_max == 3.0


def test_what_is_seen_follows_at_once(tracked):
    imported = tracked.imported
    tracked.scene.frame_set(1004)
    turn_dial(imported.rig, 0.9)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    keys = imported.face.data.shape_keys.evaluated_get(depsgraph).key_blocks
    expected = smooth(imported.take, 0.9).expression[3]
    np.testing.assert_array_equal(np.array([keys[name].value for name in imported.take.expression_names]), expected)


def test_operator_does_what_the_function_does(tracked):
    imported = tracked.imported
    turn_dial(imported.rig, 0.25)
    by_function = curves_of(imported, is_tracked=True)
    turn_dial(imported.rig, 0.9)
    assert bpy.ops.dvp.smooth(strength=0.25) == {"FINISHED"}
    assert curves_of(imported, is_tracked=True) == by_function
    assert imported.rig.dvp_rig.smoothing == pytest.approx(0.25)


def test_the_dial_is_one_undo_step(tracked, tmp_path):
    bpy.ops.ed.undo_push(message="before")
    rig_name = tracked.imported.rig.name
    before = tracked.imported.rig.dvp_rig.take_sha256
    assert bpy.ops.dvp.smooth("EXEC_DEFAULT", True, strength=0.8) == {"FINISHED"}
    assert bpy.data.objects[rig_name].dvp_rig.take_sha256 != before
    bpy.ops.ed.undo()
    rig = bpy.data.objects[rig_name]
    assert rig.dvp_rig.take_sha256 == before
    assert rig.dvp_rig.smoothing == 0.5
    assert_shows(bpy.context.scene, tmp_path / "passes", tracked.imported.take)


def test_the_dial_survives_the_file_on_any_machine(tracked, tmp_path):
    turn_dial(tracked.imported.rig, 0.8)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    tracked.path.unlink()
    bpy.ops.wm.read_homefile(use_empty=True)
    forget_takes()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    assert remembered_take(rig).sha256 == smooth(tracked.imported.take, 0.8).sha256
    assert imported_take(rig).sha256 == tracked.imported.take.sha256
    assert_shows(bpy.context.scene, tmp_path / "passes", smooth(tracked.imported.take, 0.8))


def test_a_take_without_measurement_has_no_dial(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    with pytest.raises(DataError, match="no measurement"):
        turn_dial(imported.rig, 0.5)
    with pytest.raises(RuntimeError, match="no measurement"):
        bpy.ops.dvp.smooth(strength=0.5)
    assert remembered_take(imported.rig).sha256 == take.sha256
    drawn = []
    draw(panels.DVP_PT_smoothing, RecordingLayout(drawn), context)
    assert ("enabled", False) in drawn
    assert ("label", "No measurement in this take") in drawn


def test_the_panel_says_where_the_curves_stand(tracked, context):
    tracked.imported.rig.dvp_rig.smoothing = 0.75
    drawn = []
    draw(panels.DVP_PT_smoothing, RecordingLayout(drawn), context)
    assert drawn == [
        ("enabled", True),
        ("prop", "smoothing"),
        ("operator", "dvp.smooth"),
        ("label", "Shown is 0.50"),
    ]
    bpy.ops.dvp.smooth()
    drawn.clear()
    draw(panels.DVP_PT_smoothing, RecordingLayout(drawn), context)
    assert "label" not in dict(drawn)


def test_a_strip_changed_by_hand_is_refused_whole(tracked):
    imported = tracked.imported
    key = imported.face.data.shape_keys
    action = key.animation_data.nla_tracks[names.TRACKED_TRACK].strips[0].action
    curve = ActionCurves(action, key).find(names.expression_value("eyeBlinkLeft"))
    curve.keyframe_points.remove(curve.keyframe_points[2])
    before = curves_of(imported, is_tracked=True)
    with pytest.raises(DataError, match="were changed"):
        turn_dial(imported.rig, 0.8)
    assert curves_of(imported, is_tracked=True) == before
    assert imported.rig.dvp_rig.take_sha256 == imported.take.sha256
