"""Submission against a real head: its HTTP API over a real ledger, on a free port; no worker takes the jobs."""

import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from farm_shot import ready_shot
from recording_layout import RecordingLayout, draw

from blender_addon import registration
from blender_addon.farm_jobs import LogEntry, farm_client, make_job, show_log
from blender_addon.job_watcher import JobWatcher, follow_unfinished_jobs, stop_watching, watch
from blender_addon.landing import result_of
from blender_addon.ui import panels, submit_panel
from blender_addon.ui.rig_panel import RigPanel
from blender_addon.ui.submit_panel import DVP_OT_submit_dialog
from dvp_core.data.errors import DataError
from dvp_core.data.take import TRACKED_TAKE
from dvp_core.pipeline.render_frames import FrameRecord
from farm.roots import Roots


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


def test_a_job_names_the_tracked_take_where_it_was_exported(scene):
    assert make_job(bpy.context).unedited is None
    tracked = Path(scene.dvp.passes_folder) / TRACKED_TAKE
    tracked.write_bytes(b"")
    assert make_job(bpy.context).unedited == f"shots:passes/{TRACKED_TAKE}"
    tracked.unlink()


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
    assert ("operator", "dvp.submit_dialog") in drawn


def test_dialog_of_the_render_menu_submits_and_follows(scene, head):
    drawn = []
    DVP_OT_submit_dialog.draw(SimpleNamespace(layout=RecordingLayout(drawn)), bpy.context)
    assert {("prop", name) for name in ("job_name", "frames", "chunk_size", "notes")} <= set(drawn)
    assert bpy.ops.dvp.submit_dialog() == {"FINISHED"}
    job_id = scene.dvp.job_id
    wait_until(lambda: head.ledger.rows("SELECT id FROM jobs WHERE id = ?", job_id))
    head.ledger.act(job_id, "cancel")


def test_panel_asks_for_frames_once(scene):
    drawn = []
    panels.DVP_PT_output.draw(SimpleNamespace(layout=RecordingLayout(drawn)), bpy.context)
    assert drawn.count(("prop", "frames")) == 1
    panels.DVP_PT_farm.draw(SimpleNamespace(layout=RecordingLayout(drawn)), bpy.context)
    assert drawn.count(("prop", "frames")) == 2


def test_waiting_submission_brings_the_frames_or_says_why_not(scene, head):
    is_over = threading.Event()

    def work():
        while not is_over.wait(0.05):
            finish(head)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        with pytest.raises(RuntimeError, match="none of the frames 1001-1006 is there"):
            bpy.ops.dvp.submit(is_waiting=True)
    finally:
        is_over.set()
        worker.join()
    assert scene.dvp.job_state == "completed"


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


def finish(head, *, frames=None):
    """Do what workers would: record the frames of all orders, then end them."""
    while (order := head.ledger.next_order(worker="w", roots=Roots(), is_last_resort=True)) is not None:
        for frame in order.frames:
            if frames is not None and frame not in frames:
                head.ledger.end_attempt(order.attempt, failure="error", message="Traceback\nValueError: no such eye")
                break
            head.ledger.record(order.attempt, FrameRecord(frame, f"k{frame}", f"s{frame}", 30.0, is_reused=False))
        else:
            head.ledger.end_attempt(order.attempt, failure=None)


def test_paused_job_is_resumed_and_paused_again(scene):
    scene.dvp_submit.is_paused_at_start = True
    bpy.ops.dvp.submit()
    assert bpy.ops.dvp.resume_job() == {"FINISHED"}
    assert scene.dvp.job_state == "queued"
    assert bpy.ops.dvp.pause_job() == {"FINISHED"}
    assert scene.dvp.job_state == "paused: paused by a user"
    with pytest.raises(RuntimeError, match="cannot pause"):
        bpy.ops.dvp.pause_job()


def test_progress_and_time_left_are_the_farms(scene, head):
    scene.dvp_submit.chunk_size = 2
    bpy.ops.dvp.submit()
    order = head.ledger.next_order(worker="w", roots=Roots())
    head.ledger.record(order.attempt, FrameRecord(order.frames[0], "k", "s", 30.0, is_reused=False))
    bpy.ops.dvp.watch_job()
    assert scene.dvp.job_progress == pytest.approx(1 / 6)
    assert scene.dvp_submit.frames_text == "1 of 6 frames"
    assert scene.dvp_submit.seconds_left == pytest.approx(5 * 30)
    drawn = []
    submit_panel.draw_submission(RecordingLayout(drawn), bpy.context)
    assert ("label", "1 of 6 frames, 3 min left") in drawn
    bpy.ops.dvp.cancel_job()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, ""), (0, ", a minute left"), (61, ", 2 min left"), (3600, ", 1 h 0 min left"), (7290, ", 2 h 2 min left")],
)
def test_time_left_in_words(seconds, text):
    assert submit_panel.time_left(seconds) == text


def test_log_reaches_the_panel_and_a_text(scene, head):
    bpy.ops.dvp.submit()
    job_id = scene.dvp.job_id
    finish(head, frames=[1001])
    look = watch(scene, JobWatcher(farm_client(bpy.context), job_id))
    wait_until(lambda: look() is None)
    shown = [line.text for line in scene.dvp_submit.log]
    assert "frame 1006: ValueError: no such eye" in shown
    assert scene.dvp.job_state.startswith("failed")
    assert "failed" in scene.dvp_submit.frames_text
    assert bpy.ops.dvp.show_log() == {"FINISHED"}
    text = bpy.data.texts[f"Farm log {job_id}"].as_string()
    assert "  submitted by ada: 6 frames" in text.splitlines()[0]
    assert "frame 1002: Traceback\nValueError: no such eye" in text
    count = len(text.splitlines())
    bpy.ops.dvp.show_log()
    assert len(bpy.data.texts[f"Farm log {job_id}"].as_string().splitlines()) == count


def test_log_lines_that_are_shown_stay_few(scene):
    show_log(scene, [LogEntry(number, None, 0.0, f"line {number}") for number in range(40)])
    assert [line.text for line in scene.dvp_submit.log][-1] == "line 39"
    assert len(scene.dvp_submit.log) == 12


def test_finished_job_lands_by_itself(scene, head):
    folder = Path(scene.dvp.output).parent
    folder.mkdir()
    bpy.ops.dvp.submit()
    for frame in range(1001, 1007):
        image = bpy.data.images.new("frame", 8, 8)
        image.filepath_raw, image.file_format = str(folder / f"frame.{frame}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    finish(head)
    look = watch(scene, JobWatcher(farm_client(bpy.context), scene.dvp.job_id))
    wait_until(lambda: look() is None)
    assert scene.dvp.job_state.startswith("completed")
    assert scene.dvp.job_progress == 1.0
    assert result_of(scene) is not None


def test_finished_job_whose_frames_are_not_here_says_so(scene, head):
    bpy.ops.dvp.submit()
    finish(head)
    look = watch(scene, JobWatcher(farm_client(bpy.context), scene.dvp.job_id))
    wait_until(lambda: look() is None)
    assert "none of the frames 1001-1006 is there" in scene.dvp.job_state
    assert result_of(scene) is None


def test_reopened_file_follows_its_unfinished_job_and_no_other(scene, head, tmp_path):
    bpy.ops.dvp.submit()
    job_id = scene.dvp.job_id
    old_look = watch(scene, JobWatcher(farm_client(bpy.context), job_id))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    assert old_look() is None  # another file's scene of the same name is left alone
    assert bpy.context.scene.dvp.job_id == ""
    assert follow_unfinished_jobs() == []
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    farm_client(bpy.context).act(job_id, "cancel")
    (look,) = follow_unfinished_jobs()
    wait_until(lambda: look() is None)
    assert bpy.context.scene.dvp.job_id == job_id
    assert bpy.context.scene.dvp.job_state.startswith("cancelled")
    assert follow_unfinished_jobs() == []


def test_a_job_is_followed_once(scene, head):
    bpy.ops.dvp.submit()
    first = JobWatcher(farm_client(bpy.context), scene.dvp.job_id)
    watch(scene, first)
    second = JobWatcher(farm_client(bpy.context), scene.dvp.job_id)
    watch(scene, second)
    assert first.stopped.is_set()
    assert not second.stopped.is_set()


def test_reopened_file_asks_nothing_while_offline(scene):
    bpy.ops.dvp.submit()
    bpy.context.preferences.system.use_online_access = False
    assert follow_unfinished_jobs() == []
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.dvp.show_log()


def test_buttons_without_a_job_say_why(scene):
    for button in (bpy.ops.dvp.pause_job, bpy.ops.dvp.resume_job, bpy.ops.dvp.cancel_job, bpy.ops.dvp.show_log):
        with pytest.raises(RuntimeError, match="No job was submitted"):
            button()


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
    draw(panel, RecordingLayout(drawn), bpy.context)
    assert drawn


@pytest.mark.parametrize(("width_px", "longest"), [(229, 25), (600, 82)])
def test_sentences_are_wrapped_to_the_width_of_the_sidebar(width_px, longest):
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    shown = SimpleNamespace(region=SimpleNamespace(width=width_px), preferences=preferences)
    letters = submit_panel.letters_across(shown)
    assert letters == longest
    drawn = []
    submit_panel.draw_wrapped(RecordingLayout(drawn), "jawOpen is 1.00, seen up to 0.62 " * 4, letters, icon="INFO")
    lines = [text for _, text in drawn]
    assert max(map(len, lines)) <= longest
    assert len(lines) > 1


def test_panels_of_a_rig_are_there_with_one_alone(context, take_file):
    of_rig = [panel for panel in panels.CLASSES if issubclass(panel, RigPanel)]
    assert of_rig
    assert not any(panel.poll(context) for panel in of_rig)
    bpy.ops.dvp.import_take(filepath=str(take_file[0]))
    assert all(panel.poll(context) for panel in of_rig)


def test_tooltips_end_without_a_full_stop_since_blender_adds_one(context):
    described = [item for item in registration.CLASSES if issubclass(item, bpy.types.Operator)]
    assert described
    for item in described:
        module, function = item.bl_idname.split(".")
        description = getattr(getattr(bpy.ops, module), function).get_rna_type().description
        assert description == item.__doc__.rstrip(".")
        assert description


def test_panel_of_an_empty_scene_offers_the_import(context):
    drawn = []
    draw(panels.DVP_PT_take, RecordingLayout(drawn), bpy.context)
    assert ("operator", "dvp.import_take") in drawn
