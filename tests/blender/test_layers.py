"""A second performer's take in layers over the tracked performance, in real Blender."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest
from small_take import small_take, without_face
from test_smoothing import tracked_take

from blender_addon.compat import ActionCurves, vertex_positions
from blender_addon.passes.exporting import export_passes
from blender_addon.rig import names
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression, key_head_rotation
from blender_addon.rig.layers import (
    add_performer,
    bake_layers,
    change_layer,
    hide_tracked,
    is_tracked_shown,
    key_strength,
    remove_layer,
    show_tracked,
)
from blender_addon.rig.memory import forget_takes
from blender_addon.rig.reading import read_pose
from blender_addon.rig.smoothing import turn_dial
from blender_addon.ui import layer_panel
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take
from dvp_core.edit import neutral_at, transfer
from dvp_core.passes import PassFolder
from dvp_core.passes.render import render_passes

CURVES = ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad")
BUTTONS = ("add_performer", "remove_layer", "key_layer_strength", "bake_layers", "compare_with_tracked")
ROUNDING = 2e-7  # float32 around 1


def bea(*, frame_count=24, fps=Fraction(30000, 1001), seed=7, start_frame=1):
    """A performer of the same face, who moves otherwise."""
    clip = Clip("bea.mp4", "1" * 64, 320, 180, fps, start_frame, frame_count)
    return replace(small_take(seed=seed, clip=clip), subject="Bea")


@pytest.fixture
def shot(context, tmp_path):
    """Ada's rig of 24 frames, and takes on disk: her own and Bea's."""
    clip = Clip("plate.mp4", "0" * 64, 320, 180, Fraction(30000, 1001), 1001, 24)
    take, performer = small_take(clip=clip), bea()
    write_take(tmp_path / "ada.take", take)
    write_take(tmp_path / "bea.take", performer)
    imported = import_take(tmp_path / "ada.take", context=context)
    return SimpleNamespace(
        take=take, performer=performer, rig=imported.rig, face=imported.face, scene=context.scene, folder=tmp_path
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


def test_baking_shows_what_the_layers_showed(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.6, offset_frames=4)
    add_performer(shot.rig, shot.folder / "ada.take", regions=("mouth", "head"), strength=0.3, is_swapped=True)
    key_expression(shot.rig, "browInnerUp", 1010, 0.2, mode="add")
    key_head_rotation(shot.rig, 1010, yaw_deg=8)
    shot.scene.frame_set(1007)
    before, tracked = shown(shot), tracked_keys(shot)
    keys = [tuple(point.co) for point in animator_curve(shot, "browInnerUp").keyframe_points]
    assert bake_layers(shot.rig, shot.scene) == "Baked"
    assert [layer.name for layer in shot.rig.dvp_layers.layers] == ["Baked"]
    assert_same(shown(shot), before)
    assert tracked_keys(shot) == tracked
    assert [tuple(point.co) for point in animator_curve(shot, "browInnerUp").keyframe_points] == keys
    remove_layer(shot.rig, "Baked")
    assert [track.name for track in shot.rig.animation_data.nla_tracks] == ["Tracked"]


def test_a_baked_layer_has_a_strength_and_is_baked_again(shot):
    tracked = shown(shot)
    add_performer(shot.rig, shot.folder / "bea.take")
    bake_layers(shot.rig, shot.scene)
    full = shown(shot)
    change_layer(shot.rig, "Baked", strength=0.5)
    half = shown(shot)
    np.testing.assert_allclose(half["expression"], (tracked["expression"] + full["expression"]) / 2, atol=ROUNDING)
    add_performer(shot.rig, shot.folder / "ada.take", regions=("mouth",), strength=0.5)
    both = shown(shot)
    assert bake_layers(shot.rig, shot.scene) == "Baked 2"
    assert_same(shown(shot), both)
    change_layer(shot.rig, "Baked 2", strength=0.0)
    assert_same(shown(shot), tracked)


def test_passes_see_the_layers_and_never_the_tracked_head(shot):
    add_performer(shot.rig, shot.folder / "bea.take")
    edited = passes_of(shot, "edited")
    np.testing.assert_allclose(edited.color, passes_of_take(shot, transfer(shot.performer, shot.take)).color, atol=1e-5)
    assert np.abs(edited.color - passes_of_take(shot, shot.take).color).max() > 0.05
    for place in ("BESIDE", "OVER"):
        show_tracked(shot.rig, place=place)
        compared = passes_of(shot, place)
        np.testing.assert_array_equal(compared.color, edited.color)
        np.testing.assert_array_equal(compared.depth, edited.depth)
    hide_tracked(shot.rig)


def test_the_tracked_head_plays_the_tracked_performance_beside(shot):
    tracked = [evaluated_vertices(shot.face, shot.scene, frame) for frame in (1001, 1011)]
    add_performer(shot.rig, shot.folder / "bea.take")
    key_head_rotation(shot.rig, 1001, yaw_deg=20)
    head = show_tracked(shot.rig, place="OVER")
    for frame, expected in zip((1001, 1011), tracked, strict=True):
        np.testing.assert_allclose(evaluated_vertices(head, shot.scene, frame), expected, atol=1e-6)
        assert np.abs(evaluated_vertices(shot.face, shot.scene, frame) - expected).max() > 0.005
    head = show_tracked(shot.rig)
    moved = evaluated_vertices(head, shot.scene, 1001) - tracked[0]
    width = np.ptp(vertex_positions(shot.face.data)[:, 0])
    np.testing.assert_allclose(moved, np.broadcast_to([1.25 * width, 0, 0], moved.shape), atol=1e-5)
    assert head.hide_render
    assert head.parent.hide_render


def test_the_tracked_head_goes_without_a_trace(shot):
    def counts():
        kinds = ("objects", "meshes", "armatures", "collections", "actions", "shape_keys", "materials", "texts")
        return {kind: len(getattr(bpy.data, kind)) for kind in kinds}

    add_performer(shot.rig, shot.folder / "bea.take")
    before, numbers = shown(shot), counts()
    show_tracked(shot.rig)
    show_tracked(shot.rig, place="OVER")
    assert is_tracked_shown(shot.rig)
    assert_same(shown(shot), before)
    hide_tracked(shot.rig)
    hide_tracked(shot.rig)
    assert not is_tracked_shown(shot.rig)
    assert counts() == numbers
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


@pytest.mark.parametrize(
    "button", ["add_performer", "remove_layer", "bake_layers", "compare_with_tracked", "key_layer_strength"]
)
def test_every_button_is_one_undo_step(shot, button):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.5)
    before, tracks = shown(shot), track_names()
    bpy.ops.ed.undo_push(message="before")
    arguments = {"filepath": str(shot.folder / "ada.take"), "is_swapped": True} if button == "add_performer" else {}
    assert getattr(bpy.ops.dvp, button)("EXEC_DEFAULT", True, **arguments) == {"FINISHED"}
    bpy.ops.ed.undo()
    shot.scene, shot.rig = bpy.context.scene, bpy.data.objects["Ada Rig"]
    assert track_names() == tracks
    assert len(shot.rig.dvp_layers.layers) == 6
    assert not is_tracked_shown(shot.rig)
    assert_same(shown(shot), before)


def test_buttons_do_what_the_functions_do(shot):
    add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth", "head"), strength=0.25, offset_frames=2)
    by_function = shown(shot)
    for name in ("Bea mouth", "Bea head"):
        assert bpy.ops.dvp.remove_layer(name=name) == {"FINISHED"}
    path = str(shot.folder / "bea.take")
    bpy.ops.dvp.add_performer(filepath=path, regions={"head", "mouth"}, strength=0.25, offset_frames=2)
    assert_same(shown(shot), by_function)
    bpy.ops.dvp.compare_with_tracked(place="OVER")
    assert is_tracked_shown(shot.rig)
    bpy.ops.dvp.compare_with_tracked()
    assert not is_tracked_shown(shot.rig)


def test_greyed_buttons_say_why(shot):
    with pytest.raises(RuntimeError, match="no layer"):
        bpy.ops.dvp.bake_layers()
    add_performer(shot.rig, shot.folder / "bea.take")
    animation = shot.rig.animation_data
    animation.nla_tracks["Tracked"].is_solo = True
    with pytest.raises(RuntimeError, match="solo"):
        bpy.ops.dvp.bake_layers()
    animation.nla_tracks["Tracked"].is_solo = False
    strip = animation.nla_tracks["Bea head"].strips[0]
    animation.nla_tracks.active, strip.select = animation.nla_tracks["Bea head"], True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode
    for button in (bpy.ops.dvp.bake_layers, bpy.ops.dvp.remove_layer, bpy.ops.dvp.key_layer_strength):
        with pytest.raises(RuntimeError, match="tweak mode"):
            button()
    shot.rig.dvp_layers.layers[0].strength = 0.5
    assert "tweak mode" in shot.rig.dvp_layers.layers[0].problem
    animation.use_tweak_mode = False
    bpy.ops.wm.read_homefile(use_empty=True)
    with pytest.raises(RuntimeError, match="no portrait rig"):
        bpy.ops.dvp.add_performer(filepath=str(shot.folder / "bea.take"))


def test_the_panel_draws_the_chosen_layer(shot):
    layout = MagicMock()
    layer_panel.draw_layers(layout, shot.rig)
    assert not layout.template_list.called
    add_performer(shot.rig, shot.folder / "bea.take")
    shot.rig.dvp_layers.layers[5].problem = "lost"
    layer_panel.DVP_PT_layers.draw(SimpleNamespace(layout=layout), bpy.context)
    assert layout.template_list.called
    drawn = [call.args[1] for call in layout.column().prop.call_args_list]
    assert drawn == ["strength", "offset_frames", "neutral", "is_swapped"]
    layout.column().label.assert_called_once_with(text="lost", icon="ERROR")
