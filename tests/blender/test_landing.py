"""What the farm made comes back: at the right frames, at the right place, replaced when it comes again."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from blender_addon import compat
from blender_addon.landing import (
    frame_file,
    land_result,
    place_behind,
    result_of,
    runs_of,
    take_result_away,
)
from blender_addon.rig.importing import import_take
from blender_addon.rig.scene_setup import set_up_scene
from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take

SIDE = 16
FRAMES = FrameRange.parse("1001-1003,1005")


def color_of(frame):
    """Return a colour, 8-bit sRGB, that tells the frame."""
    return np.array([40 * (frame - 1000), 200, 250 - 40 * (frame - 1000)])


def write_frame(path, frame):
    image = bpy.data.images.new("frame", SIDE, SIDE)
    pixels = np.ones((SIDE, SIDE, 4), np.float32)
    pixels[..., :3] = color_of(frame) / 255
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


@pytest.fixture
def shot(context, take_file, tmp_path):
    """A rig before a plate of numbered pictures, and frames of the farm's."""
    path, take = take_file
    take = replace(take, crop=Crop(95, 20, 140, SIDE))
    write_take(path, take)
    plate = tmp_path / "plate"
    plate.mkdir()
    for frame in take.frames:
        write_frame(plate / f"plate.{frame}.png", frame)
    rig = import_take(path, context=context, plate_path=plate).rig
    template = tmp_path / "frames" / "frame.####.png"
    template.parent.mkdir()
    for frame in FRAMES:
        write_frame(frame_file(template, frame), frame)
    context.scene.view_settings.view_transform = "Standard"
    return SimpleNamespace(scene=context.scene, rig=rig, take=take, template=template)


def backgrounds(shot):
    return list(shot.rig.dvp_rig.camera.data.background_images)


def strips(shot):
    found = compat.sequencer_strips(shot.scene.sequence_editor)
    return sorted(found, key=lambda strip: strip.frame_final_start)


def test_frames_stand_behind_the_rig_at_their_numbers(shot):
    landed = land_result(shot.scene, shot.template, FRAMES)
    assert landed.frames == FRAMES
    assert not len(landed.missing)
    plate, result = backgrounds(shot)
    assert result.image == landed.image
    assert result.image.source == "SEQUENCE"
    assert result.image.colorspace_settings.name == "sRGB"
    for frame in FRAMES:
        shot.scene.frame_set(frame)
        shown = result.image.filepath_from_user(image_user=result.image_user)
        assert shown == str(frame_file(shot.template, frame))
    assert (plate.alpha, result.alpha) == (1.0, 1.0)


def test_the_plate_stays_as_it_is_and_the_slider_keeps_its_place(shot):
    backgrounds(shot)[0].alpha = 0.75
    land_result(shot.scene, shot.template, FRAMES)
    result_of(shot.scene).alpha = 0.25
    land_result(shot.scene, shot.template, FRAMES)
    plate, result = backgrounds(shot)  # the last lies on top
    assert (plate.alpha, result.alpha) == (0.75, 0.25)
    assert result == result_of(shot.scene)


def test_strips_have_the_frames_files_and_no_gap_is_filled(shot):
    land_result(shot.scene, shot.template, FRAMES)
    spans = [(strip.frame_final_start, strip.frame_final_duration) for strip in strips(shot)]
    assert spans == [(1001, 3), (1005, 1)]
    names = [element.filename for strip in strips(shot) for element in strip.elements]
    assert names == [frame_file(shot.template, frame).name for frame in FRAMES]
    assert not shot.scene.render.use_sequencer


@pytest.mark.parametrize("percent", [100, 50])
def test_the_sequencer_shows_each_frame_in_its_colours_at_the_crop_of_the_plate(shot, tmp_path, percent):
    land_result(shot.scene, shot.template, FRAMES)
    shot.scene.render.use_sequencer = True
    shot.scene.render.resolution_percentage = percent
    compat.set_still_png(shot.scene.render.image_settings)
    inside, crop = np.zeros((180, 320), bool), shot.take.crop
    inside[crop.y_px : crop.y_px + crop.size_px, crop.x_px : crop.x_px + crop.size_px] = True
    for frame in (1002, 1005):
        picture = rendered(shot.scene, frame, tmp_path / f"seen{percent}.png")
        step = 100 // percent
        shown = np.abs(picture.astype(int) - color_of(frame)).max(axis=-1) <= 2
        expected = inside[::step, ::step]
        assert np.mean(shown != expected) < 0.02  # edges of a square that lies on half pixels
        assert picture[~expected & ~shown].max() <= 2
    assert rendered(shot.scene, 1004, tmp_path / f"gap{percent}.png").max() <= 2


def rendered(scene, frame, path):
    """Return what the sequencer shows, (H, W, 3) uint8, first row on top."""
    scene.frame_set(frame)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return np.round(pixels.reshape(height, width, 4)[::-1, :, :3] * 255).astype(np.uint8)


def test_landing_again_replaces_what_landed(shot):
    land_result(shot.scene, shot.template, FRAMES)
    write_frame(frame_file(shot.template, 1004), 1004)
    landed = land_result(shot.scene, shot.template, shot.take.frames)
    assert str(landed.frames) == "1001-1005"
    assert str(landed.missing) == "1006"
    assert any("not there: frames 1006" in note for note in landed.notes)
    assert len(backgrounds(shot)) == 2
    assert [(strip.frame_final_start, strip.frame_final_duration) for strip in strips(shot)] == [(1001, 5)]
    assert sum(image.get("dvp_result", False) for image in bpy.data.images) == 1


def test_taking_away_leaves_the_scene_as_it_was(shot):
    before = (backgrounds(shot)[0].alpha, len(bpy.data.images))
    land_result(shot.scene, shot.template, FRAMES)
    own = compat.sequencer_strips(shot.scene.sequence_editor).new_image(
        name="mine", filepath=str(frame_file(shot.template, 1001)), channel=9, frame_start=1
    )
    assert take_result_away(shot.scene)
    assert [strip.name for strip in strips(shot)] == [own.name]
    assert len(backgrounds(shot)) == 1
    assert (backgrounds(shot)[0].alpha, len(bpy.data.images)) == before
    assert not take_result_away(shot.scene)


def test_strips_of_the_animator_keep_their_place_and_the_sequencer_its_switch(shot):
    editor = shot.scene.sequence_editor_create()
    compat.sequencer_strips(editor).new_image(
        name="mine", filepath=str(frame_file(shot.template, 1001)), channel=4, frame_start=1001
    )
    landed = land_result(shot.scene, shot.template, FRAMES)
    assert {strip.channel for strip in landed.strips} == {5}
    assert shot.scene.render.use_sequencer


def test_result_survives_saving_and_reopening(shot, tmp_path):
    land_result(shot.scene, shot.template, FRAMES)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    assert result_of(scene) is not None
    assert take_result_away(scene)
    assert result_of(scene) is None


def test_nothing_to_show_is_said(shot):
    with pytest.raises(DataError, match="none of the frames 1006 is there"):
        land_result(shot.scene, shot.template, FrameRange.parse("1006"))
    with pytest.raises(DataError, match="one run of #"):
        land_result(shot.scene, shot.template.with_name("frame.png"), FRAMES)
    assert len(backgrounds(shot)) == 1
    assert not bpy.ops.dvp.show_result.poll()
    with pytest.raises(RuntimeError, match="No result is shown"):
        bpy.ops.dvp.remove_result()


def test_buttons_do_what_the_functions_do(shot, tmp_path):
    stored = bpy.context.preferences.addons["blender_addon"].preferences
    stored.root_folder, stored.root_name = str(tmp_path), "shots"
    options = shot.scene.dvp_submit
    options.submitted_output, options.submitted_frames = "shots:frames/frame.####.png", str(FRAMES)
    try:
        assert bpy.ops.dvp.show_result() == {"FINISHED"}
        assert len(strips(shot)) == 2
        assert bpy.ops.dvp.remove_result() == {"FINISHED"}
        assert result_of(shot.scene) is None
        options.submitted_output = "elsewhere:frames/frame.####.png"
        with pytest.raises(RuntimeError, match="no folder here"):
            bpy.ops.dvp.show_result()
    finally:
        stored.root_folder = ""


def test_showing_and_removing_are_one_undo_step_each(shot, tmp_path):
    stored = bpy.context.preferences.addons["blender_addon"].preferences
    stored.root_folder, stored.root_name = str(tmp_path), "shots"
    options = shot.scene.dvp_submit
    options.submitted_output, options.submitted_frames = "shots:frames/frame.####.png", str(FRAMES)
    try:
        bpy.ops.ed.undo_push(message="before")
        bpy.ops.dvp.show_result("EXEC_DEFAULT", True)
        bpy.ops.dvp.remove_result("EXEC_DEFAULT", True)
        assert state_of_scene() == (False, 1, 0)
        bpy.ops.ed.undo()
        assert state_of_scene() == (True, 2, 2)
        bpy.ops.ed.undo()
        assert state_of_scene() == (False, 1, 0)
        bpy.ops.ed.redo()
        assert state_of_scene() == (True, 2, 2)
    finally:
        stored.root_folder = ""


def state_of_scene():
    """Say whether a result is shown, and count backgrounds and strips; undo makes older references worthless."""
    scene = bpy.context.scene
    editor = scene.sequence_editor
    strip_count = 0 if editor is None else len(compat.sequencer_strips(editor))
    return result_of(scene) is not None, len(scene.camera.data.background_images), strip_count


@pytest.mark.parametrize(
    ("size", "pixel_aspect"), [((320, 180), 1), ((180, 320), 1), ((200, 200), 1), ((320, 180), 2), ((180, 320), 2)]
)
def test_background_lies_on_the_crop_by_the_viewports_arithmetic(context, take_file, size, pixel_aspect):
    width, height = size
    clip = replace(take_file[1].clip, width_px=width, height_px=height, pixel_aspect=Fraction(pixel_aspect))
    crop = Crop(30, 70, 90, SIDE)
    set_up_scene(context.scene, clip)
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit = "HORIZONTAL"
    corners = np.array([tuple(corner) for corner in camera.view_frame(scene=context.scene)])
    frame_width, frame_height = np.ptp(corners[:, 0]), np.ptp(corners[:, 1])
    aspect, image_aspect = frame_width / frame_height, float(pixel_aspect)
    scale, (right, up) = place_behind(SimpleNamespace(crop=crop, clip=clip))
    fitted_height = frame_width / image_aspect if image_aspect > aspect else frame_height
    center = np.array([right * min(1, aspect), up * aspect / (max(1, aspect) * image_aspect)])
    half = scale * fitted_height * np.array([image_aspect, 1]) / 2
    left_bottom, right_top = center - half, center + half
    seen = [
        (left_bottom[0] / frame_width + 0.5) * width,
        (0.5 - right_top[1] / frame_height) * height,
        (right_top[0] / frame_width + 0.5) * width,
        (0.5 - left_bottom[1] / frame_height) * height,
    ]
    np.testing.assert_allclose(seen, [30, 70, 120, 160], atol=1e-3)


def test_runs_are_cut_at_gaps():
    assert runs_of(FRAMES) == [[1001, 1002, 1003], [1005]]
