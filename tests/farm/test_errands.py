"""Passes, tracking and training as jobs: the pipeline's functions in a worker, with progress, cancel and waiting."""

import threading
import time
from dataclasses import replace

import pytest
import stub_task
from render_site import FIRST, LAST

from dvp_core.data.errand import PassesJob, TrackJob, TrainJob
from dvp_core.data.errors import DataError
from dvp_core.data.job import job_to_dict
from dvp_core.data.take import write_take
from dvp_core.passes import pass_path, read_pass_frame
from farm.backends.on_this_machine import OnThisMachine
from farm.errands import told
from farm.ledger import Ledger
from farm.local import run_job
from farm.opening import opening_of
from farm.preflight import check_job
from farm.reports import job_report
from farm.scheduler import Scheduler
from farm.tasks import ProgressRecord
from farm.worker import run_order


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as opened:
        yield opened


@pytest.fixture
def take_job(roots, tiny_take):
    """A job that makes the passes of a take in the site."""
    write_take(roots.folders["site"] / "tiny.take", tiny_take)
    return PassesJob(id="passes", name="passes", take="site:tiny.take", output="site:exported")


def run(scheduler, job_id, *, turns=2000):
    for _ in range(turns):
        scheduler.step(timeout_s=0)
        if job_report(scheduler.ledger, job_id)["state"] not in ("queued", "active") and scheduler.is_idle():
            return job_report(scheduler.ledger, job_id)
    raise AssertionError(job_report(scheduler.ledger, job_id))


def test_passes_are_made_by_the_command_s_function(take_job, roots, tmp_path, tiny_take):
    told_lines = []
    report = run_job(
        take_job,
        roots=roots,
        state_folder=tmp_path / "state",
        backend="this-machine",
        progress=lambda *words: told_lines.append(words),
    )
    assert (report["state"], report["task"], report["frame_count"]) == ("completed", "passes", 0)
    assert report["progress"] == {"stage": "passes", "done": 6, "total": 6}
    assert told_lines[-1] == ("passes", 6, 6)
    made = read_pass_frame(pass_path(roots.folders["site"] / "exported", 101))
    assert made.take_sha256 == tiny_take.sha256
    again = run_job(take_job, roots=roots, state_folder=tmp_path / "state", backend="this-machine")
    assert again["state"] == "completed"


def test_words_of_training_and_tracking_reach_the_pipeline(roots, ledger, monkeypatch):
    calls = {}
    monkeypatch.setattr("dvp_core.pipeline.train.train_generator", lambda **words: calls.update(train=words))
    monkeypatch.setattr("dvp_core.pipeline.track.track_clip", lambda **words: calls.update(track=words))
    site = roots.folders["site"]
    train = TrainJob(id="t", name="t", take="site:a.take", clip="site:a.mp4", output="site:a.safetensors", steps=7)
    track = TrackJob(id="k", name="k", clip="site:a.mp4", output="site:b.take", fps="30000/1001", frames="1-9")
    for job in (train, track):
        ledger.submit(job, owner="a")
    scheduler = Scheduler(ledger, OnThisMachine(run_order), roots)
    assert run(scheduler, "t")["state"] == run(scheduler, "k")["state"] == "completed"
    assert (calls["train"]["take"], calls["train"]["output"]) == (site / "a.take", site / "a.safetensors")
    assert (calls["train"]["options"].steps, calls["train"]["consent"]) == (7, None)
    assert str(calls["track"]["fps"]) == "30000/1001"
    assert calls["track"]["frames"].last == 9


def test_a_refusal_of_the_pipeline_is_the_job_s_message(take_job, roots, ledger, tiny_take):
    job = TrainJob(id="t", name="t", take="site:tiny.take", clip="site:none.mp4", output="site:a.safetensors")
    ledger.submit(replace(job, max_retries=0), owner="a")
    report = run(Scheduler(ledger, OnThisMachine(run_order), roots), "t")
    assert report["state"] == "failed"
    assert "train failed" in report["message"]
    with pytest.raises(DataError, match="'clip': names nothing"):
        check_job(job, roots)
    check_job(replace(job, after=("x",)), roots)


def test_a_cancelled_errand_stops_at_its_next_word(roots, ledger, take_job):
    stopped = threading.Event()

    def endless(order):
        def work(progress):
            try:
                for number in range(10**9):
                    progress("counting", number, 10**9)
                    time.sleep(0.001)
            finally:
                stopped.set()

        yield from told(work)

    ledger.submit(take_job, owner="a")
    scheduler = Scheduler(ledger, OnThisMachine(endless), roots)
    while job_report(ledger, "passes")["progress"] is None:
        scheduler.step(timeout_s=0)
    ledger.act("passes", "cancel")
    assert run(scheduler, "passes")["state"] == "cancelled"
    assert stopped.wait(5)
    ledger.act("passes", "retry")
    assert job_report(ledger, "passes")["state"] == "queued"


def test_the_last_word_is_told_and_an_error_raised():
    def work(progress):
        progress("a", 1, 2)
        progress("a", 2, 2)
        raise DataError("no room")

    records = told(work)
    assert next(records) == ProgressRecord("a", 2, 2)
    with pytest.raises(DataError, match="no room"):
        next(records)


def test_a_job_waits_for_others_and_says_so(ledger, roots, make_job):
    first = make_job("first", frames="1-4", plan={"raise": {"2": 1}}, max_retries_per_frame=0)
    ledger.submit(first, owner="a")
    second = make_job("second", frames="1-4", after=("first",), priority=100)
    ledger.submit(second, owner="a")
    with pytest.raises(DataError, match="'nobody', which is not there"):
        ledger.submit(make_job("third", after=("nobody",)), owner="a")
    with pytest.raises(DataError, match="'itself', which is not there"):
        ledger.submit(make_job("itself", after=("itself",)), owner="a")
    assert ledger.rows("SELECT id FROM jobs WHERE id IN ('third', 'itself')") == []
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=2), roots)
    assert run(scheduler, "first")["state"] == "failed"
    for _ in range(5):
        scheduler.step(timeout_s=0)
    report = job_report(ledger, "second")
    assert (report["state"], report["message"]) == ("queued", "waits for first (failed)")
    assert report["waits_for"] == [{"id": "first", "state": "failed"}]
    ledger.act("first", "retry")
    assert run(scheduler, "second")["state"] == "completed"
    assert job_report(ledger, "first")["state"] == "completed"
    assert job_report(ledger, "second")["waits_for"] == []


def test_a_shot_waits_for_its_passes(take_job, roots, ledger, job_on, site, tmp_path):
    """The inputs of a job that waits need not be there when it is submitted."""
    shot = job_on("shot", passes="site:exported", frames=f"{FIRST}-{LAST}", after=("passes",))
    check_job(shot, roots)
    assert not opening_of(shot, roots).has_frames
    with pytest.raises(DataError, match="names no folder"):
        check_job(replace(shot, after=()), site)
    assert job_to_dict(shot)["after"] == ("passes",)
