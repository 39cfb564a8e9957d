"""What is done with layers: baking, comparing with the tracked performance, the buttons; in real Blender."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest
from layer_shot import (
    ROUNDING,
    animator_curve,
    assert_same,
    evaluated_vertices,
    passes_of,
    passes_of_take,
    shown,
    track_names,
    tracked_keys,
)
from recording_layout import draw

from blender_addon.compat import kind_of, vertex_positions
from blender_addon.rig.keys import key_expression, key_head_rotation
from blender_addon.rig.layers import (
    add_performer,
    bake_layers,
    change_layer,
    hide_tracked,
    is_tracked_shown,
    remove_layer,
    show_tracked,
)
from blender_addon.ui import layer_panel
from dvp_core.edit import transfer

BUTTONS = ("add_performer", "remove_layer", "key_layer_strength", "bake_layers", "compare_with_tracked")


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


def pose_otherwise(shot):
    """Change the face in ways that are no keys: a constraint, a driver, a shape, a modifier, a place."""
    constraint = shot.rig.pose.bones["head"].constraints.new("LIMIT_LOCATION")
    constraint.use_max_x, constraint.max_x = True, -0.1
    added = shot.face.shape_key_add(name="extra", from_mix=False)
    added.data[0].co.x += 0.1
    added.value = 1.0
    driver = shot.face.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver
    driver.type, driver.expression = "SCRIPTED", "0.9"
    shot.face.modifiers.new("smooth", "SMOOTH")
    shot.rig.location.x = 0.3


def test_the_tracked_head_plays_the_tracked_performance_beside(shot):
    tracked = [evaluated_vertices(shot.face, shot.scene, frame) for frame in (1001, 1011)]
    add_performer(shot.rig, shot.folder / "bea.take")
    key_head_rotation(shot.rig, 1001, yaw_deg=20)
    pose_otherwise(shot)
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
    draw(layer_panel.DVP_PT_layers, layout, bpy.context)
    assert layout.template_list.called
    drawn = [call.args[1] for call in layout.column().prop.call_args_list]
    assert drawn == ["strength", "offset_frames", "neutral", "is_swapped"]
    layout.column().label.assert_called_once_with(text="lost", icon="ERROR")


def test_kind_is_known_without_the_name_that_older_versions_lack(shot):
    for owner in (shot.rig, shot.rig.dvp_rig.face.data.shape_keys, bpy.context.scene.camera.data):
        assert kind_of(SimpleNamespace(bl_rna=owner.bl_rna)) == kind_of(owner) == owner.id_type
