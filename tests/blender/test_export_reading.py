"""Where the export reads a frame: without Blender's render call where that tells no more, else as a render has it."""

import bpy
import numpy as np
import pytest

from blender_addon.passes.engine import seen_in_render
from blender_addon.passes.exporting import export_passes
from blender_addon.rig.importing import import_take
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.passes import read_pass_frame

FRAMES = FrameRange.span(1002, 1003)


@pytest.fixture
def imported(context, take_file):
    """A rig with keys on a control, a slider, neck and aim, so that drivers have to be evaluated."""
    made = import_take(take_file[0], context=context)
    bones = made.rig.pose.bones
    for frame, share in ((1001, 0.0), (1004, 1.0)):
        for path, index, owner, value in (
            ("location", 1, bones["mouth.corner.L"], 0.02),
            ("rotation_euler", 0, bones["neck"], 0.2),
            ("location", 0, bones["aim"], 0.1),
        ):
            getattr(owner, path)[index] = share * value
            owner.keyframe_insert(path, index=index, frame=frame)
        bones["aim"]["influence"] = share
        bones["aim"].keyframe_insert('["influence"]', frame=frame)
    return made


@pytest.fixture
def renders():
    """The frames that Blender rendered."""
    seen = []

    def note(scene, *_):
        seen.append(scene.frame_current)

    bpy.app.handlers.render_pre.append(note)
    yield seen
    bpy.app.handlers.render_pre.remove(note)


def bytes_of(files):
    return [file.read_bytes() for file in files]


def test_a_rig_that_channels_tell_is_not_rendered(context, imported, renders, tmp_path):
    first, second = bytes_of(export_passes(context.scene, tmp_path / "a", FRAMES))
    assert first != second
    assert renders == []


@pytest.mark.parametrize("hiding", ["eye", "monitor", "camera", "all in views"])
def test_what_is_hidden_is_exported_all_the_same(context, imported, renders, tmp_path, hiding):
    """As when the face is hidden to see the farm's frames behind it."""
    shown = bytes_of(export_passes(context.scene, tmp_path / "shown", FRAMES))
    if hiding == "eye":
        imported.face.hide_set(True)
    elif hiding == "monitor":
        imported.face.hide_viewport = True
    elif hiding == "camera":
        imported.face.hide_render = True
    else:
        for item in (imported.rig, imported.face, imported.camera):
            item.hide_viewport = True
    assert bytes_of(export_passes(context.scene, tmp_path / "hidden", FRAMES)) == shown
    assert bool(renders) == (hiding == "all in views")


def test_the_first_view_layer_is_exported_whichever_is_shown(context, imported, tmp_path):
    shown = bytes_of(export_passes(context.scene, tmp_path / "first", FRAMES))
    first, other = context.view_layer, context.scene.view_layers.new("other")
    other.layer_collection.children[0].exclude = True
    context.window.view_layer = other
    assert bytes_of(export_passes(context.scene, tmp_path / "second", FRAMES)) == shown
    first.layer_collection.children[0].exclude = True
    with pytest.raises(DataError, match="Switch it on in the Outliner"):
        export_passes(context.scene, tmp_path / "none", FRAMES)


def test_what_is_hidden_everywhere_is_refused_with_the_remedy(context, imported, tmp_path):
    for item in (imported.rig, imported.face):
        item.hide_viewport = item.hide_render = True
    with pytest.raises(DataError, match="Switch it on in the Outliner"):
        export_passes(context.scene, tmp_path / "passes", FRAMES)


def test_modifiers_count_as_renders_have_them(context, imported, renders, tmp_path):
    """One that is off in views and on in renders deforms the passes, and the user is told once."""
    plain = bytes_of(export_passes(context.scene, tmp_path / "plain", FRAMES))
    modifier = imported.face.modifiers.new("grown", "DISPLACE")
    modifier.strength, modifier.show_render = 0.01, False
    assert bytes_of(export_passes(context.scene, tmp_path / "views", FRAMES)) == plain
    assert renders == []
    modifier.show_viewport, modifier.show_render = False, True
    notes = []
    files = export_passes(context.scene, tmp_path / "renders", FRAMES, say=notes.append)
    assert notes == ["Modifier 'grown' deforms the face: the evaluated mesh is used"]
    assert renders == list(FRAMES)
    for file, before in zip(files, sorted((tmp_path / "plain").glob("*.exr")), strict=True):
        assert read_pass_frame(file).mask.sum() > read_pass_frame(before).mask.sum()


def test_a_look_at_a_render_leaves_the_scenes_settings_and_files_alone(context, imported, tmp_path):
    scene, render = context.scene, context.scene.render
    scene.frame_set(1003)
    render.resolution_x, render.use_border, render.filepath = 333, True, str(tmp_path / "x.png")
    before = {name: getattr(render, name) for name in ("engine", "resolution_x", "use_border", "use_compositing")}
    assert seen_in_render(scene, lambda depsgraph: (depsgraph.mode, depsgraph.scene.frame_current)) == ("RENDER", 1003)
    assert {name: getattr(render, name) for name in before} == before
    assert list(tmp_path.glob("*.png")) == []


def test_what_a_look_at_a_render_refuses_reaches_the_caller(context, imported):
    def refuse(depsgraph):
        raise DataError("is no face", where="here")

    with pytest.raises(DataError, match="is no face"):
        seen_in_render(context.scene, refuse)
    context.scene.camera = None
    with pytest.raises(DataError, match="no camera"):
        seen_in_render(context.scene, lambda depsgraph: None)


def test_a_full_disk_is_one_clear_error(context, imported, monkeypatch, tmp_path):
    from dvp_core.data import files

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_all", full)
    before = context.scene.frame_current
    with pytest.raises(DataError, match=r"passes\.1002\.exr.*No space left"):
        export_passes(context.scene, tmp_path / "passes", FRAMES)
    assert list((tmp_path / "passes").iterdir()) == []
    assert context.scene.frame_current == before


def test_many_frames_come_in_order(context, imported, take_file, tmp_path):
    """More frames than may wait at once."""
    take = take_file[1]
    done = []
    files = export_passes(context.scene, tmp_path / "a", progress=lambda stage, at, total: done.append((at, total)))
    assert done == [(number, take.frame_count) for number in range(1, take.frame_count + 1)]
    assert [read_pass_frame(file).frame for file in files] == list(take.frames)
    assert not np.array_equal(read_pass_frame(files[0]).depth, read_pass_frame(files[-1]).depth)
