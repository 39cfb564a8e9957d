"""Rendered shading: the picture is F12's colour pass, it lies where the plate lies, and errors are said once."""

from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from small_take import small_take
from test_passes import plate_pass_frame

from blender_addon.passes import engine, viewport
from blender_addon.passes.viewport import (
    Rectangle,
    check_view,
    plate_corners,
    preview_of_scene,
    preview_size,
    rectangle_in_region,
)
from blender_addon.rig.importing import import_take
from dvp_core.data.camera import Camera
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take
from dvp_core.maths.frames import BLENDER_WORLD_FROM_OPENGL_CAMERA

REGION_WH = (1000, 700)


def region_matrix(camera_object, size_wh):
    """What Blender projects with when a region shows exactly the camera's frame."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    projection = camera_object.calc_matrix_camera(depsgraph, x=size_wh[0], y=size_wh[1])
    return np.array(projection) @ np.array(camera_object.matrix_world.inverted())


@pytest.mark.parametrize("start_frame", [None, 7])
def test_the_picture_is_f12s_colour_pass_at_the_frame_shown(context, take_file, start_frame):
    path, take = take_file
    import_take(path, context=context, start_frame=start_frame)
    context.scene.dvp.preview_px = 4096  # more than the plate has
    context.scene.frame_set(context.scene.frame_start + 2)
    preview = preview_of_scene(context.evaluated_depsgraph_get())
    expected = plate_pass_frame(take, 1003)
    np.testing.assert_array_equal(preview.picture[..., :3], expected.color[:180])
    np.testing.assert_array_equal(preview.picture[..., 3], expected.mask[:180])
    assert preview.notes == ()


def test_smaller_pictures_show_the_same_face(context, take_file):
    path, _ = take_file
    import_take(path, context=context)
    whole = {}
    for side in (320, 80):
        context.scene.dvp.preview_px = side
        picture = preview_of_scene(context.evaluated_depsgraph_get()).picture
        assert picture.shape == (side * 180 // 320, side, 4)
        whole[side] = picture[..., 3].mean(), *(np.argwhere(picture[..., 3] > 0).mean(axis=0) / side).tolist()
    np.testing.assert_allclose(whole[80], whole[320], atol=0.01)


@pytest.mark.parametrize(
    ("plate_wh", "longest_px", "expected"),
    [
        ((1920, 1080), 256, (256, 144)),
        ((1080, 1920), 256, (144, 256)),
        ((256, 256), 512, (256, 256)),
        ((4000, 3), 64, (64, 1)),
    ],
)
def test_pictures_keep_the_plates_shape_and_are_never_larger(plate_wh, longest_px, expected):
    assert preview_size(plate_wh, longest_px) == expected


@pytest.mark.parametrize("wh", [(320, 180), (180, 320)])
def test_the_plate_fills_the_cameras_frame(context, tmp_path, wh):
    """Blender's own projection of the scene's camera, with a principal point off the middle, gives the whole region."""
    take = small_take()
    take = replace(
        take,
        clip=replace(take.clip, width_px=wh[0], height_px=wh[1]),
        camera=Camera(401.7, (wh[0] / 2 + 3.3, wh[1] / 2 - 1.1), *wh),
    )
    write_take(tmp_path / "t.take", take)
    imported = import_take(tmp_path / "t.take", context=context)
    imported.camera.location = (1.0, -2.0, 0.5)
    imported.camera.rotation_euler.z = 0.4
    preview = preview_of_scene(context.evaluated_depsgraph_get())
    found = rectangle_in_region(preview.corners_world, region_matrix(imported.camera, wh), REGION_WH)
    np.testing.assert_allclose([found.x_px, found.y_px], 0, atol=1e-2)
    np.testing.assert_allclose([found.width_px, found.height_px], REGION_WH, rtol=1e-4)


def test_a_zoomed_view_moves_and_sizes_the_picture(context, take_file):
    path, _ = take_file
    camera = import_take(path, context=context).camera
    preview = preview_of_scene(context.evaluated_depsgraph_get())
    zoom = np.diag([0.5, 0.5, 1.0, 1.0])  # of clip space, before its division by w
    zoom[0, 3] = 0.25
    matrix = zoom @ region_matrix(camera, (320, 180))
    found = rectangle_in_region(preview.corners_world, matrix, REGION_WH)
    np.testing.assert_allclose(
        [found.x_px, found.y_px, found.width_px, found.height_px], [375, 175, 500, 350], atol=0.05
    )


def test_corners_are_the_pictures():
    corners = plate_corners(Camera(200.0, (50.0, 30.0), 160, 120))
    np.testing.assert_allclose(corners[0], [-0.25, 0.15, -1.0])
    np.testing.assert_allclose(corners[2], [0.55, -0.45, -1.0])


def view_3d(context):
    area = next(area for area in context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    return area.spaces.active


def test_only_a_view_through_the_rigs_camera_shows_passes(context, take_file):
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    path, _ = take_file
    imported = import_take(path, context=bpy.context)
    scene, space = bpy.context.scene, view_3d(bpy.context)
    space.region_3d.view_perspective = "CAMERA"
    check_view(scene, space, space.region_3d)
    space.region_3d.view_perspective = "PERSP"
    with pytest.raises(DataError, match=r"Look through 'Ada Camera'"):
        check_view(scene, space, space.region_3d)
    space.region_3d.view_perspective = "CAMERA"
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    scene.camera = other
    with pytest.raises(DataError, match="Ada Camera"):
        check_view(scene, space, space.region_3d)
    space.use_local_camera, space.camera = True, imported.camera
    check_view(scene, space, space.region_3d)


class ViewEngine:
    """Stands where Blender makes an engine of its own for a view; keeps what is said to the user and shown."""

    _preview, _texture, _is_stale, _said = None, None, True, ""
    view_update, view_draw = engine.PassesEngine.view_update, engine.PassesEngine.view_draw
    _say = engine.PassesEngine._say

    def __init__(self):
        self.said, self.shown = [], []

    def update_stats(self, title, sentence):
        assert title == ""
        self.said.append(sentence)

    def _show(self, context, scene, preview):
        self.shown.append(preview)

    def draw(self, *, is_changed=False):
        """Let the view be drawn, after a change or because a mouse went over it."""
        space, depsgraph = view_3d(bpy.context), bpy.context.evaluated_depsgraph_get()
        if is_changed:
            self.view_update(bpy.context, depsgraph)
        self.view_draw(SimpleNamespace(space_data=space, region_data=space.region_3d), depsgraph)


def test_errors_are_said_once_and_go_when_mended(context, take_file):
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    view = ViewEngine()
    for is_changed in (True, True, False):
        view.draw(is_changed=is_changed)
    assert len(view.said) == 1
    assert "no portrait rig" in view.said[0]
    imported = import_take(take_file[0], context=bpy.context)
    view_3d(bpy.context).region_3d.view_perspective = "CAMERA"
    view.draw(is_changed=True)
    assert view.said[1:] == [""]
    assert view.shown[-1].picture[..., 3].sum() > 100
    modifier = imported.face.modifiers.new("fine", "SUBSURF")
    for is_changed in (True, False, False):
        view.draw(is_changed=is_changed)
    assert len(view.said) == 3
    assert "vertices where the take" in view.said[-1]
    assert len(view.shown) == 1
    imported.face.modifiers.remove(modifier)
    view.draw(is_changed=True)
    assert view.said[-1] == ""


def test_a_picture_is_drawn_anew_only_after_a_change(context, take_file):
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    import_take(take_file[0], context=bpy.context)
    view, region_3d = ViewEngine(), view_3d(bpy.context).region_3d
    region_3d.view_perspective = "PERSP"
    view.draw(is_changed=True)
    assert view.shown == []
    region_3d.view_perspective = "CAMERA"
    view.draw()  # turning the view is no change of the scene
    view.draw()
    assert view.shown[0] is view.shown[1]
    bpy.context.scene.frame_set(1004)
    view.draw(is_changed=True)
    assert (view.shown[2].picture != view.shown[0].picture).any()


def test_a_change_is_seen_and_the_rendered_actor_is_the_scenes(context, take_file, tmp_path):
    path, _ = take_file
    imported = import_take(path, context=context)
    before = preview_of_scene(context.evaluated_depsgraph_get()).picture
    imported.face.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    imported.rig.pose.bones["shapes"]["jawOpen"] = 1.0
    imported.rig.update_tag()
    assert (preview_of_scene(context.evaluated_depsgraph_get()).picture != before).any()
    write_take(tmp_path / "bea.take", replace(small_take(seed=5), subject="Bea"))
    import_take(tmp_path / "bea.take", context=context)
    bea = preview_of_scene(context.evaluated_depsgraph_get()).picture
    context.scene.dvp.rendered_rig = imported.rig
    assert (preview_of_scene(context.evaluated_depsgraph_get()).picture != bea).any()


def test_rectangles_are_counted_from_the_lower_left():
    corners = np.array([[-1, 1, -1], [0, 1, -1], [0, 0, -1], [-1, 0, -1]], float)
    assert rectangle_in_region(corners, np.eye(4), (100, 50)) == Rectangle(0.0, 25.0, 50.0, 25.0)


def test_the_cameras_axes_are_blenders(context, take_file):
    path, take = take_file
    import_take(path, context=context)
    preview = viewport.preview_of_scene(context.evaluated_depsgraph_get())
    np.testing.assert_allclose(
        preview.corners_world, plate_corners(take.camera) @ BLENDER_WORLD_FROM_OPENGL_CAMERA.T, atol=1e-6
    )
