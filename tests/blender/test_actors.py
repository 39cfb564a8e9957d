"""Two actors before one plate: whose rig is meant, whose passes are drawn, and whose files are whose."""

from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from farm_shot import ready_shot
from recording_layout import RecordingLayout, draw
from small_take import small_take
from test_landing import write_frame
from test_passes import read_channels

from blender_addon.actors import actor_of, actor_path, rig_of_context, rig_of_object
from blender_addon.compat import sequencer_strips, set_multilayer_exr
from blender_addon.farm_jobs import make_job
from blender_addon.landing import frame_file, land_result, result_of, take_result_away
from blender_addon.passes.exporting import export_passes
from blender_addon.rig.importing import import_take
from blender_addon.rig.layers import show_tracked
from blender_addon.rig.reading import rig_of_scene
from blender_addon.submit_facts import submission_of
from blender_addon.ui import panels
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take
from dvp_core.passes.render import render_passes


@pytest.fixture
def scene_of_two(context, tmp_path):
    """Ada and Bea in one scene; Bea came last, so her rig is active and her camera is the scene's."""
    rigs, takes = {}, {}
    for name, seed in (("Ada", 2), ("Bea", 5)):
        takes[name] = replace(small_take(seed=seed), subject=name)
        write_take(tmp_path / f"{name}.take", takes[name])
        rigs[name] = import_take(tmp_path / f"{name}.take", context=context).rig
    return SimpleNamespace(rigs=rigs, takes=takes, scene=context.scene, folder=tmp_path)


def make_active(item):
    bpy.context.view_layer.objects.active = item


def depth_of(file):
    return read_channels(file)[0]["depth.Z"]


def expected_depth(take, frame=1003):
    return next(iter(render_passes(take, frames=[frame]))).depth


def test_two_imports_share_no_name_and_nothing_of_each_other(scene_of_two):
    ada, bea = scene_of_two.rigs.values()
    for of in (lambda rig: rig, lambda rig: rig.dvp_rig.face, lambda rig: rig.dvp_rig.camera):
        assert of(ada) != of(bea)
        assert of(ada).data != of(bea).data
    for owner in (lambda rig: rig, lambda rig: rig.dvp_rig.face.data.shape_keys):
        first, second = (owner(rig).animation_data for rig in (ada, bea))
        assert first.action != second.action
        assert first.nla_tracks[0].strips[0].action != second.nla_tracks[0].strips[0].action
        variables = [variable for driver in second.drivers for variable in driver.driver.variables]
        assert ada not in [target.id for variable in variables for target in variable.targets]
    assert ada.dvp_rig.take_text != bea.dvp_rig.take_text


def test_the_same_take_twice_is_two_actors(scene_of_two, context):
    again = import_take(scene_of_two.folder / "Ada.take", context=context).rig
    assert [actor_of(rig) for rig in (scene_of_two.rigs["Ada"], again)] == ["Ada", "Ada.001"]


@pytest.mark.parametrize("part", ["rig", "face", "camera", "bone's child", "tracked head"])
def test_buttons_mean_the_actor_of_the_active_object(scene_of_two, context, part):
    for rig in scene_of_two.rigs.values():
        child = bpy.data.objects.new("hat", None)
        context.scene.collection.objects.link(child)
        child.parent = rig
        parts = {"rig": rig, "face": rig.dvp_rig.face, "camera": rig.dvp_rig.camera, "bone's child": child}
        item = show_tracked(rig) if part == "tracked head" else parts[part]
        make_active(item)
        assert rig_of_context(context) == rig


def test_where_no_actor_is_active_the_scene_decides(scene_of_two, context):
    ada, bea = scene_of_two.rigs.values()
    lamp = bpy.data.objects.new("lamp", None)
    context.scene.collection.objects.link(lamp)
    for active in (None, lamp):
        make_active(active)
        assert rig_of_object(active, context.scene) is None
        assert rig_of_context(context) == rig_of_scene(context.scene) == bea
    context.scene.dvp.rendered_rig = ada
    assert rig_of_context(context) == ada
    context.scene.dvp.rendered_rig = None
    context.scene.camera = None
    with pytest.raises(DataError, match="2 portrait rigs"):
        rig_of_context(context)


def test_a_chosen_rig_that_left_the_scene_counts_no_more(scene_of_two, context):
    ada, bea = scene_of_two.rigs.values()
    context.scene.dvp.rendered_rig = ada
    for collection in ada.users_collection:
        collection.objects.unlink(ada)
    assert rig_of_scene(context.scene) == bea


def test_panels_follow_the_active_actor(scene_of_two, context):
    for name, rig in scene_of_two.rigs.items():
        make_active(rig.dvp_rig.face)
        drawn = []
        draw(panels.DVP_PT_take, RecordingLayout(drawn), context)
        assert ("label", f"Subject: {name}") in drawn
        assert ("prop", "rendered_rig") in drawn
        draw(panels.DVP_PT_passes, RecordingLayout(drawn), context)
        assert ("label", f"Goes to //passes/{name}") in drawn


@pytest.mark.parametrize("choice", ["camera", "setting"])
def test_f12_draws_the_actor_that_the_scene_names(scene_of_two, context, choice):
    """Whoever is active: a render has no active object."""
    scene = context.scene
    scene.render.engine, scene.dvp.area = "DVP_PASSES", "CROP"
    scene.render.resolution_x = scene.render.resolution_y = 96
    set_multilayer_exr(scene.render.image_settings)
    scene.frame_set(1003)
    for name, rig in scene_of_two.rigs.items():
        make_active(scene_of_two.rigs["Ada"])
        if choice == "camera":
            scene.camera = rig.dvp_rig.camera
        else:
            scene.dvp.rendered_rig = rig
        scene.render.filepath = str(scene_of_two.folder / f"{name}.exr")
        bpy.ops.render.render(write_still=True)
        actual = depth_of(scene.render.filepath)
        np.testing.assert_array_equal(actual, expected_depth(scene_of_two.takes[name]))


def test_each_actor_is_exported_into_a_folder_of_their_own(scene_of_two, context):
    scene = context.scene
    scene.dvp.passes_folder = str(scene_of_two.folder / "passes")
    before = scene.camera, scene.dvp.rendered_rig
    for name, rig in scene_of_two.rigs.items():
        make_active(rig)
        assert bpy.ops.dvp.export_passes(frames="1003") == {"FINISHED"}
        file = scene_of_two.folder / "passes" / name / "passes.1003.exr"
        np.testing.assert_array_equal(depth_of(file), expected_depth(scene_of_two.takes[name]))
    assert (scene.camera, scene.dvp.rendered_rig) == before


def test_a_script_names_the_rig_itself(scene_of_two, context):
    (file,) = export_passes(
        context.scene, scene_of_two.folder / "by_script", FrameRange.span(1003, 1003), rig=scene_of_two.rigs["Ada"]
    )
    np.testing.assert_array_equal(depth_of(file), expected_depth(scene_of_two.takes["Ada"]))


@pytest.mark.parametrize(
    ("text", "is_alone", "expected"),
    [
        ("//passes", True, "//passes"),
        ("//passes", False, "//passes/Ada"),
        ("//passes/", False, "//passes/Ada"),
        ("//", False, "//Ada"),
        ("work:passes", False, "work:passes/Ada"),
        ("//{actor}/passes", False, "//Ada/passes"),
        ("//{actor}/passes", True, "//Ada/passes"),
        ("//frames/frame.####.png", False, "//frames/Ada/frame.####.png"),
        ("frame.####.png", False, "Ada/frame.####.png"),
        ("work:frame.####.png", False, "work:Ada/frame.####.png"),
        ("C:\\shots\\frame.####.png", False, "C:\\shots\\Ada/frame.####.png"),
        ("//frames/{actor}.####.png", False, "//frames/Ada.####.png"),
        ("", False, ""),
    ],
)
def test_paths_of_actors(text, is_alone, expected):
    assert actor_path(text, "Ada", is_alone=is_alone) == expected


def test_an_actors_name_is_fit_for_a_path(scene_of_two):
    rig = scene_of_two.rigs["Ada"]
    for name, expected in (("Ada & Söhne/2 Rig", "Ada_Söhne_2"), ("../.. Rig", "actor"), ("hero", "hero")):
        rig.name = name
        assert actor_of(rig) == expected


def test_results_of_two_actors_stand_side_by_side(scene_of_two, context):
    scene, template = context.scene, scene_of_two.folder / "frames" / "frame.####.png"
    template.parent.mkdir()
    write_frame(frame_file(template, 1002), 1002)
    ada, bea = scene_of_two.rigs.values()
    for _ in range(2):  # landing again replaces an actor's own only
        for rig in (ada, bea):
            land_result(scene, template, FrameRange.span(1002, 1002), rig=rig)
    assert result_of(scene, ada) is not None
    assert result_of(scene, ada) != result_of(scene, bea)
    assert len(sequencer_strips(scene.sequence_editor)) == 2
    assert take_result_away(scene, ada)
    assert result_of(scene, ada) is None
    assert result_of(scene, bea) is not None
    assert len(sequencer_strips(scene.sequence_editor)) == 1


def test_a_job_names_its_actor_in_name_and_paths(context, take_file, tmp_path):
    stored = context.preferences.addons["blender_addon"].preferences
    stored.root_folder, stored.root_name = str(tmp_path), "work"
    try:
        check_jobs_of_two(context, take_file, tmp_path)
    finally:
        stored.root_folder = ""


def check_jobs_of_two(context, take_file, tmp_path):
    first, scene = ready_shot(context, *take_file, tmp_path).rig, bpy.context.scene
    scene.dvp.job_name = ""
    alone = make_job(context)
    assert alone.name == "shot"
    write_take(tmp_path / "bea.take", replace(small_take(seed=5), subject="Bea"))
    bea = import_take(tmp_path / "bea.take", context=context).rig
    jobs = {}
    for rig in (first, bea):
        make_active(rig)
        jobs[actor_of(rig)] = make_job(context)
    for actor, job in jobs.items():
        assert job.passes == f"{alone.passes}/{actor}"
        assert f"/{actor}/" in job.output
        assert job.generator == alone.generator
        assert job.name == f"shot {actor}"
    assert submission_of(context).passes == tmp_path / "passes" / "Bea"
    scene.dvp.generator = scene.dvp.generator.replace("ada.safetensors", "{actor}.safetensors")
    scene.dvp.job_name = "hug {actor}"
    job = make_job(context)
    assert job.generator.endswith("Bea.safetensors")
    assert job.name == "hug Bea"
