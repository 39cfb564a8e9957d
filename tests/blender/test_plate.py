"""The plate behind the rig: the right picture at every frame, its own colours, its settings in the sidebar."""

import bpy
import numpy as np
import pytest
from plate_files import RATE, picture_at, write_movie, write_pictures
from recording_layout import RecordingLayout, draw
from small_take import small_take

from blender_addon.rig.importing import import_take
from blender_addon.rig.plate import plate_of, show_plate, view_note, whole_sequence
from blender_addon.rig.timing import plate_frame, scene_frame
from blender_addon.ui.plate_panel import DVP_PT_plate
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take


def take_of(tmp_path, *, first, count, file_name="plate.mp4"):
    """Write a take of a part of a clip and return its path."""
    path = tmp_path / "part.take"
    write_take(path, small_take(clip=Clip(file_name, "0" * 64, 320, 180, RATE, first, count)))
    return path


@pytest.mark.parametrize("start_frame", [None, 1001, 0])
@pytest.mark.parametrize(("first", "count"), [(1, 20), (5, 8), (20, 1)])
def test_a_movie_shows_the_takes_own_pictures(context, tmp_path, first, count, start_frame):
    """A take of frames 5 to 12 shows pictures 5 to 12, wherever the scene begins."""
    write_movie(tmp_path / "plate.mp4", picture_count=20)
    imported = import_take(take_of(tmp_path, first=first, count=count), context=context, start_frame=start_frame)
    background = plate_of(imported.rig)
    assert background.image.source == "MOVIE"
    begin = first if start_frame is None else start_frame
    assert (context.scene.frame_start, context.scene.frame_end) == (begin, begin + count - 1)
    assert context.scene.frame_current == begin
    for index in range(count):
        assert picture_at(background, begin + index) == first + index
        assert scene_frame(imported.rig, first + index) == begin + index
        assert plate_frame(imported.rig, begin + index) == first + index


@pytest.mark.parametrize(
    ("numbers", "first", "expected"),
    [
        (range(1001, 1021), 1001, 1001),
        (range(1001, 1021), 1007, 1007),  # a take of a part of the plate
        (range(17, 23), 1001, 17),  # numbered anew since the tracking
    ],
)
def test_pictures_show_their_numbers_or_start_with_the_take(context, tmp_path, numbers, first, expected):
    write_pictures(tmp_path / "plate", numbers)
    path = take_of(tmp_path, first=first, count=6, file_name="plate")
    for start_frame in (None, 101):
        background = plate_of(import_take(path, context=context, start_frame=start_frame).rig)
        begin = first if start_frame is None else start_frame
        for index in (0, 5):
            context.scene.frame_set(begin + index)
            shown = background.image.filepath_from_user(image_user=background.image_user)
            assert shown == str(tmp_path / "plate" / f"plate.{expected + index:04d}.png")
        assert background.image.source == "SEQUENCE"


def test_the_plate_keeps_its_colours_and_the_scene_shows_them_as_they_are(context, tmp_path):
    """Blender's own view transform (AgX) would show a grey of 0.5 in the passes as another than the plate's."""
    write_movie(tmp_path / "plate.mp4", picture_count=6)
    context.scene.view_settings.view_transform = "AgX"
    assert "AgX" in str(view_note(context.scene))
    imported = import_take(take_of(tmp_path, first=1, count=6), context=context)
    image = plate_of(imported.rig).image
    assert image.colorspace_settings.name == "sRGB"
    assert not image.use_view_as_render
    assert context.scene.view_settings.view_transform == "Standard"
    assert view_note(context.scene) is None


def test_a_scene_left_alone_keeps_its_view_transform_and_frames(context, tmp_path):
    write_movie(tmp_path / "plate.mp4", picture_count=6)
    context.scene.view_settings.view_transform = "AgX"
    before = context.scene.frame_start, context.scene.frame_end
    import_take(take_of(tmp_path, first=1, count=6), context=context, is_scene_set_up=False, start_frame=50)
    assert context.scene.view_settings.view_transform == "AgX"
    assert (context.scene.frame_start, context.scene.frame_end) == before


def test_pictures_of_scene_light_keep_blenders_own_colour_space(context, tmp_path):
    import OpenEXR

    folder = tmp_path / "plate"
    folder.mkdir()
    channels = {"RGB": np.full((4, 8, 3), 0.5, np.float32)}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels).write(str(folder / "plate.0001.exr"))
    rig = import_take(take_of(tmp_path, first=1, count=1, file_name="plate"), context=context).rig
    assert plate_of(rig).image.colorspace_settings.name == "Linear Rec.709"


def test_another_plate_takes_the_first_ones_place_and_settings(context, tmp_path):
    write_movie(tmp_path / "plate.mp4", picture_count=6)
    write_pictures(tmp_path / "other", range(1, 7))
    rig = import_take(take_of(tmp_path, first=1, count=6), context=context, start_frame=1001).rig
    plate_of(rig).alpha = 0.25
    assert bpy.ops.dvp.show_plate(filepath=str(tmp_path / "other" / "plate.0003.png")) == {"FINISHED"}
    assert len(rig.dvp_rig.camera.data.background_images) == 1
    background = plate_of(rig)
    assert background.image.source == "SEQUENCE"
    assert background.alpha == 0.25
    assert picture_at(background, 1001) == 1


def test_a_plate_that_is_none_is_refused_and_changes_nothing(context, tmp_path):
    write_movie(tmp_path / "plate.mp4", picture_count=6)
    rig = import_take(take_of(tmp_path, first=1, count=6), context=context).rig
    image = plate_of(rig).image
    (tmp_path / "poem.txt").write_text("no movie")
    with pytest.raises(DataError, match="no plate"):
        show_plate(rig, tmp_path / "poem.txt")
    with pytest.raises(RuntimeError, match="no plate"):
        bpy.ops.dvp.show_plate(filepath=str(tmp_path / "poem.txt"))
    assert plate_of(rig).image == image


def test_a_numbered_picture_stands_for_its_sequence(tmp_path):
    write_pictures(tmp_path / "shot_02", [7])
    picture = tmp_path / "shot_02" / "plate.0007.png"
    assert whole_sequence(picture) == tmp_path / "shot_02" / "plate.####.png"
    assert whole_sequence(tmp_path / "shot_02") == tmp_path / "shot_02"
    assert whole_sequence(tmp_path / "take7.mp4") == tmp_path / "take7.mp4"


def test_a_start_before_blenders_first_frame_is_refused(context, tmp_path):
    path = take_of(tmp_path, first=5, count=6)
    with pytest.raises(DataError, match="start frame is -1"):
        import_take(path, context=context, start_frame=-1)
    assert len(bpy.data.objects) == 0


def test_operator_starts_where_it_is_told(context, tmp_path):
    path = take_of(tmp_path, first=5, count=6)
    bpy.ops.dvp.import_take(filepath=str(path), start_frame=1001)
    assert context.scene.frame_start == 1001
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.dvp.import_take(filepath=str(path))
    assert bpy.context.scene.frame_start == 5


def test_panel_shows_the_plate_or_how_to_get_one(context, tmp_path):
    rig = import_take(take_of(tmp_path, first=1, count=6), context=context, start_frame=1001).rig
    drawn = []
    draw(DVP_PT_plate, RecordingLayout(drawn), context)
    assert [item for item in drawn if item[0] == "operator"] == [("operator", "dvp.show_plate")]
    write_movie(tmp_path / "plate.mp4", picture_count=6)
    show_plate(rig, tmp_path / "plate.mp4")
    context.scene.view_settings.view_transform = "AgX"
    drawn.clear()
    draw(DVP_PT_plate, RecordingLayout(drawn), context)
    assert {"alpha", "display_depth", "view_transform"} <= {name for kind, name in drawn if kind == "prop"}
    assert ("label", "Scene frame = plate frame +1000") in drawn
    assert any(kind == "label" and "AgX" in text for kind, text in drawn)


def test_seen_picture_is_the_one_that_was_counted(context, tmp_path):
    """The same settings in Blender's compositor give the picture whose grey says its number."""
    if not hasattr(context.scene, "node_tree"):
        pytest.skip("this Blender's compositor is built otherwise; the settings are the same")
    write_movie(tmp_path / "plate.mp4", picture_count=20)
    rig = import_take(take_of(tmp_path, first=5, count=8), context=context, start_frame=1001).rig
    background, scene = plate_of(rig), context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    node = tree.nodes.new("CompositorNodeImage")
    node.image = background.image
    for name in ("frame_start", "frame_duration", "frame_offset", "use_auto_refresh"):
        setattr(node, name, getattr(background.image_user, name))
    tree.links.new(node.outputs[0], tree.nodes.new("CompositorNodeComposite").inputs[0])
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    for frame in (1001, 1006):
        scene.frame_set(frame)
        scene.render.filepath = str(tmp_path / f"{frame}.png")
        bpy.ops.render.render(write_still=True)
        seen = np.array(bpy.data.images.load(scene.render.filepath).pixels[:3]) * 255
        np.testing.assert_allclose(seen, 5 * picture_at(background, frame), atol=2.0)
