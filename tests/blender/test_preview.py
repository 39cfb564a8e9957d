"""The preview against a real head and a real, untrained generator: asked, shown, stale, live, and refused in words."""

import socket
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from recording_layout import RecordingLayout, draw

from blender_addon.preview import asking, live
from blender_addon.preview.asking import ask_preview, is_asking, preview_now, stop_asking
from blender_addon.preview.picture import IMAGE_NAME, forget_preview, shown_preview
from blender_addon.preview.window import PackedFrames, read_window
from blender_addon.rig.importing import import_take
from blender_addon.ui.preview_panel import DVP_PT_preview
from dvp_core.data.camera import Crop
from dvp_core.data.preview import unpack_pass_frame
from dvp_core.data.take import write_take

SIZE = 32


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """A head with one worker in this process, and the folder that is shared with it."""
    import uvicorn

    from farm.api import Site, make_app
    from farm.backends.on_this_machine import OnThisMachine
    from farm.ledger import Ledger
    from farm.previews import PreviewLane
    from farm.roots import Roots
    from farm.tokens import add_user
    from farm.worker import run_order

    folder = tmp_path_factory.mktemp("farm")
    shared = folder / "shared"
    shared.mkdir()
    token = add_user(folder / "tokens.json", name="ada", role="submit")
    listener = socket.create_server(("127.0.0.1", 0))
    lane = PreviewLane(OnThisMachine(run_order), Roots({"shots": shared}))
    with Ledger(folder / "ledger.sqlite", clock=time.time) as ledger:
        app = make_app(Site(ledger, folder / "tokens.json", lambda job: None, lane.paint))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield SimpleNamespace(url=url, token=token, shared=shared)
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def rig(context, farm):
    """A rig of twenty frames whose generator the farm knows, at its fourteenth frame."""
    from small_take import small_take

    take = replace(small_take(frame_count=20), crop=Crop(95, 20, 140, SIZE))
    write_take(farm.shared / "ada.take", take)
    save_generator(farm.shared / "ada.safetensors", take)
    imported = import_take(farm.shared / "ada.take", context=context)
    context.preferences.system.use_online_access = True
    stored = context.preferences.addons["blender_addon"].preferences
    stored.server, stored.token = farm.url, farm.token
    stored.root_folder, stored.root_name = str(farm.shared), "shots"
    context.scene.dvp.generator = str(farm.shared / "ada.safetensors")
    context.scene.frame_set(1014)
    yield imported.rig
    stop_asking()
    forget_preview()
    settings = context.window_manager.dvp_preview
    for name in ("is_live", "is_shown", "wipe", "message"):
        settings.property_unset(name)
    stored.server = stored.token = stored.root_folder = ""
    context.preferences.system.use_online_access = False


def save_generator(path, take):
    import torch

    from dvp_core.generator.checkpoint import GeneratorFacts, save_generator
    from dvp_core.generator.networks import build_network, config_of_preset

    torch.manual_seed(1)
    config = config_of_preset("fast", resolution_px=SIZE, width=16)
    hashes = (take.face_model_sha256, take.sha256, take.clip.sha256)
    save_generator(path, build_network(config), GeneratorFacts("fast", config, take.crop, *hashes, None, {}, {}))


def painted(folder):
    """The pixels that are due for the scene's pose."""
    from dvp_core.pipeline.preview import open_preview, paint_window

    frames = PackedFrames().of_window(read_window(bpy.context))
    return paint_window(open_preview(folder / "ada.safetensors"), [unpack_pass_frame(content) for content in frames])


def shown_levels():
    return np.rint(shown_preview().pixels[::-1, :, :3] * 255).astype(np.uint8)


def settings():
    return bpy.context.window_manager.dvp_preview


def pose(rig, value):
    rig.dvp_rig.face.data.shape_keys.key_blocks["browInnerUp"].value = value
    bpy.context.view_layer.update()


def run(look, *, limit_s=30.0):
    end_s = time.monotonic() + limit_s
    while look() is not None:
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_button_shows_the_generators_frame_of_the_pose(rig, farm):
    pose(rig, 0.9)
    assert bpy.ops.dvp.preview() == {"FINISHED"}
    np.testing.assert_array_equal(shown_levels(), painted(farm.shared))
    shown = shown_preview()
    assert (shown.frame, shown.is_stale, shown.crop.resolution_px) == (1014, False, SIZE)
    assert {"draw", "wait", "unpack", "paint", "label", "whole"} == set(shown.seconds)


def test_image_carries_the_label_and_is_not_saved(rig, tmp_path):
    from dvp_core.trust import verify

    preview_now(bpy.context)
    image = bpy.data.images[IMAGE_NAME]
    assert (image.users, image.is_dirty, image.use_fake_user) == (0, False, False)
    (tmp_path / "preview.png").write_bytes(image.packed_file.data)
    assert verify(tmp_path / "preview.png").source_type == "trainedAlgorithmicMedia"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"), copy=True)
    with bpy.data.libraries.load(str(tmp_path / "shot.blend")) as (inside, _):
        assert IMAGE_NAME not in inside.images


def test_next_picture_takes_the_place_of_the_one_before(rig, farm):
    preview_now(bpy.context)
    image = bpy.data.images[IMAGE_NAME]
    pose(rig, 1.0)
    preview_now(bpy.context)
    assert [item for item in bpy.data.images if IMAGE_NAME in item.name] == [image]
    np.testing.assert_array_equal(shown_levels(), painted(farm.shared))


def test_thread_asks_and_a_timer_shows(rig, farm):
    look = ask_preview(bpy.context)
    assert is_asking()
    run(look)
    assert not is_asking()
    np.testing.assert_array_equal(shown_levels(), painted(farm.shared))


def test_newer_question_takes_the_place_of_the_older(rig, farm):
    first = ask_preview(bpy.context)
    pose(rig, 1.0)
    second = ask_preview(bpy.context)
    assert first() is None
    run(second)
    np.testing.assert_array_equal(shown_levels(), painted(farm.shared))


@pytest.mark.parametrize("change", ["pose", "frame", "keys", "generator", "camera"])
def test_picture_is_stale_when_the_scene_changes(rig, change):
    preview_now(bpy.context)
    assert not shown_preview().is_stale
    if change == "pose":
        pose(rig, 1.0)
    elif change == "frame":
        bpy.context.scene.frame_set(1013)
    elif change == "keys":
        rig.pose.bones["head"].keyframe_insert("location", frame=1005)
        bpy.context.view_layer.update()
    elif change == "generator":
        bpy.context.scene.dvp.generator = "shots:bea.safetensors"
        pose(rig, rig.dvp_rig.face.data.shape_keys.key_blocks["browInnerUp"].value)
    else:
        rig.dvp_rig.camera.data.lens += 1
        bpy.context.view_layer.update()
    assert shown_preview().is_stale


def test_picture_is_fresh_again_when_the_pose_comes_back(rig):
    before = rig.dvp_rig.face.data.shape_keys.key_blocks["browInnerUp"].value
    preview_now(bpy.context)
    pose(rig, 1.0)
    assert shown_preview().is_stale
    pose(rig, before)
    assert not shown_preview().is_stale
    bpy.context.scene.frame_set(1010)
    bpy.context.scene.frame_set(1014)
    assert not shown_preview().is_stale


def test_answer_for_a_pose_that_has_gone_is_shown_as_stale(rig):
    look = ask_preview(bpy.context)
    pose(rig, 1.0)
    run(look)
    assert shown_preview().is_stale


def test_keys_edited_while_the_farm_paints_make_its_answer_stale(rig):
    look = ask_preview(bpy.context)
    rig.animation_data.action.update_tag()
    bpy.context.view_layer.update()
    run(look)
    assert shown_preview().is_stale


def test_answer_asked_for_in_another_file_is_not_taken(rig):
    look = ask_preview(bpy.context)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert look() is None
    assert not is_asking()
    assert shown_preview() is None


def test_thread_that_fails_says_so(rig, monkeypatch):
    asked = ask_preview(bpy.context)
    asker = asking._askers[asked]
    run(asked)
    monkeypatch.setattr(asker, "answers", type(asker.answers)())
    asking._take(asker)
    assert "thread failed" in settings().message


def settled(monkeypatch):
    """Let the moment of stillness pass and run the timer until it has no more to do."""
    monkeypatch.setattr(live, "STILL_S", 0.0)
    end_s = time.monotonic() + 30
    while live.settle() is not None:
        for look in list(asking._askers):
            look()
        assert time.monotonic() < end_s
        time.sleep(0.01)


def counted_questions(monkeypatch):
    asked = []
    real = asking.PreviewAsker.start

    def start(asker):
        asked.append(asker.window.stamp)
        return real(asker)

    monkeypatch.setattr(asking.PreviewAsker, "start", start)
    return asked


def test_live_asks_once_for_each_change_and_rests(rig, farm, monkeypatch):
    asked = counted_questions(monkeypatch)
    live.set_live(bpy.context, True)
    settled(monkeypatch)
    assert len(asked) == 1
    settled(monkeypatch)
    pose(rig, 0.8)
    pose(rig, 1.0)
    settled(monkeypatch)
    settled(monkeypatch)
    assert len(asked) == 2
    assert not shown_preview().is_stale
    np.testing.assert_array_equal(shown_levels(), painted(farm.shared))


def test_live_finds_an_edit_of_keys_that_changes_nothing_and_asks_not_again(rig, monkeypatch):
    live.set_live(bpy.context, True)
    settled(monkeypatch)
    asked = counted_questions(monkeypatch)
    rig.animation_data.action.update_tag()
    bpy.context.view_layer.update()
    assert shown_preview().is_stale
    settled(monkeypatch)
    assert not shown_preview().is_stale
    assert asked == []


def test_live_waits_for_stillness(rig):
    live.set_live(bpy.context, True)
    assert 0 < live.settle() <= live.STILL_S
    assert bpy.ops.dvp.live_preview() == {"FINISHED"}
    assert not settings().is_live
    assert live.settle() is None


def test_farm_that_refuses_is_asked_once_and_heard_in_the_panel(rig, monkeypatch):
    asked = counted_questions(monkeypatch)
    bpy.context.scene.dvp.generator = "shots:none.safetensors"
    live.set_live(bpy.context, True)
    settled(monkeypatch)
    settled(monkeypatch)
    assert len(asked) == 1
    assert "names no file" in settings().message
    drawn = []
    draw(DVP_PT_preview, RecordingLayout(drawn), bpy.context)
    assert any(kind == "label" and "names no file" in text for kind, text in drawn)


def spoil(rig, what):
    context = bpy.context
    stored = context.preferences.addons["blender_addon"].preferences
    if what == "head":
        stored.server = "http://127.0.0.1:9"
    elif what == "token":
        stored.token = "wrong"
    elif what == "network":
        context.preferences.system.use_online_access = False
    elif what == "generator":
        context.scene.dvp.generator = ""
    elif what == "consent":
        context.scene.dvp.consent = "shots:ada.take"
    elif what == "frame":
        context.scene.frame_set(2000)
    else:
        bpy.data.objects.remove(rig)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("head", "no farm head answers .*Start it"),
        ("token", "token is missing or not known"),
        ("network", "Allow Online Access"),
        ("generator", "Generator: is empty. Choose a file"),
        ("consent", "consent|JSON"),
        ("frame", "frame 2000 lies outside the take.*The take has"),
        ("rig", "no portrait rig"),
    ],
)
def test_what_is_wrong_is_told_in_words(rig, what, words):
    spoil(rig, what)
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.dvp.preview()
    assert shown_preview() is None


def test_panel_draws_button_settings_and_state(rig):
    drawn = []
    draw(DVP_PT_preview, RecordingLayout(drawn), bpy.context)
    assert ("operator", "dvp.preview") in drawn
    assert {("prop", name) for name in ("generator", "consent", "is_shown", "wipe")} <= set(drawn)
    assert ("operator", "dvp.live_preview") in drawn
    preview_now(bpy.context)
    drawn.clear()
    draw(DVP_PT_preview, RecordingLayout(drawn), bpy.context)
    assert ("label", "Up to date") in drawn
    pose(rig, 1.0)
    drawn.clear()
    draw(DVP_PT_preview, RecordingLayout(drawn), bpy.context)
    assert ("label", "Stale") in drawn


def test_another_file_shows_no_preview(rig):
    preview_now(bpy.context)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert shown_preview() is None


def test_preview_can_be_taken_away(rig):
    preview_now(bpy.context)
    assert bpy.ops.dvp.forget_preview() == {"FINISHED"}
    assert shown_preview() is None
    assert IMAGE_NAME not in bpy.data.images
    with pytest.raises(RuntimeError, match="No preview is shown"):
        bpy.ops.dvp.forget_preview()


def test_nothing_listens_after_the_addon_is_gone(rig):
    import addon_utils

    ask_preview(bpy.context)
    addon_utils.disable("blender_addon")
    try:
        handlers = bpy.app.handlers
        for kind in (handlers.depsgraph_update_post, handlers.frame_change_post, handlers.load_post):
            assert not [item for item in kind if "blender_addon" in item.__module__]
        assert not hasattr(bpy.types.WindowManager, "dvp_preview")
        assert not is_asking()
    finally:
        addon_utils.enable("blender_addon", default_set=True)
        bpy.context.preferences.addons["blender_addon"].preferences.server = ""
