"""A second performer's take in layers over the tracked performance, in real Blender."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from layer_shot import (
    ROUNDING,
    assert_same,
    bea,
    curves_of,
    exported,
    shown,
)
from small_take import without_face
from test_smoothing import tracked_take

from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression
from blender_addon.rig.layers import (
    add_performer,
    bake_layers,
    change_layer,
    key_strength,
    remove_layer,
)
from blender_addon.rig.memory import forget_takes
from blender_addon.rig.smoothing import turn_dial
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.edit import neutral_at, transfer


def test_strength_0_is_the_tracked_strip_bit_for_bit(shot):
    before = shown(shot)
    added = add_performer(shot.rig, shot.folder / "bea.take", strength=0.0)
    assert len(added.layers) == 6  # brows eyes mouth jaw head gaze
    assert_same(shown(shot), before)
    for name in added.layers:
        change_layer(shot.rig, name, strength=1.0)
    assert np.abs(shown(shot)["expression"] - before["expression"]).max() > 0.3
    for name in added.layers:
        change_layer(shot.rig, name, strength=0.0)
    assert_same(shown(shot), before)


@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_a_take_over_itself_is_itself(shot, strength):
    before = shown(shot)
    add_performer(shot.rig, shot.folder / "ada.take", strength=strength)
    assert_same(shown(shot), before, ROUNDING)


def test_full_strength_is_the_transfer_of_the_command_line(shot):
    add_performer(shot.rig, shot.folder / "bea.take")
    assert_same(shown(shot), curves_of(transfer(shot.performer, shot.take)), ROUNDING)


def test_another_rate_and_an_early_end_fade_as_the_command_line(shot):
    performer = bea(fps=Fraction(60), frame_count=20)  # 0.33 s of 0.8 s
    write_take(shot.folder / "fast.take", performer)
    add_performer(shot.rig, shot.folder / "fast.take", regions=("mouth", "jaw", "brows", "eyes", "gaze"), strength=0.6)
    expected = transfer(
        performer,
        shot.take,
        channels=("expression", "gaze"),
        strength=dict.fromkeys(("mouth", "jaw", "brows", "eyes", "gaze"), 0.6),
    )
    assert_same(shown(shot), curves_of(expected), 1e-6)
    tracked = curves_of(shot.take)
    np.testing.assert_array_equal(shown(shot, [1024])["expression"][0], tracked["expression"][23])


def test_swapping_twice_is_the_identity_and_once_the_mirror(shot):
    add_performer(shot.rig, shot.folder / "bea.take")
    straight = shown(shot)
    names = [layer.name for layer in shot.rig.dvp_layers.layers]
    for name in names:
        change_layer(shot.rig, name, is_swapped=True)
    swapped = shown(shot)
    assert np.abs(swapped["expression"] - straight["expression"]).max() > 0.1
    assert np.abs(swapped["gaze_rad"] - straight["gaze_rad"]).max() > 0.05
    for name in names:
        change_layer(shot.rig, name, is_swapped=False)
    assert_same(shown(shot), straight)


def test_an_offset_shifts_the_performance(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth",))
    before = shown(shot)["expression"]
    change_layer(shot.rig, "Bea mouth", offset_frames=-5)
    np.testing.assert_array_equal(shown(shot)["expression"][:19, :2], before[5:, :2])
    change_layer(shot.rig, "Bea mouth", offset_frames=3)
    later = shown(shot)["expression"]
    np.testing.assert_array_equal(later[:4, :2], shot.take.expression[:4, :2])  # up to the first frame of the fade
    np.testing.assert_array_equal(later[15:, :2], before[12:-3, :2])
    change_layer(shot.rig, "Bea mouth", offset_frames=0)
    np.testing.assert_array_equal(shown(shot)["expression"], before)


def test_an_animators_key_above_still_adds(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.5)
    before = shown(shot)["expression"]
    key_expression(shot.rig, "jawOpen", 1005, -0.125, mode="add")
    after = shown(shot)["expression"]
    np.testing.assert_allclose(after[:, 3], np.clip(before[:, 3] - 0.125, 0, 1), atol=1e-7)


def test_the_file_shows_the_same_after_reopening_and_can_still_be_changed(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.7, offset_frames=2)
    before, passes = shown(shot), exported(shot, "before")
    bpy.ops.wm.save_as_mainfile(filepath=str(shot.folder / "shot.blend"))
    (shot.folder / "bea.take").unlink()
    bpy.ops.wm.read_homefile(use_empty=True)
    forget_takes()
    bpy.ops.wm.open_mainfile(filepath=str(shot.folder / "shot.blend"))
    shot.scene, shot.rig = bpy.context.scene, bpy.data.objects["Ada Rig"]
    assert_same(shown(shot), before)
    assert exported(shot, "after") == passes
    change_layer(shot.rig, "Bea mouth", is_swapped=True)
    assert np.abs(shown(shot)["expression"] - before["expression"]).max() > 0.05
    change_layer(shot.rig, "Bea mouth", is_swapped=False)
    assert_same(shown(shot), before)


def test_removing_every_layer_leaves_nothing(shot):
    before = shown(shot)
    actions, texts = len(bpy.data.actions), len(bpy.data.texts)
    for name in add_performer(shot.rig, shot.folder / "bea.take").layers:
        remove_layer(shot.rig, name)
    assert_same(shown(shot), before)
    assert (len(bpy.data.actions), len(bpy.data.texts)) == (actions, texts)
    assert [track.name for track in shot.rig.animation_data.nla_tracks] == ["Tracked"]


def test_a_long_name_is_shortened_as_blender_would(shot):
    write_take(shot.folder / "long.take", replace(shot.performer, subject="ä" * 60))
    (name,) = add_performer(shot.rig, shot.folder / "long.take", regions=("jaw",)).layers
    change_layer(shot.rig, name, strength=0.0)
    assert_same(shown(shot), curves_of(shot.take))
    (again,) = add_performer(shot.rig, shot.folder / "long.take", regions=("jaw",)).layers
    assert again == f"{name} 2"


def test_bad_wishes_change_nothing(shot):
    wishes = (
        {"regions": ("nose",)},
        {"regions": ("knee",)},
        {"strength": 1.5},
        {"neutral": "FRAME", "neutral_frame": 500},
    )
    for wish in wishes:
        with pytest.raises(DataError):
            add_performer(shot.rig, shot.folder / "bea.take", **wish)
    assert not shot.rig.dvp_layers.layers
    assert len(bpy.data.texts) == 1


def test_a_key_set_to_a_value_shows_that_value_over_a_layer(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.6, offset_frames=3)
    key_expression(shot.rig, "jawOpen", 1012, 0.5)
    assert shown(shot, [1012])["expression"][0, 3] == pytest.approx(0.5, abs=1e-6)


def test_a_key_inserted_as_an_animator_does_shows_its_value_over_a_layer(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.6, offset_frames=3)
    shot.scene.frame_set(1012)
    block = shot.face.data.shape_keys.key_blocks["jawOpen"]
    block.value = 0.625
    assert block.keyframe_insert("value", frame=1012)
    assert shown(shot, [1012])["expression"][0, 3] == pytest.approx(0.625, abs=1e-6)


def test_new_layers_lie_below_what_the_animator_pushed_down(shot):
    key_expression(shot.rig, "jawOpen", 1001, 0.0, mode="add")
    key_expression(shot.rig, "jawOpen", 1024, 0.25, mode="add")
    animation = shot.face.data.shape_keys.animation_data
    action, slot = animation.action, getattr(animation, "action_slot", None)
    track = animation.nla_tracks.new()
    track.name = "pushed"
    strip = track.strips.new("pushed", 1001, action)
    if slot is not None:
        strip.action_slot = slot
    strip.blend_type = "ADD"
    animation.action = None
    add_performer(shot.rig, shot.folder / "bea.take", regions=("jaw", "mouth"))
    assert [item.name for item in animation.nla_tracks] == ["Tracked", "Bea mouth", "Bea jaw", "pushed"]
    before = shown(shot)
    expected = transfer(shot.performer, shot.take).expression[23, 3] + np.float32(0.25)
    assert before["expression"][23, 3] == pytest.approx(min(expected, 1.0), abs=1e-6)
    bake_layers(shot.rig, shot.scene)
    assert [item.name for item in animation.nla_tracks] == ["Tracked", "Baked", "pushed"]
    assert_same(shown(shot), before)


def test_what_was_keyed_by_hand_stays(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth",))
    strip = shot.face.data.shape_keys.animation_data.nla_tracks["Bea mouth"].strips[0]
    curve = strip.fcurves.find("influence")
    curve.keyframe_points.insert(1010, 0.25)
    with pytest.raises(DataError, match="keyed by hand"):
        change_layer(shot.rig, "Bea mouth", strength=0.5)
    layer = shot.rig.dvp_layers.layers["Bea mouth"]
    assert layer.strength == 1.0
    layer.strength = 0.5  # as the panel sets it
    assert "keyed by hand" in layer.problem
    change_layer(shot.rig, "Bea mouth", strength=1.0, offset_frames=4, is_swapped=True)
    assert not layer.problem
    curve = strip.fcurves.find("influence")
    assert (1014.0, 0.25) in [tuple(point.co) for point in curve.keyframe_points]
    while len(curve.keyframe_points):
        curve.keyframe_points.remove(curve.keyframe_points[0])
    change_layer(shot.rig, "Bea mouth", strength=0.5)
    assert 0.5 in [point.co[1] for point in curve.keyframe_points]


def test_strength_may_be_keyed_over_time(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("jaw",))
    full, tracked = shown(shot)["expression"][:, 3], shot.take.expression[:, 3]
    for frame, strength in ((1005, 1.0), (1010, 0.0), (1024, 0.0)):
        key_strength(shot.rig, "Bea jaw", frame, strength)
    faded = shown(shot)["expression"][:, 3]
    np.testing.assert_array_equal(faded[:5], full[:5])
    np.testing.assert_array_equal(faded[9:], tracked[9:])
    share = (faded[5:9] - tracked[5:9]) / (full[5:9] - tracked[5:9])
    assert (np.diff(share) < 0).all()
    bpy.ops.dvp.clear_layer_keys(name="Bea jaw")
    np.testing.assert_array_equal(shown(shot)["expression"][:, 3], full)
    shot.scene.frame_set(1005)
    bpy.ops.dvp.key_layer_strength(strength=0.0)
    np.testing.assert_array_equal(shown(shot, [1005])["expression"][0, 3], tracked[4])


def test_the_dial_of_smoothing_makes_layers_follow(context, tmp_path):
    take, performer = tracked_take(), bea(frame_count=8)
    write_take(tmp_path / "ada.take", take)
    write_take(tmp_path / "bea.take", performer)
    imported = import_take(tmp_path / "ada.take", context=context)
    shot = SimpleNamespace(rig=imported.rig, take=imported.take, scene=context.scene)
    add_performer(shot.rig, tmp_path / "bea.take", strength=0.0)
    calm = turn_dial(shot.rig, 0.9)
    assert_same(shown(shot), curves_of(calm))
    for layer in shot.rig.dvp_layers.layers:
        layer.strength = 1.0
    assert_same(shown(shot), curves_of(transfer(performer, calm)), ROUNDING)


def test_other_expression_sets_go_by_name_and_the_rest_is_told(shot):
    other = replace(
        without_face(shot.performer),
        expression_names=("mouthSmile_L", "mouthSmile_R", "browInnerUpLeft", "tongueOut", "eyeBlink_L"),
        face_model_id="other",
        face_model_sha256="2" * 64,
    )
    write_take(shot.folder / "other.take", other)
    added = add_performer(shot.rig, shot.folder / "other.take")
    assert added.layers == ("Bea eyes", "Bea mouth", "Bea head", "Bea gaze")
    assert added.notes == ("Without a counterpart: browInnerUpLeft, tongueOut, browInnerUp, jawOpen",)
    now = shown(shot)["expression"]
    np.testing.assert_array_equal(now[:, 2:4], shot.take.expression[:, 2:4])


def test_the_neutral_may_be_a_frame_or_none(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("jaw", "gaze"))
    for choice, neutral in (("FRAME", neutral_at(shot.performer, 5)), ("NONE", None)):
        for name in ("Bea jaw", "Bea gaze"):
            change_layer(shot.rig, name, neutral=choice, neutral_frame=5)
        mode = "absolute" if neutral is None else "relative"
        expected = transfer(shot.performer, shot.take, mode=mode, source_neutral=neutral)
        actual = shown(shot)
        np.testing.assert_allclose(actual["expression"][:, 3], expected.expression[:, 3], atol=ROUNDING)
        np.testing.assert_allclose(actual["gaze_rad"], expected.gaze_rad.reshape(24, 4), atol=ROUNDING)
