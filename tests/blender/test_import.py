import sys
import time
from dataclasses import replace

import bpy
import numpy as np
import pytest
from small_take import small_face, small_take, without_face

from blender_addon.rig import names
from blender_addon.rig.importing import import_take
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import write_face_model
from dvp_core.data.take import write_take
from dvp_core.face.posing import pose_vertices
from dvp_core.maths.frames import BLENDER_WORLD_FROM_CAMERA
from dvp_core.maths.projection import project


def evaluated_vertices(face_object):
    evaluated = face_object.evaluated_get(bpy.context.evaluated_depsgraph_get())
    positions = np.empty(len(evaluated.data.vertices) * 3, np.float32)
    evaluated.data.vertices.foreach_get("co", positions)
    matrix = np.array(evaluated.matrix_world)
    return positions.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def test_evaluated_mesh_is_the_take(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    for index, frame in enumerate(take.frames):
        context.scene.frame_set(frame)
        expected = pose_vertices(take, index) @ BLENDER_WORLD_FROM_CAMERA.T
        np.testing.assert_allclose(evaluated_vertices(imported.face), expected, atol=1e-5)


def test_scene_is_as_long_fast_and_large_as_the_clip(context, take_file):
    path, take = take_file
    import_take(path, context=context)
    scene = context.scene
    assert (scene.frame_start, scene.frame_end) == (1001, 1006)
    assert scene.frame_current == 1001
    assert (scene.render.resolution_x, scene.render.resolution_y) == (320, 180)
    assert scene.render.fps == 30
    assert scene.render.fps / scene.render.fps_base == pytest.approx(float(take.clip.fps), rel=1e-6)


def test_camera_sees_what_the_plates_camera_saw(context, take_file):
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    path, take = take_file
    imported = import_take(path, context=context)
    points_camera = pose_vertices(take, 0)[::20]
    expected = project(points_camera, take.camera)
    for point, expected_px in zip(points_camera @ BLENDER_WORLD_FROM_CAMERA.T, expected, strict=True):
        seen = world_to_camera_view(context.scene, imported.camera, Vector(point.tolist()))
        np.testing.assert_allclose([seen.x * 320, (1 - seen.y) * 180], expected_px, atol=1e-3)


def test_operator_makes_what_the_function_makes(context, take_file):
    path, _ = take_file
    by_function = import_take(path, context=context)
    description = describe(by_function.rig)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.ops.dvp.import_take(filepath=str(path)) == {"FINISHED"}
    rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    assert describe(rig) == description


def describe(rig):
    settings = rig.dvp_rig
    mesh = settings.face.data
    tracks = [
        (track.name, [(strip.frame_start, strip.frame_end, strip.blend_type) for strip in track.strips])
        for owner in (rig, mesh.shape_keys)
        for track in owner.animation_data.nla_tracks
    ]
    return (
        sorted(item.name for item in bpy.data.objects),
        [key.name for key in mesh.shape_keys.key_blocks],
        [bone.name for bone in rig.data.bones],
        evaluated_vertices(settings.face).tobytes(),
        settings.take_sha256,
        settings.take_text.name,
        tracks,
    )


def test_mesh_keeps_quads_uv_colours_and_materials(context, take_file):
    path, take = take_file
    mesh = import_take(path, context=context).face.data
    corner_counts = [len(polygon.vertices) for polygon in mesh.polygons]
    assert corner_counts == (take.face.polygons >= 0).sum(axis=1).tolist()
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[0].data.foreach_get("uv", uv)
    is_corner = take.face.polygons >= 0
    np.testing.assert_array_equal(uv.reshape(-1, 2), take.face.uv[take.face.polygon_uv[is_corner]])
    colors = np.empty(4 * len(mesh.vertices), np.float32)
    mesh.color_attributes[names.REFLECTANCE].data.foreach_get("color", colors)
    np.testing.assert_array_equal(colors.reshape(-1, 4)[:, :3], take.reflectance)
    used = {mesh.materials[polygon.material_index].name.split(".")[0] for polygon in mesh.polygons}
    assert used == {"Portrait skin", "Portrait eyes"}


def test_left_is_the_subjects(context, take_file):
    path, take = take_file
    imported = import_take(path, context=context)
    rest = {bone.name: bone.head_local for bone in imported.rig.data.bones}
    assert rest["eye.L"].x > 0 > rest["eye.R"].x
    left = imported.face.vertex_groups["eye.L"].index
    members = [vertex.index for vertex in imported.face.data.vertices if left in [g.group for g in vertex.groups]]
    assert members == list(range(*take.face.eye_ranges[0]))


def test_import_is_one_undo_step(context, take_file):
    path, _ = take_file
    if bpy.app.background and not context.preferences.edit.use_global_undo:
        pytest.fail("this Blender has no undo to test")
    bpy.ops.ed.undo_push(message="before")
    before = sorted(item.name for item in bpy.data.objects)
    bpy.ops.dvp.import_take("EXEC_DEFAULT", True, filepath=str(path))
    assert len(bpy.data.objects) > len(before)
    bpy.ops.ed.undo()
    assert sorted(item.name for item in bpy.data.objects) == before
    assert "Ada" not in bpy.data.collections


def test_animators_layer_is_empty_and_above_the_locked_tracked_strip(context, take_file):
    path, _ = take_file
    imported = import_take(path, context=context)
    for owner, blend in ((imported.rig, "COMBINE"), (imported.face.data.shape_keys, "ADD")):
        animation = owner.animation_data
        assert [track.name for track in animation.nla_tracks] == ["Tracked"]
        assert animation.nla_tracks[0].lock
        strip = animation.nla_tracks[0].strips[0]
        assert (strip.frame_start, strip.frame_end, strip.blend_type) == (1001, 1006, "REPLACE")
        assert animation.action is not None
        assert animation.action != strip.action
        assert animation.action_blend_type == blend
        assert animation.action.frame_range[:] != strip.action.frame_range[:]


def test_plate_beside_the_take_is_shown_behind(context, take_file, tmp_path):
    path, _ = take_file
    folder = tmp_path / "plate.mp4"
    folder.mkdir()
    picture = bpy.data.images.new("plate", 32, 18)
    picture.file_format = "PNG"
    for number in range(17, 23):
        picture.save(filepath=str(folder / f"frame.{number:04d}.png"))
    imported = import_take(path, context=context)
    assert imported.plate == folder
    background = imported.camera.data.background_images[0]
    user = background.image_user
    for index in (0, 5):
        context.scene.frame_set(1001 + index)
        shown = user.frame_start, user.frame_offset, background.image.source
        assert shown == (1001, 16, "SEQUENCE")
    assert background.display_depth == "BACK"
    assert imported.camera.data.show_background_images


def test_scene_can_be_left_alone(context, take_file):
    path, _ = take_file
    before = (context.scene.frame_start, context.scene.frame_end, context.scene.render.resolution_x)
    import_take(path, context=context, is_scene_set_up=False)
    assert (context.scene.frame_start, context.scene.frame_end, context.scene.render.resolution_x) == before


def test_not_a_take_is_one_clear_error_and_changes_nothing(context, tmp_path):
    path = tmp_path / "poem.take"
    path.write_text("not a take")
    with pytest.raises(RuntimeError, match=r"poem\.take"):
        bpy.ops.dvp.import_take(filepath=str(path))
    assert len(bpy.data.objects) == 0


def test_damaged_take_is_refused(context, take_file):
    path, _ = take_file
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    path.write_bytes(bytes(content[:middle]))
    with pytest.raises(DataError, match="ada"):
        import_take(path, context=context)
    assert len(bpy.data.objects) == 0


def test_missing_plate_is_refused_before_anything_is_made(context, take_file, tmp_path):
    path, _ = take_file
    with pytest.raises(DataError, match="no plate"):
        import_take(path, context=context, plate_path=tmp_path / "nowhere.mp4")
    assert len(bpy.data.objects) == 0


def test_take_without_face_needs_its_model(context, tmp_path):
    face = small_face()
    path, model, other = tmp_path / "bare.take", tmp_path / "m.face.npz", tmp_path / "o.face.npz"
    write_take(path, without_face(small_take(face=face)))
    write_face_model(model, face)
    write_face_model(other, small_face(seed=9))
    with pytest.raises(DataError, match="carries no face"):
        import_take(path, context=context)
    with pytest.raises(DataError, match="not the model"):
        import_take(path, context=context, face_model_path=other)
    assert import_take(path, context=context, face_model_path=model).face.name == "Ada Face"


def test_numbered_modes_move_to_both_sides_and_named_shapes_in_their_range(context, tmp_path):
    face = small_face()
    names_now = ("expression_000", *face.expression_names[1:])
    take = small_take(face=replace(face, expression_names=names_now))
    values = take.expression.copy()
    values[2, 0] = -5.5
    take = replace(take, expression=values)
    write_take(tmp_path / "t.take", take)
    imported = import_take(tmp_path / "t.take", context=context)
    numbered, named = (imported.face.data.shape_keys.key_blocks[name] for name in names_now[:2])
    assert (numbered.slider_min, numbered.slider_max) == (-5.5, 4.0)
    assert (named.slider_min, named.slider_max) == (0.0, 1.0)
    context.scene.frame_set(list(take.frames)[2])
    expected = pose_vertices(take, 2) @ BLENDER_WORLD_FROM_CAMERA.T
    np.testing.assert_allclose(evaluated_vertices(imported.face), expected, atol=1e-5)


def test_thousand_frames_of_52_expressions_import_quickly(context, tmp_path, capsys):
    from dataclasses import replace

    face = small_face()
    shapes = tuple(f"shape{number}" for number in range(52))
    basis = np.random.default_rng(0).normal(size=(52, face.vertex_count, 3)).astype(np.float16).astype(np.float32)
    face = replace(face, expression_names=shapes, expression_basis=0 * basis)
    path = tmp_path / "long.take"
    write_take(path, small_take(face=face, frame_count=1000))
    start = time.perf_counter()
    imported = import_take(path, context=context)
    seconds = time.perf_counter() - start
    with capsys.disabled():
        sys.stdout.write(f"\nimport of 1,000 frames x 52 expressions, {face.vertex_count} vertices: {seconds:.2f} s\n")
    action = imported.face.data.shape_keys.animation_data.nla_tracks[0].strips[0].action
    assert tuple(action.frame_range) == (1001, 2000)


def test_built_in_face_blinks_with_the_subjects_left_eye(context, tmp_path):
    from dvp_core.data.take import with_compact_face
    from dvp_core.face import built_in_face

    model = built_in_face()
    face = with_compact_face(model.baked(np.zeros(model.identity_count)))
    path = tmp_path / "built_in.take"
    take = small_take(face=face, frame_count=2)
    write_take(path, take)
    imported = import_take(path, context=context)
    context.scene.frame_set(1002)
    expected = pose_vertices(take, 1) @ BLENDER_WORLD_FROM_CAMERA.T
    np.testing.assert_allclose(evaluated_vertices(imported.face), expected, atol=1e-5)
    key = imported.face.data.shape_keys.key_blocks["eyeBlinkLeft"]
    positions, neutral = (np.empty(3 * face.vertex_count, np.float32) for _ in range(2))
    key.data.foreach_get("co", positions)
    imported.face.data.shape_keys.key_blocks["Basis"].data.foreach_get("co", neutral)
    moved = np.abs((positions - neutral).reshape(-1, 3)).max(axis=1) > 1e-4
    assert moved.sum() > 10
    assert (neutral.reshape(-1, 3)[moved, 0] > 0).all()
