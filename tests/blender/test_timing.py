"""A shot that begins at another scene frame is the same shot: same passes, same files, same frames for the farm."""

from types import SimpleNamespace

import bpy
import pytest
from layer_shot import assert_same, bea, shown
from test_keys import EDIT
from test_landing import write_frame
from test_smoothing import tracked_take

from blender_addon import compat
from blender_addon.landing import frame_file, land_result
from blender_addon.passes.exporting import export_passes, frames_to_export
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import apply_edit_as_keys, key_expression, key_gaze, key_head_rotation
from blender_addon.rig.layers import add_performer, bake_layers, key_strength
from blender_addon.rig.memory import remembered_take
from blender_addon.rig.smoothing import turn_dial
from blender_addon.rig.timing import plate_frame, scene_frames
from blender_addon.submit_facts import performance_of_frames
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take
from dvp_core.passes import PassFolder
from dvp_core.passes.render import render_passes

SHIFTED = 41  # the take's frame 1001 at the scene's 41


def imported_at(start_frame, folder):
    """Return the same shot in a new scene, its first frame at the scene's frame given."""
    bpy.ops.wm.read_homefile(use_empty=True)
    imported = import_take(folder / "ada.take", context=bpy.context, start_frame=start_frame)
    return SimpleNamespace(
        imported=imported, rig=imported.rig, take=imported.take, scene=bpy.context.scene, folder=folder
    )


@pytest.fixture
def folder(context, tmp_path):
    """Takes of Ada and of a second performer."""
    write_take(tmp_path / "ada.take", tracked_take())
    write_take(tmp_path / "bea.take", bea())
    return tmp_path


def leave_alone(shot):
    """Nothing is done to the rig."""


def key(shot):
    key_expression(shot.rig, "jawOpen", 1003, 0.9)
    key_head_rotation(shot.rig, 1002, yaw_deg=5)
    key_head_rotation(shot.rig, 1006)
    key_gaze(shot.rig, 1004, pitch_deg=3)


def edit(shot):
    apply_edit_as_keys(shot.rig, EDIT)


def smooth(shot):
    turn_dial(shot.rig, 0.9)


def perform(shot):
    names = add_performer(shot.rig, shot.folder / "bea.take", regions=("mouth", "jaw"), offset_frames=2).layers
    key_strength(shot.rig, names[0], 1003, 0.2)
    key_strength(shot.rig, names[0], 1006, 0.8)


def perform_and_smooth(shot):
    add_performer(shot.rig, shot.folder / "bea.take", strength=0.5)
    turn_dial(shot.rig, 0.1)


def bake(shot):
    perform(shot)
    bake_layers(shot.rig, shot.scene)


# Influences fade between frames, and float32 rounds 1003.4 otherwise than 43.4.
FADING = {perform: 1e-6, perform_and_smooth: 1e-6, bake: 1e-6}
DEEDS = (leave_alone, key, edit, smooth, perform, perform_and_smooth, bake)


@pytest.mark.parametrize("deed", DEEDS, ids=[deed.__name__ for deed in DEEDS])
def test_whatever_is_done_shows_the_same_at_the_same_plate_frames(folder, deed):
    found = []
    for start_frame in (None, SHIFTED):
        shot = imported_at(start_frame, folder)
        deed(shot)
        take = remembered_take(shot.rig)
        found.append(shown(shot, scene_frames(shot.rig, take)))
    assert_same(found[1], found[0], FADING.get(deed, 0.0))


def test_passes_carry_the_plates_numbers_and_the_bytes_of_the_unmoved_shot(folder):
    files = []
    for number, start_frame in enumerate((None, SHIFTED)):
        shot = imported_at(start_frame, folder)
        files.append(export_passes(shot.scene, folder / f"passes{number}"))
    assert [path.name for path in files[1]] == [f"passes.{frame}.exr" for frame in shot.take.frames]
    assert [path.read_bytes() for path in files[1]] == [path.read_bytes() for path in files[0]]
    folder_read = PassFolder(folder / "passes1")
    for expected in render_passes(shot.take):
        assert folder_read.read(expected.frame).content_sha256 == expected.content_sha256


def test_the_scenes_range_means_the_plates_frames_that_it_shows(folder):
    shot = imported_at(SHIFTED, folder)
    assert frames_to_export(shot.scene, None) == shot.take.frames
    shot.scene.frame_start, shot.scene.frame_end = SHIFTED + 2, SHIFTED + 3
    assert frames_to_export(shot.scene, None) == FrameRange.span(1003, 1004)


def test_the_checks_read_the_poses_of_the_plates_frames(folder):
    found = []
    for start_frame in (None, SHIFTED):
        imported_at(start_frame, folder)
        found.append(performance_of_frames(bpy.context, FrameRange.parse("1002,1005")).tolist())
    assert found[0] == found[1]


def test_a_strength_keyed_by_the_button_stands_where_the_scene_stands(folder):
    shot = imported_at(SHIFTED, folder)
    (name,) = add_performer(shot.rig, folder / "bea.take", regions=("jaw",)).layers
    shot.scene.frame_set(SHIFTED + 3)
    bpy.ops.dvp.key_layer_strength(name=name, strength=0.5)
    strip = shot.rig.dvp_rig.face.data.shape_keys.animation_data.nla_tracks[name].strips[0]
    keys = {point.co[0]: point.co[1] for point in strip.fcurves.find("influence").keyframe_points}
    assert keys[SHIFTED + 3] == 0.5


def test_frames_of_the_farm_stand_where_the_plate_shows_them(folder):
    shot = imported_at(SHIFTED, folder)
    template = folder / "frames" / "frame.####.png"
    template.parent.mkdir()
    for frame in (1002, 1003):
        write_frame(frame_file(template, frame), frame)
    landed = land_result(shot.scene, template, FrameRange.span(1002, 1003))
    (background,) = shot.rig.dvp_rig.camera.data.background_images
    shot.scene.frame_set(SHIFTED + 2)
    assert plate_frame(shot.rig, SHIFTED + 2) == 1003
    assert landed.image.filepath_from_user(image_user=background.image_user) == str(frame_file(template, 1003))
    (strip,) = compat.sequencer_strips(shot.scene.sequence_editor)
    assert (strip.frame_final_start, strip.frame_final_duration) == (SHIFTED + 1, 2)
