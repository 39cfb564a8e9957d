"""The plate's sound: where its pictures are, once, and not at all where there is none."""

import bpy
import numpy as np
import pytest
from plate_files import RATE, write_movie, write_pictures
from small_take import small_take
from test_passes import read_channels

from blender_addon.compat import sequencer_strips, set_multilayer_exr
from blender_addon.rig.importing import import_take
from blender_addon.rig.plate import show_plate
from blender_addon.rig.sound import add_plate_sound, has_sound
from dvp_core.data.clip import Clip
from dvp_core.data.errors import DataError
from dvp_core.data.take import write_take

COUNT = 40


@pytest.fixture
def part(context, tmp_path):
    """A take of frames 11 to 20 of a movie with sound."""
    write_movie(tmp_path / "plate.mp4", picture_count=COUNT, has_sound=True)
    if not has_sound(tmp_path / "plate.mp4"):
        pytest.skip("this Blender was built without sound")
    path = tmp_path / "part.take"
    write_take(path, small_take(clip=Clip("plate.mp4", "0" * 64, 320, 180, RATE, 11, 10)))
    return path


def strips():
    editor = bpy.context.scene.sequence_editor
    return [] if editor is None else list(sequencer_strips(editor))


@pytest.mark.parametrize("start_frame", [None, 1001])
def test_sound_lies_under_the_pictures_it_belongs_to(part, context, start_frame):
    """Picture 11 and the sound of that moment stand at the same frame; both end with the take."""
    import_take(part, context=context, start_frame=start_frame)
    begin = 11 if start_frame is None else start_frame
    (strip,) = strips()
    assert strip.type == "SOUND"
    assert strip.frame_start == begin - 10
    assert (strip.frame_final_start, strip.frame_final_end) == (begin, begin + 10)
    assert context.scene.sync_mode == "AUDIO_SYNC"
    assert len(bpy.data.sounds) == 1


def test_the_sound_that_plays_is_that_of_the_moment(part, context, tmp_path):
    """Mixed down from five frames before the take on, the scene is silent for those and loud for the take's ten."""
    import_take(part, context=context)
    context.scene.frame_start -= 5
    mixed = tmp_path / "mixed.wav"
    bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16")
    loudness = loudness_of_frames(mixed)
    assert max(loudness[:4]) < 0.01 * max(loudness)
    assert min(loudness[6:14]) > 0.5 * max(loudness)


def loudness_of_frames(path):
    import wave

    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, file.getnchannels())
        size = int(file.getframerate() / RATE)
    return [float(np.abs(samples[start : start + size].astype(float)).mean()) for start in range(0, len(samples), size)]


def test_a_second_import_and_the_button_add_it_only_once(part, context):
    import_take(part, context=context)
    assert bpy.ops.dvp.add_plate_sound() == {"FINISHED"}
    import_take(part, context=context)
    assert len(strips()) == 1


def test_another_plate_brings_its_own_sound_in_place_of_the_first(part, context, tmp_path):
    rig = import_take(part, context=context).rig
    write_movie(tmp_path / "other.mp4", picture_count=COUNT, has_sound=True)
    show_plate(rig, tmp_path / "other.mp4")
    add_plate_sound(context.scene, rig)
    (strip,) = strips()
    assert strip.sound.filepath.endswith("other.mp4")


def test_import_with_sound_is_one_undo_step(part):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.dvp.import_take("EXEC_DEFAULT", True, filepath=str(part))
    assert len(strips()) == 1
    bpy.ops.ed.undo()
    assert strips() == []
    assert len(bpy.data.objects) == 0


def test_sound_can_be_left_out(part, context):
    import_take(part, context=context, has_sound=False)
    assert strips() == []
    assert context.scene.sync_mode == "NONE"


def test_sound_that_would_drift_is_left_out_and_said(part, context):
    context.scene.render.fps = 24
    imported = import_take(part, context=context, is_scene_set_up=False)
    assert strips() == []
    assert "24 frames/s" in imported.notes[0]
    with pytest.raises(DataError, match="frame rate"):
        add_plate_sound(context.scene, imported.rig)


def test_f12_goes_on_rendering_passes(part, context, tmp_path):
    import_take(part, context=context)
    scene = context.scene
    assert strips()
    scene.render.engine, scene.render.filepath = "DVP_PASSES", str(tmp_path / "plate.exr")
    set_multilayer_exr(scene.render.image_settings)
    bpy.ops.render.render(write_still=True)
    assert read_channels(tmp_path / "plate.exr")[0]["mask.A"].sum() > 100


@pytest.mark.parametrize("plate", ["silent movie", "pictures", "none"])
def test_no_empty_strip_where_there_is_no_sound(context, tmp_path, plate):
    if plate == "silent movie":
        write_movie(tmp_path / "plate.mp4", picture_count=6)
    elif plate == "pictures":
        write_pictures(tmp_path / "plate.mp4", range(1, 7))
    path = tmp_path / "part.take"
    write_take(path, small_take(clip=Clip("plate.mp4", "0" * 64, 320, 180, RATE, 1, 6)))
    imported = import_take(path, context=context)
    assert strips() == []
    assert context.scene.sync_mode == "NONE"
    assert len(bpy.data.sounds) == 0
    assert imported.notes == ()
    assert bpy.ops.dvp.add_plate_sound.poll() == (plate == "silent movie")
