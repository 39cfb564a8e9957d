"""Submission against a real head: its HTTP API over a real ledger, on a free port; no worker takes the jobs."""

import socket
import threading
import time
from types import SimpleNamespace

import bpy
import pytest
from farm_shot import ready_shot
from recording_layout import RecordingLayout

from blender_addon.farm_jobs import farm_client, make_job
from blender_addon.job_watcher import JobWatcher, stop_watching, watch
from blender_addon.ui import panels
from dvp_core.data.errors import DataError


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """Address, token and preflight of a running head."""
    import uvicorn

    from farm.api import Site, make_app
    from farm.ledger import Ledger
    from farm.tokens import add_user

    folder = tmp_path_factory.mktemp("head")
    token = add_user(folder / "tokens.json", name="ada", role="submit")
    preflight = SimpleNamespace(check=lambda job: None)
    with Ledger(folder / "ledger.sqlite", clock=time.time) as ledger:
        app = make_app(Site(ledger, folder / "tokens.json", lambda job: preflight.check(job)))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield SimpleNamespace(url=url, token=token, preflight=preflight, ledger=ledger)
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def scene(context, take_file, head, tmp_path):
    """A scene ready to submit, with the add-on's preferences filled in."""
    ready_shot(context, *take_file, tmp_path)
    context.preferences.system.use_online_access = True
    stored = context.preferences.addons["blender_addon"].preferences
    stored.server, stored.token = head.url, head.token
    stored.root_folder, stored.root_name = str(tmp_path), "shots"
    head.preflight.check = lambda job: None
    context.scene.dvp.output = str(tmp_path / f"frames{time.monotonic_ns()}" / "frame.####.png")
    yield context.scene
    stop_watching()
    stored.server = stored.token = stored.root_folder = ""
    context.preferences.system.use_online_access = False


def test_job_is_what_the_panel_says(scene):
    job = make_job(bpy.context)
    assert (job.name, job.priority, job.frames) == ("Ada smiles", 70, "1001-1006")
    assert job.passes == "shots:passes"
    assert job.generator == "shots:ada.safetensors"
    assert job.output.startswith("shots:frames")
    assert job.id.startswith("Ada-smiles-")
    assert make_job(bpy.context).id != job.id


def test_panel_options_reach_the_job(scene, head):
    options = scene.dvp_submit
    options.chunk_size, options.notes, options.is_paused_at_start = 5, "after the review ", True
    job = make_job(bpy.context)
    assert (job.chunk_size, job.notes, job.is_paused_at_start) == (5, "after the review", True)
    assert bpy.ops.dvp.submit() == {"FINISHED"}
    assert scene.dvp.job_state == "paused: submitted paused"
    assert farm_client(bpy.context).job(scene.dvp.job_id)["notes"] == "after the review"


def test_render_menu_offers_the_submission(context):
    drawn = []
    entries = [entry for entry in bpy.types.TOPBAR_MT_render.draw._draw_funcs if "blender_addon" in entry.__module__]
    assert entries
    for entry in entries:
        entry(SimpleNamespace(layout=RecordingLayout(drawn)), context)
    assert ("operator", "dvp.submit") in drawn


def test_submitted_job_stands_in_the_ledger_and_can_be_cancelled(scene, head):
    assert bpy.ops.dvp.submit() == {"FINISHED"}
    assert scene.dvp.job_state == "queued"
    assert head.ledger.job(scene.dvp.job_id).priority == 70
    assert bpy.ops.dvp.watch_job() == {"FINISHED"}
    assert bpy.ops.dvp.cancel_job() == {"FINISHED"}
    assert scene.dvp.job_state.startswith("cancelled")
    with pytest.raises(RuntimeError, match="cancel"):
        bpy.ops.dvp.cancel_job()


def test_refusal_of_the_farm_reaches_the_user(scene, head):
    def refuse(job):
        raise DataError("names no file", where="job field 'generator'")

    head.preflight.check = refuse
    with pytest.raises(RuntimeError, match="names no file"):
        bpy.ops.dvp.submit()
    assert scene.dvp.job_id == ""


def test_watcher_follows_a_job_until_it_ends(scene, head):
    client, job = farm_client(bpy.context), make_job(bpy.context)
    look = watch(scene, JobWatcher(client, job.id, job))
    wait_until(lambda: look() is not None and scene.dvp.job_state == "queued")
    client.act(job.id, "cancel")
    wait_until(lambda: look() is None)
    assert scene.dvp.job_id == job.id
    assert scene.dvp.job_state.startswith("cancelled")


def test_watcher_tells_of_a_farm_that_does_not_answer(scene):
    from farm.client import FarmClient

    look = watch(scene, JobWatcher(FarmClient("http://127.0.0.1:9", "t"), "some-job"))
    wait_until(lambda: look() is None)
    assert "no farm head answers" in scene.dvp.job_state


def wait_until(is_reached, *, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while not is_reached():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_offline_blender_sends_nothing_and_says_why(scene):
    bpy.context.preferences.system.use_online_access = False
    assert not bpy.ops.dvp.submit.poll()
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.dvp.submit()
    with pytest.raises(DataError, match="Online Access"):
        farm_client(bpy.context)


def test_files_outside_the_shared_folder_are_refused_with_a_remedy(scene):
    scene.dvp.generator = "/elsewhere/ada.safetensors"
    with pytest.raises(DataError, match="outside the folder shared"):
        make_job(bpy.context)
    scene.dvp.generator = "models:ada.safetensors"
    assert make_job(bpy.context).generator == "models:ada.safetensors"
    scene.dvp.generator = ""
    with pytest.raises(DataError, match=r"Generator: is empty"):
        make_job(bpy.context)


def test_token_never_reaches_the_blend(scene, head, tmp_path):
    bpy.ops.dvp.submit()
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    assert head.token.encode() not in path.read_bytes()


@pytest.mark.parametrize("panel", panels.CLASSES)
def test_panels_show_only_what_exists(scene, panel):
    drawn = []
    scene.dvp.job_id = "some-job"
    panel.draw(SimpleNamespace(layout=RecordingLayout(drawn)), bpy.context)
    assert drawn


def test_panel_of_an_empty_scene_offers_the_import(context):
    drawn = []
    panels.DVP_PT_take.draw(SimpleNamespace(layout=RecordingLayout(drawn)), bpy.context)
    assert ("operator", "dvp.import_take") in drawn
