"""The onion head: the head of other frames, whatever was done to the rig, and nothing of it in file or render."""

import bpy
import numpy as np
import pytest
from layer_shot import evaluated_vertices, exported
from posing import move
from recording_layout import RecordingLayout, draw

from blender_addon import ghost_drawing
from blender_addon.ghost_drawing import color_of, known_ghosts, refresh, wanted_ghosts
from blender_addon.rig.ghosts import Ghost, edges_of, forget_ghosts, ghosts_of, known_vertices, vertices_at
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import key_expression, key_head_rotation
from blender_addon.rig.layers import add_performer
from blender_addon.ui.ghost_panel import DVP_PT_ghosts


@pytest.fixture(autouse=True)
def _nothing_known():
    forget_ghosts()


def leave_alone(shot):
    """The performance as it was tracked."""


def key(shot):
    key_expression(shot.rig, "jawOpen", 1010, 0.9)
    key_head_rotation(shot.rig, 1004, yaw_deg=8)


def perform(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.7)


def constrain(shot):
    """The head follows an object that moves on its own."""
    target = bpy.data.objects.new("target", None)
    shot.scene.collection.objects.link(target)
    for frame, x in ((1001, 0.0), (1020, 0.3)):
        target.location.x = x
        target.keyframe_insert("location", frame=frame)
    constraint = shot.rig.pose.bones["head"].constraints.new("COPY_LOCATION")
    constraint.target, constraint.use_offset = target, True


@pytest.mark.parametrize("deed", [leave_alone, key, perform, constrain], ids=lambda deed: deed.__name__)
def test_a_ghost_is_the_head_that_its_frame_will_show(shot, deed):
    deed(shot)
    frames = (1001, 1008, 1019)
    found = vertices_at(shot.rig, frames)
    for frame in frames:
        np.testing.assert_array_equal(found[frame], evaluated_vertices(shot.face, shot.scene, frame).astype(np.float32))
    assert np.abs(found[1001] - found[1019]).max() > 1e-3


def test_looking_at_other_frames_leaves_the_scene_as_it_is(shot):
    move(shot.rig, "jaw", "turn_x", 0.2)  # a pose without keys
    before = evaluated_vertices(shot.face, shot.scene, 1005)
    scenes, objects = list(bpy.data.scenes), list(bpy.data.objects)
    vertices_at(shot.rig, (1001, 1020))
    assert shot.scene.frame_current == 1005
    assert shot.rig.pose.bones["jaw"].rotation_euler.x == pytest.approx(0.2)
    evaluated = shot.face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    now = np.empty(3 * len(evaluated.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", now)
    matrix = np.array(evaluated.matrix_world)
    np.testing.assert_allclose(now.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3], before, atol=1e-7)
    assert (list(bpy.data.scenes), list(bpy.data.objects)) == (scenes, objects)


def test_ghosts_lie_on_both_sides_within_the_scene_the_nearest_last():
    found = ghosts_of(1010, count=2, step=4, first=1004, last=1018)
    assert found == (Ghost(1018, False, 0.5), Ghost(1006, True, 1.0), Ghost(1014, False, 1.0))
    assert ghosts_of(5, count=3, step=1, first=5, last=5) == ()


@pytest.mark.parametrize("current", [1001, 1012, 1024])
@pytest.mark.parametrize(("count", "step"), [(1, 1), (3, 2), (8, 100)])
def test_ghosts_are_never_the_frame_itself_nor_twice(current, count, step):
    frames = [ghost.frame for ghost in ghosts_of(current, count=count, step=step, first=1001, last=1024)]
    assert current not in frames
    assert len(set(frames)) == len(frames) <= 2 * count
    assert all(1001 <= frame <= 1024 for frame in frames)


def show(shot, *, count=2, step=3):
    settings = shot.rig.dvp_ghosts
    settings.is_shown, settings.count, settings.step = True, count, step
    return settings


def test_off_by_default_and_then_nothing_is_looked_at(shot):
    assert wanted_ghosts(shot.rig, shot.scene) == ()
    assert refresh(shot.scene) == 0


def test_each_frame_is_looked_at_once_while_nothing_changes(shot):
    """In playback one new frame a step is all there is to look at."""
    show(shot)
    shot.scene.frame_set(1010)
    assert refresh(shot.scene) == 4
    assert refresh(shot.scene) == 0
    counts = []
    for frame in range(1011, 1019):
        shot.scene.frame_set(frame)
        counts.append(refresh(shot.scene))
        assert len(known_ghosts(shot.rig, shot.scene)) == 4
    assert counts[5:] == [1, 1, 1]


def test_a_change_is_followed_and_an_idle_update_is_not_one(shot):
    show(shot)
    shot.scene.frame_set(1010)
    refresh(shot.scene)
    before = known_vertices(shot.rig, 1013)
    bpy.context.view_layer.update()  # what looking left behind
    assert known_vertices(shot.rig, 1013) is before
    key = shot.face.data.shape_keys.key_blocks["jawOpen"]
    key.value = 0.1
    key.keyframe_insert("value", frame=1013)
    bpy.context.view_layer.update()
    assert known_vertices(shot.rig, 1013) is None
    refresh(shot.scene)
    assert np.abs(known_vertices(shot.rig, 1013) - before).max() > 1e-4
    np.testing.assert_array_equal(
        known_vertices(shot.rig, 1013), evaluated_vertices(shot.face, shot.scene, 1013).astype(np.float32)
    )


def test_an_undone_change_is_followed_too(shot):
    show(shot)
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects["Ada Rig"].location.x = 1.0
    bpy.ops.ed.undo_push(message="after")
    refresh(bpy.context.scene)
    bpy.ops.ed.undo()
    assert known_vertices(bpy.data.objects["Ada Rig"], bpy.context.scene.frame_current + 3) is None


def test_passes_and_file_know_nothing_of_them(shot):
    without = exported(shot, "without")
    show(shot)
    refresh(shot.scene)
    assert exported(shot, "with") == without
    assert not any(ghost_drawing.ASIDE in scene.name for scene in bpy.data.scenes)


def test_two_rigs_have_their_own(shot, context):
    show(shot)
    other = import_take(shot.folder / "bea.take", context=context, is_scene_set_up=False).rig
    shot.scene.frame_set(1010)
    refresh(shot.scene)
    assert known_ghosts(other, shot.scene) == []
    other.dvp_ghosts.is_shown = True
    assert refresh(shot.scene) > 0
    frame = known_ghosts(other, shot.scene)[0][0].frame
    assert np.abs(known_vertices(other, frame) - known_vertices(shot.rig, 1007)).max() > 1e-3


def test_colours_tell_before_from_after_and_near_from_far():
    near, far = Ghost(9, True, 1.0), Ghost(5, True, 0.5)
    assert color_of(near, 0.4)[3] == 0.4
    assert color_of(far, 0.4)[3] == 0.2
    assert color_of(near, 0.4)[:3] == color_of(far, 0.4)[:3] != color_of(Ghost(11, False, 1.0), 0.4)[:3]


def test_edges_are_the_faces(shot):
    edges = edges_of(shot.rig)
    assert edges.shape == (len(shot.face.data.edges), 2)
    assert tuple(edges[7]) == tuple(shot.face.data.edges[7].vertices)


def test_panel_shows_the_settings(shot, context):
    drawn = []
    draw(DVP_PT_ghosts, RecordingLayout(drawn), context)
    assert [name for kind, name in drawn if kind == "prop"] == ["is_shown", "count", "step", "opacity"]
