"""Where the preview is drawn: arithmetic against the camera's own projection."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from bpy_extras.view3d_utils import location_3d_to_region_2d

from blender_addon.preview.overlay import preview_rectangle
from blender_addon.preview.placing import Rectangle, crop_rectangle, plate_rectangle, wiped
from blender_addon.rig.importing import import_take
from dvp_core.data.camera import Crop
from dvp_core.maths.frames import BLENDER_WORLD_FROM_OPENGL_CAMERA, OPENGL_CAMERA_FROM_CAMERA


def test_plate_fills_a_frame_of_its_own_shape():
    frame = Rectangle(100, 50, 740, 410)
    assert plate_rectangle(frame, width_px=1920, height_px=1080, pixel_aspect=1.0) == frame


def test_plate_keeps_width_and_middle_where_the_frame_has_another_shape():
    square = Rectangle(0, 0, 640, 640)
    assert plate_rectangle(square, width_px=1920, height_px=1080, pixel_aspect=1.0) == Rectangle(0, 140, 640, 500)
    wide = plate_rectangle(square, width_px=720, height_px=576, pixel_aspect=64 / 45)
    assert (wide.width, wide.height) == pytest.approx((640, 360))


def test_crop_counts_downwards_from_the_plates_upper_left():
    plate = Rectangle(100, 200, 420, 380)  # 320 x 180 px, one to one
    assert crop_rectangle(plate, Crop(0, 0, 180, 96), width_px=320, height_px=180) == Rectangle(100, 200, 280, 380)
    assert crop_rectangle(plate, Crop(95, 20, 140, 96), width_px=320, height_px=180) == Rectangle(195, 220, 335, 360)
    half = Rectangle(0, 0, 160, 90)
    assert crop_rectangle(half, Crop(95, 20, 140, 96), width_px=320, height_px=180) == Rectangle(47.5, 10, 117.5, 80)


def test_crop_may_reach_beyond_the_plate():
    placed = crop_rectangle(Rectangle(0, 0, 320, 180), Crop(-20, -10, 220, 96), width_px=320, height_px=180)
    assert placed == Rectangle(-20, -30, 200, 190)


@pytest.mark.parametrize("wipe", [0.25, 0.5, 1.0, 7.0])
def test_wipe_cuts_picture_and_place_alike(wipe):
    square = Rectangle(195, 220, 335, 360)
    part = wiped(square, wipe)
    share = min(wipe, 1.0)
    assert part.rectangle == Rectangle(195, 220, 195 + 140 * share, 360)
    assert part.line_x == (None if share == 1.0 else 195 + 140 * share)
    corners = np.array(part.rectangle.corners)
    np.testing.assert_allclose((corners - (195, 220)) / 140, part.uv)


def test_wiped_away_preview_is_not_drawn():
    assert wiped(Rectangle(0, 0, 1, 1), 0.0) is None
    assert wiped(Rectangle(0, 0, 1, 1), -1.0) is None


@pytest.mark.parametrize("size_px", [(320, 180), (400, 400), (900, 300)])
def test_square_lies_where_the_cameras_own_projection_puts_its_pixels(context, take_file, size_px):
    """A point of the plate's pixels, seen through Blender's camera, falls on its place in the square of the crop."""
    path, take = take_file
    imported = import_take(path, context=context)
    scene = context.scene
    scene.render.resolution_x, scene.render.resolution_y = size_px
    camera = imported.rig.dvp_rig.camera
    context.view_layer.update()
    projection = camera.calc_matrix_camera(context.evaluated_depsgraph_get(), x=size_px[0], y=size_px[1])
    view = SimpleNamespace(view_perspective="CAMERA", perspective_matrix=projection @ camera.matrix_world.inverted())
    region = SimpleNamespace(width=size_px[0], height=size_px[1])
    looking = SimpleNamespace(
        scene=scene, region=region, region_data=view, space_data=SimpleNamespace(use_local_camera=False)
    )
    shown = SimpleNamespace(rig_name=imported.rig.name, crop=take.crop, plate_px=(320, 180), pixel_aspect=1.0)
    square = preview_rectangle(looking, shown)
    assert square is not None
    for u, v in ((100.0, 40.0), (180.0, 120.0), (230.0, 31.0)):
        ray = np.array([(u - 163.3) / 401.7, (v - 88.9) / 401.7, 1.0])
        world = BLENDER_WORLD_FROM_OPENGL_CAMERA @ OPENGL_CAMERA_FROM_CAMERA @ ray
        seen = location_3d_to_region_2d(region, view, world.tolist())
        right, down = (u - take.crop.x_px) / take.crop.size_px, (v - take.crop.y_px) / take.crop.size_px
        expected = (square.left + right * square.width, square.top - down * square.height)
        assert tuple(seen) == pytest.approx(expected, abs=0.02)


def test_other_views_show_no_preview(context, take_file):
    rig = import_take(take_file[0], context=context).rig
    shown = SimpleNamespace(rig_name=rig.name, crop=Crop(0, 0, 10, 10), plate_px=(320, 180), pixel_aspect=1.0)
    free = SimpleNamespace(scene=context.scene, region_data=SimpleNamespace(view_perspective="PERSP"))
    assert preview_rectangle(free, shown) is None
    local = SimpleNamespace(use_local_camera=True, camera=bpy.data.objects.new("Other", bpy.data.cameras.new("Other")))
    through = SimpleNamespace(view_perspective="CAMERA")
    other = SimpleNamespace(scene=context.scene, region_data=through, space_data=local)
    assert preview_rectangle(other, shown) is None
