from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.compat import set_multilayer_exr
from blender_addon.passes.exporting import TRACKED_TAKE, export_passes, iterate_export
from blender_addon.passes.scene_passes import pass_frame_of_scene
from blender_addon.rig.importing import import_take
from blender_addon.rig.memory import forget_takes
from blender_addon.rig.reading import read_pose
from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import read_take
from dvp_core.passes.exr import read_pass_frame
from dvp_core.passes.render import render_pass_frame, render_passes

NAMES = ("color", "corr", "gaze", "mask", "depth")


def assert_same_passes(actual, expected):
    for name in NAMES:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)
    assert actual.frame == expected.frame
    assert actual.crop == expected.crop
    assert actual.take_sha256 == expected.take_sha256
    assert actual.content_sha256 == expected.content_sha256


def read_channels(path):
    """Return an EXR's channels by name, without a view layer's before it, (H, W) each, and its header."""
    import OpenEXR

    with OpenEXR.File(str(path), separate_channels=True) as file:
        part = file.parts[0]
        channels = {".".join(name.split(".")[-2:]): channel.pixels for name, channel in part.channels.items()}
        return channels, dict(part.header)


def test_untouched_import_gives_the_takes_passes_bit_for_bit(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    for expected in render_passes(take):
        context.scene.frame_set(expected.frame)
        depsgraph = context.evaluated_depsgraph_get()
        actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=expected.frame, crop=take.crop)
        assert notes == ()
        assert expected.mask.sum() > 100
        assert_same_passes(actual, expected)


def test_exported_files_hold_the_takes_passes_bit_for_bit(context, take_file, tmp_path):
    path, take = take_file
    import_take(path, context=context)
    files = export_passes(context.scene, tmp_path / "passes")
    assert [file.name for file in files] == [f"passes.{frame:04d}.exr" for frame in take.frames]
    assert sorted(item.name for item in (tmp_path / "passes").iterdir()) == [
        *(file.name for file in files),
        TRACKED_TAKE,
    ]
    assert read_take(tmp_path / "passes" / TRACKED_TAKE).sha256 == take.sha256
    for file, expected in zip(files, render_passes(take), strict=True):
        channels, _ = read_channels(file)
        for name, letters in (("color", "RGB"), ("corr", "XYZ"), ("gaze", "RGB")):
            actual = np.stack([channels[f"{name}.{letter}"] for letter in letters], axis=-1)
            np.testing.assert_array_equal(actual, getattr(expected, name), err_msg=name)
        np.testing.assert_array_equal(channels["mask.A"], expected.mask)
        np.testing.assert_array_equal(channels["depth.Z"], expected.depth)


def test_files_are_read_by_the_passes_room(context, take_file, tmp_path):
    from dvp_core.passes import PassFolder

    path, take = take_file
    import_take(path, context=context)
    export_passes(context.scene, tmp_path / "passes", FrameRange.parse("1002,1005"))
    folder = PassFolder(tmp_path / "passes")
    assert tuple(folder.frames) == (1002, 1005)
    for expected in render_passes(take, frames=folder.frames):
        assert_same_passes(folder.read(expected.frame), expected)


@pytest.mark.parametrize("is_one_part", [True, False])
def test_an_animation_rendered_by_hand_is_read_as_the_takes_passes(context, take_file, tmp_path, is_one_part):
    """Ctrl-F12 into EXR as an artist sets it up; 5.0 writes one part for each pass unless told not to."""
    from dvp_core.passes import PassFolder

    path, take = take_file
    import_take(path, context=context)
    scene = context.scene
    scene.render.engine, scene.dvp.area = "DVP_PASSES", "CROP"
    scene.render.resolution_x = scene.render.resolution_y = take.crop.resolution_px
    scene.render.use_stamp_frame = scene.render.use_stamp_date = False
    set_multilayer_exr(scene.render.image_settings)
    if hasattr(scene.render.image_settings, "use_exr_interleave"):
        scene.render.image_settings.use_exr_interleave = is_one_part
    elif not is_one_part:
        pytest.skip("this Blender writes one part only")
    scene.frame_start, scene.frame_end = 1002, 1004
    scene.render.filepath = str(tmp_path / "passes" / "passes.####")
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    folder = PassFolder(tmp_path / "passes")
    assert tuple(folder.frames) == (1002, 1003, 1004)
    for expected in render_passes(take, frames=folder.frames):
        assert_same_passes(folder.read(expected.frame), expected)


def test_two_exports_are_the_same_bytes(context, take_file, tmp_path):
    path, _ = take_file
    import_take(path, context=context)
    first = export_passes(context.scene, tmp_path / "a", FrameRange.span(1001, 1002))
    second = export_passes(context.scene, tmp_path / "b", FrameRange.span(1001, 1002))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_operator_exports_what_the_function_exports(context, take_file, tmp_path):
    path, _ = take_file
    import_take(path, context=context)
    by_function = export_passes(context.scene, tmp_path / "a", FrameRange.span(1002, 1003))
    assert bpy.ops.dvp.export_passes(output=str(tmp_path / "b"), frames="1002-1003") == {"FINISHED"}
    for file in by_function:
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_export_puts_the_scenes_settings_back(context, take_file, tmp_path):
    path, _ = take_file
    import_take(path, context=context)
    scene = context.scene
    scene.frame_set(1004)
    scene.render.image_settings.file_format = "JPEG"
    before = settings_of(scene)
    export_passes(scene, tmp_path / "passes", FrameRange.span(1001, 1001))
    assert settings_of(scene) == before
    with pytest.raises(DataError, match="lies outside the take"):
        export_passes(scene, tmp_path / "passes", FrameRange.span(1, 2))
    assert settings_of(scene) == before


def test_stopped_export_leaves_whole_frames_and_the_scene_as_it_was(context, take_file, tmp_path):
    path, take = take_file
    import_take(path, context=context)
    before = settings_of(context.scene)
    exports = iterate_export(context.scene, tmp_path / "passes", take.frames)
    done = [next(exports), next(exports)]
    assert [file.name for file in done] == ["passes.1001.exr", "passes.1002.exr"]
    exports.close()
    assert settings_of(context.scene) == before
    *files, tracked = sorted((tmp_path / "passes").iterdir())
    assert tracked.name == TRACKED_TAKE
    assert set(done) <= set(files)
    for file in files:
        assert_same_passes(read_pass_frame(file), next(render_passes(take, frames=[read_pass_frame(file).frame])))


def settings_of(scene):
    render = scene.render
    return (
        scene.frame_current,
        scene.dvp.area,
        render.engine,
        (render.resolution_x, render.resolution_y, render.resolution_percentage),
        render.filepath,
        (render.image_settings.file_format, render.image_settings.color_mode, render.image_settings.color_depth),
        (render.use_stamp_date, render.use_compositing, render.use_sequencer),
    )


def test_whole_plate_shows_the_plates_camera(context, take_file, tmp_path):
    """F12 without an export: the plate's size, the take's camera, and half of both at 50 percent."""
    path, take = take_file
    import_take(path, context=context)
    scene = context.scene
    scene.render.engine = "DVP_PASSES"
    set_multilayer_exr(scene.render.image_settings)
    scene.frame_set(1003)
    expected = plate_pass_frame(take, 1003)
    for percentage, size in ((100, (180, 320)), (50, (90, 160))):
        scene.render.resolution_percentage = percentage
        scene.render.filepath = str(tmp_path / f"plate{percentage}.exr")
        bpy.ops.render.render(write_still=True)
        channels, _ = read_channels(tmp_path / f"plate{percentage}.exr")
        assert channels["mask.A"].shape == size
        if percentage == 100:
            np.testing.assert_array_equal(channels["depth.Z"], expected.depth[:180])
            np.testing.assert_array_equal(channels["Combined.A"], expected.mask[:180])
        else:
            covered = expected.mask.mean() * expected.mask.size / 4
            assert channels["mask.A"].sum() == pytest.approx(covered, rel=0.02)


def plate_pass_frame(take, frame):
    from dvp_core.face.posing import pose_vertices

    index = take.index_of(frame)
    return render_pass_frame(
        take.face,
        pose_vertices(take, index),
        take.camera,
        illumination_sh=take.illumination_sh[index],
        reflectance=take.reflectance,
        frame=frame,
        crop=Crop(0, 0, 320, 320),
        take_sha256=take.sha256,
        face_model_sha256=take.face_model_sha256,
    )


def test_moved_head_is_read_from_matrices(context, take_file):
    """A constraint that moves the head by 2 cm gives the passes of a take that is 2 cm aside."""
    path, take = take_file
    imported = import_take(path, context=context)
    target = bpy.data.objects.new("target", None)
    context.scene.collection.objects.link(target)
    target.location = (0.02, 0.0, 0.0)
    constraint = imported.rig.pose.bones["head"].constraints.new("COPY_LOCATION")
    constraint.target = target
    constraint.use_offset = True
    context.scene.frame_set(1002)
    depsgraph = context.evaluated_depsgraph_get()
    actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=1002, crop=take.crop)
    assert "constrained" in notes[0]
    aside = replace(take, head_translation_m=take.head_translation_m + np.array([0.02, 0, 0], np.float32))
    (expected,) = render_passes(aside, frames=[1002])
    assert (actual.mask != expected.mask).mean() < 1e-3
    assert np.abs(actual.depth - expected.depth)[(actual.mask * expected.mask) > 0].max() < 1e-3


def test_constrained_eyes_are_read_from_matrices(context, take_file):
    """A constraint that limits nothing leaves the gaze as it was tracked, though its channels are not read."""
    path, take = take_file
    imported = import_take(path, context=context)
    for name in ("eye.L", "eye.R"):
        constraint = imported.rig.pose.bones[name].constraints.new("LIMIT_ROTATION")
        constraint.owner_space = "LOCAL"
    for index, frame in enumerate(take.frames):
        context.scene.frame_set(frame)
        pose = read_pose(imported.rig, take, context.evaluated_depsgraph_get())
        np.testing.assert_allclose(pose.gaze_rad, take.gaze_rad[index], atol=1e-5)


def test_untouched_rig_that_moves_with_its_camera_renders_the_same(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    stage = bpy.data.objects.new("stage", None)
    context.scene.collection.objects.link(stage)
    for item in (imported.rig, imported.camera):
        item.parent = stage
    stage.location = (1.0, 2.0, 0.5)
    context.scene.frame_set(1002)
    depsgraph = context.evaluated_depsgraph_get()
    actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=1002, crop=take.crop)
    (expected,) = render_passes(take, frames=[1002])
    assert notes == ()
    assert_same_passes(actual, expected)


def test_longer_lens_enlarges_the_face(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    imported.camera.data.lens *= 1.5
    context.scene.frame_set(1002)
    depsgraph = context.evaluated_depsgraph_get()
    actual, _ = pass_frame_of_scene(imported.rig, take, depsgraph, frame=1002, crop=Crop(0, 0, 320, 320))
    (expected,) = render_passes(
        replace(take, crop=Crop(0, 0, 320, 320), camera=replace(take.camera, focal_px=1.5 * take.camera.focal_px)),
        frames=[1002],
    )
    assert (actual.mask != expected.mask).mean() < 1e-3


def test_render_border_is_cut_out_of_the_whole(context, take_file, tmp_path):
    path, take = take_file
    import_take(path, context=context)
    scene = context.scene
    scene.render.engine = "DVP_PASSES"
    set_multilayer_exr(scene.render.image_settings)
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.75
    scene.render.border_min_y, scene.render.border_max_y = 0.2, 0.9
    scene.render.filepath = str(tmp_path / "border.exr")
    scene.frame_set(1003)
    bpy.ops.render.render(write_still=True)
    channels, _ = read_channels(tmp_path / "border.exr")
    whole = plate_pass_frame(take, 1003).depth[:180]
    np.testing.assert_array_equal(channels["depth.Z"], whole[18:144, 80:240])


@pytest.mark.parametrize("change", ["shape key", "modifier"])
def test_other_deformations_use_blenders_mesh_and_say_so(context, take_file, change):
    path, take = take_file
    imported = import_take(path, context=context)
    context.scene.frame_set(1002)
    if change == "shape key":
        key = imported.face.shape_key_add(name="director's note", from_mix=False)
        key.value = 0.0
    else:
        imported.face.modifiers.new("soft", "SMOOTH").iterations = 0
    depsgraph = context.evaluated_depsgraph_get()
    actual, notes = pass_frame_of_scene(imported.rig, take, depsgraph, frame=1002, crop=take.crop)
    assert "evaluated mesh" in notes[0]
    (expected,) = render_passes(take, frames=[1002])
    both = (actual.mask * expected.mask) > 0
    assert (actual.mask != expected.mask).mean() < 1e-3
    assert np.abs(actual.depth - expected.depth)[both].max() < 1e-3
    assert np.median(np.abs(actual.corr - expected.corr)[both]) < 1e-5


def test_modifier_that_adds_vertices_is_an_error_that_reaches_the_user(context, take_file, tmp_path):
    path, _ = take_file
    imported = import_take(path, context=context)
    imported.face.modifiers.new("fine", "SUBSURF")
    with pytest.raises(DataError, match="vertices where the take"):
        export_passes(context.scene, tmp_path / "passes", FrameRange.span(1001, 1001))
    assert not (tmp_path / "passes").exists()
    context.scene.render.engine = "DVP_PASSES"
    context.scene.render.filepath = str(tmp_path / "blank.png")
    with pytest.raises(RuntimeError, match="vertices where the take"):
        bpy.ops.render.render(write_still=True)


def test_saved_file_renders_without_the_take(context, take_file, tmp_path):
    path, take = take_file
    import_take(path, context=context)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    path.unlink()
    forget_takes()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    (file,) = export_passes(bpy.context.scene, tmp_path / "passes", FrameRange.span(1004, 1004))
    (expected,) = render_passes(take, frames=[1004])
    np.testing.assert_array_equal(read_channels(file)[0]["depth.Z"], expected.depth)


def test_unpacked_take_is_found_beside_the_blend_or_missed_by_name(context, take_file, tmp_path):
    path, _take = take_file
    import_take(path, context=context, is_packed=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(elsewhere / "shot.blend"))
    moved = path.rename(elsewhere / path.name)
    forget_takes()
    assert len(export_passes(bpy.context.scene, tmp_path / "passes", FrameRange.span(1001, 1001))) == 1
    moved.unlink()
    forget_takes()
    with pytest.raises(DataError, match=r"ada\.take.*beside the \.blend"):
        export_passes(bpy.context.scene, tmp_path / "passes", FrameRange.span(1001, 1001))
    bpy.context.scene.render.engine = "DVP_PASSES"
    bpy.context.scene.render.filepath = str(tmp_path / "blank.png")
    with pytest.raises(RuntimeError, match=r"ada\.take"):
        bpy.ops.render.render(write_still=True)


def test_other_take_under_the_same_name_is_refused(context, take_file, tmp_path):
    from small_take import small_take

    from dvp_core.data.take import write_take

    path, _ = take_file
    import_take(path, context=context, is_packed=False)
    write_take(path, small_take(seed=77))
    forget_takes()
    with pytest.raises(DataError, match="replaced by another"):
        export_passes(context.scene, tmp_path / "passes")


def test_empty_scene_says_how_to_get_a_rig(context, tmp_path):
    assert not bpy.ops.dvp.export_passes.poll()
    with pytest.raises(DataError, match="Import a take"):
        export_passes(context.scene, tmp_path / "passes")
    context.scene.render.engine = "DVP_PASSES"
    context.scene.render.filepath = str(tmp_path / "blank.png")
    context.scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    with pytest.raises(RuntimeError, match="no portrait rig"):
        bpy.ops.render.render(write_still=True)


def test_unwritable_folder_is_one_clear_error(context, take_file, tmp_path):
    path, _ = take_file
    import_take(path, context=context)
    blocked = tmp_path / "file"
    Path(blocked).write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        export_passes(context.scene, blocked / "passes")
