"""A second performer's take in layers over the tracked performance, in real Blender."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from small_take import small_take

from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression
from blender_addon.rig.layers import add_performer, change_layer, remove_layer
from blender_addon.rig.memory import forget_takes
from blender_addon.rig.reading import read_pose
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.edit import transfer

CURVES = ("expression", "head_rotation_wxyz", "head_translation_m", "gaze_rad")
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
    before = shown(shot)
    bpy.ops.wm.save_as_mainfile(filepath=str(shot.folder / "shot.blend"))
    (shot.folder / "bea.take").unlink()
    bpy.ops.wm.read_homefile(use_empty=True)
    forget_takes()
    bpy.ops.wm.open_mainfile(filepath=str(shot.folder / "shot.blend"))
    shot.scene, shot.rig = bpy.context.scene, bpy.data.objects["Ada Rig"]
    assert_same(shown(shot), before)
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
