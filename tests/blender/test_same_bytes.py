"""Whatever is keyed, the panel, the documented functions and a task file write the same bytes."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_take import NAMES

from blender_addon import headless
from blender_addon.compat import set_multilayer_exr
from blender_addon.passes.exporting import export_passes
from blender_addon.rig.importing import import_take
from blender_addon.rig.keys import apply_edit_as_keys
from dvp_core.data.edit import GAZE_CHANNELS, Curve, Edit, write_edit
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import read_take
from dvp_core.passes import PassFolder
from dvp_core.pipeline.passes import export_passes as export_outside
from dvp_core.pipeline.perform import edit_take

FRAMES = range(1001, 1007)
REACH = {f"expression.{name}": 1.0 for name in NAMES}
REACH |= dict.fromkeys(GAZE_CHANNELS, 20.0)
REACH |= {f"head.{turn}_deg": 20.0 for turn in ("yaw", "pitch", "roll")} | {f"head.{axis}_m": 0.02 for axis in "xyz"}


@dataclass(frozen=True)
class Work:
    """What an animator keys, and which frames are exported."""

    edit: Edit
    frames: FrameRange


@st.composite
def curves(draw):
    channel = draw(st.sampled_from(sorted(REACH)))
    frames = sorted(draw(st.sets(st.sampled_from(FRAMES), min_size=1, max_size=4)))
    share = st.integers(-1000, 1000).map(lambda thousandths: thousandths / 1000)
    values = [REACH[channel] * draw(share) for _ in frames]
    return Curve(channel, tuple(map(float, frames)), tuple(values), draw(st.sampled_from(("add", "replace"))))


works = st.builds(
    Work,
    edit=st.lists(curves(), max_size=5).map(lambda chosen: Edit(tuple(chosen))),
    frames=st.sets(st.sampled_from(FRAMES), min_size=1, max_size=3).map(FrameRange.of),
)


def by_panel(take_path, work, folder):
    """Import, keys and the export's fields and button, as the sidebar has them."""
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.ops.dvp.import_take(filepath=str(take_path)) == {"FINISHED"}
    scene = bpy.context.scene
    apply_edit_as_keys(bpy.context.object, work.edit)
    scene.dvp.passes_folder, scene.dvp.frames = str(folder), str(work.frames)
    assert bpy.ops.dvp.export_passes() == {"FINISHED"}


def by_function(take_path, work, folder):
    """What docs/blender.md shows under Scripts."""
    bpy.ops.wm.read_homefile(use_empty=True)
    imported = import_take(take_path, context=bpy.context)
    apply_edit_as_keys(imported.rig, work.edit)
    export_passes(bpy.context.scene, folder, work.frames)


def by_task_file(take_path, work, folder):
    """`python -m blender_addon.headless task.json`, in this process."""
    own = folder.parent
    write_edit(own / "work.edit.json", work.edit)
    task = {"take": str(take_path), "edit": str(own / "work.edit.json"), "blend": str(own / "work.blend")}
    task |= {"passes": str(folder), "frames": str(work.frames)}
    (own / "task.json").write_text(json.dumps(task))
    assert headless.main([str(own / "task.json")]) == 0


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.glob("*.exr")}


@pytest.fixture
def take_path(take_file):
    """The take's file alone: Hypothesis prints a test's arguments."""
    return take_file[0]


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(work=works)
def test_panel_function_and_task_file_write_the_same_bytes(context, take_path, work):
    path = take_path
    with TemporaryDirectory(dir=path.parent) as name:
        folders = [Path(name) / way.__name__ for way in (by_panel, by_function, by_task_file)]
        for way, folder in zip((by_panel, by_function, by_task_file), folders, strict=True):
            way(path, work, folder)
        panel, function, task_file = map(files_of, folders)
        assert_as_rendered(folders[0], Path(name) / "rendered")
        assert sorted(panel) == [f"passes.{frame:04d}.exr" for frame in work.frames]
        assert panel == function
        assert panel == task_file
        assert_close_to_the_line_without_blender(path, work, folders[0], Path(name))


def assert_as_rendered(folder, rendered):
    """Blender's own render call with the engine, on what the task file left open: the same numbers in its own files."""
    scene = bpy.context.scene
    scene.render.engine, scene.dvp.area = "DVP_PASSES", "CROP"
    set_multilayer_exr(scene.render.image_settings)
    for frame in PassFolder(folder).frames:
        actual = PassFolder(folder).read(frame)
        scene.render.resolution_x = scene.render.resolution_y = actual.crop.resolution_px
        scene.frame_set(frame)
        scene.render.filepath = str(rendered / f"passes.{frame:04d}.exr")
        bpy.ops.render.render(write_still=True)
        assert actual.content_sha256 == PassFolder(rendered).read(frame).content_sha256


def assert_close_to_the_line_without_blender(take_path, work, folder, own):
    """`dvp edit` and `dvp passes`, as `dvp batch` runs them: the same up to the float32 sums of Blender's curves."""
    write_edit(own / "outside.edit.json", work.edit)
    edit_take(take_path, own / "outside.take", edit=own / "outside.edit.json")
    outside = export_outside(own / "outside.take", own / "outside", frames=work.frames)
    is_untouched = not work.edit.curves
    for frame in work.frames:
        expected, actual = outside.read(frame), PassFolder(folder).read(frame)
        assert actual.crop == expected.crop
        if is_untouched:
            name = f"passes.{frame:04d}.exr"
            assert (folder / name).read_bytes() == (own / "outside" / name).read_bytes()
            continue
        assert actual.take_sha256 == read_take(take_path).sha256
        assert (actual.mask != expected.mask).mean() < 1e-3
        assert np.median(np.abs(actual.corr - expected.corr)) < 1e-5
