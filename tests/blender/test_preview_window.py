"""The window of a preview: the passes that an export writes, read without touching frame, pose or scene."""

import bpy
import numpy as np
import pytest

from blender_addon.passes.exporting import export_passes
from blender_addon.preview.window import PackedFrames, is_reading, read_window
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.preview import unpack_pass_frame
from dvp_core.data.take import write_take
from dvp_core.passes import read_pass_frame


@pytest.fixture
def rig(context, tmp_path):
    """A rig of twenty tracked frames, with a key of the animator's."""
    from small_take import small_take

    write_take(tmp_path / "ada.take", small_take(frame_count=20))
    imported = import_take(tmp_path / "ada.take", context=context)
    key_expression(imported.rig, "jawOpen", 1010, 0.4, mode="add")
    return imported.rig


def exported(folder, frames):
    export_passes(bpy.context.scene, folder, frames)
    return [read_pass_frame(folder / f"passes.{frame:04d}.exr") for frame in frames]


@pytest.mark.parametrize(("frame", "first"), [(1001, 1001), (1004, 1001), (1014, 1004)])
def test_passes_are_those_of_an_export_bit_for_bit(rig, tmp_path, frame, first):
    bpy.context.scene.frame_set(frame)
    window = read_window(bpy.context)
    assert [posed.frame for posed in window.frames] == list(range(first, frame + 1))
    sent = [unpack_pass_frame(content) for content in PackedFrames().of_window(window)]
    for drawn, written in zip(sent, exported(tmp_path, FrameRange.span(first, frame)), strict=True):
        np.testing.assert_array_equal(drawn.network_channels(), written.network_channels())
        assert (drawn.frame, drawn.crop, drawn.take_sha256) == (written.frame, written.crop, written.take_sha256)


def test_pose_that_was_not_keyed_is_shown_and_survives(rig):
    scene = bpy.context.scene
    scene.frame_set(1012)
    before = read_window(bpy.context)
    rig.pose.bones["head"].location.x += 0.01
    shape = rig.dvp_rig.face.data.shape_keys.key_blocks["browInnerUp"]
    shape.value += 0.25
    bpy.context.view_layer.update()
    moved = read_window(bpy.context)
    assert [a.stamp == b.stamp for a, b in zip(before.frames, moved.frames, strict=True)] == [True] * 10 + [False]
    assert moved.stamp != before.stamp
    kept = (rig.pose.bones["head"].location.x, shape.value, scene.frame_current)
    assert read_window(bpy.context).stamp == moved.stamp
    assert (rig.pose.bones["head"].location.x, shape.value, scene.frame_current) == kept
    scene.frame_set(1012)
    assert read_window(bpy.context).stamp == before.stamp


def test_reading_leaves_no_trace(rig):
    names = {kind: {item.name for item in getattr(bpy.data, kind)} for kind in ("scenes", "objects", "collections")}
    users = {item.name: item.users for item in bpy.data.objects}
    bpy.context.scene.frame_set(1012)
    heard = []

    def hear(*_):
        heard.append(is_reading())

    for handlers in (bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.frame_change_post):
        handlers.append(hear)
    read_window(bpy.context)
    assert heard
    assert all(heard)
    assert not is_reading()
    heard.clear()
    bpy.context.view_layer.update()
    assert heard == []
    assert names == {kind: {item.name for item in getattr(bpy.data, kind)} for kind in names}
    assert users == {item.name: item.users for item in bpy.data.objects}


def test_control_that_is_not_animated_counts_in_every_frame(rig):
    bpy.context.scene.frame_set(1012)
    before = read_window(bpy.context)
    rig.pose.bones["mouth.corner.L"].location.y = 0.01
    bpy.context.view_layer.update()
    after = read_window(bpy.context)
    assert all(a.stamp != b.stamp for a, b in zip(before.frames, after.frames, strict=True))


def test_frames_that_are_known_are_not_drawn_again(rig, monkeypatch):
    from blender_addon.preview import window as module

    drawn = []
    real = module.draw_pass_frame

    def counted(take, face, posed, *, crop):
        drawn.append(posed.frame)
        return real(take, face, posed, crop=crop)

    monkeypatch.setattr(module, "draw_pass_frame", counted)
    packed = PackedFrames()
    bpy.context.scene.frame_set(1012)
    packed.of_window(read_window(bpy.context))
    rig.dvp_rig.face.data.shape_keys.key_blocks["browInnerUp"].value += 0.25
    bpy.context.view_layer.update()
    packed.of_window(read_window(bpy.context))
    assert drawn == [*range(1002, 1013), 1012]


def test_frame_outside_the_take_is_refused(rig):
    bpy.context.scene.frame_set(1030)
    with pytest.raises(DataError, match="frame 1030 lies outside the take"):
        read_window(bpy.context)
