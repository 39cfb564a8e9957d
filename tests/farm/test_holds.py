"""What is nobody's fault costs nobody: the job waits for room, its share or a whole input, and goes on by itself."""

from dataclasses import replace

import pytest
import stub_task
from test_ledger import record_of

from dvp_core.data.errors import DataError
from farm.backends.on_this_machine import OnThisMachine
from farm.errors import LeaseEndedError, ShareGoneError
from farm.failures import failure_of
from farm.holds import HoldWatch, free_bytes
from farm.lease import Lease
from farm.ledger import Ledger
from farm.reports import frame_list, job_report, log_lines
from farm.root_marks import marked_roots
from farm.roots import MARK_NAME, Roots
from farm.scheduler import Scheduler
from farm.worker import run_order


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger(tmp_path / "state" / "ledger.sqlite", clock=clock) as opened:
        yield opened


@pytest.fixture
def marked(roots, tmp_path):
    return marked_roots(roots, state_folder=tmp_path / "state")


def scheduler_of(ledger, roots, clock, task_function=stub_task.run_order):
    return Scheduler(ledger, OnThisMachine(task_function, worker_count=2), roots, clock=clock)


def run(scheduler, clock, *, turns=600):
    """Turn until the job has ended; a tenth of a second passes each turn."""
    for _ in range(turns):
        scheduler.step(timeout_s=0)
        clock.now += 0.1
        if scheduler.is_idle() and job_report(scheduler.ledger, "shot")["state"] == "completed":
            return
    raise AssertionError(job_report(scheduler.ledger, "shot"))


def step(scheduler, clock, turns=10):
    for _ in range(turns):
        scheduler.step(timeout_s=0)
        clock.now += 0.1


def test_job_on_a_full_disk_goes_on_by_itself_when_there_is_room(ledger, marked, clock, make_job, monkeypatch):
    room = [0]
    monkeypatch.setattr("farm.holds.free_bytes", lambda folder: room[0])
    ledger.submit(make_job(plan={"full": {"4": 1}}), owner="a")
    scheduler = scheduler_of(ledger, marked, clock)
    step(scheduler, clock, 200)
    report = job_report(ledger, "shot")
    assert report["state"] == "paused"
    assert report["message"].startswith("paused, the disk is full, goes on when there is room")
    assert report["is_held"]
    room[0] = 1 << 30
    run(scheduler, clock)
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))


def test_user_who_resumes_a_held_job_overrules_the_farm(ledger, marked, clock, make_job, monkeypatch):
    monkeypatch.setattr("farm.holds.free_bytes", lambda folder: 0)
    ledger.submit(make_job(plan={"full": {"4": 1}}), owner="a")
    scheduler = scheduler_of(ledger, marked, clock)
    step(scheduler, clock)
    ledger.act("shot", "resume")
    ledger.act("shot", "pause")
    step(scheduler, clock, 100)
    report = job_report(ledger, "shot")
    assert (report["state"], report["is_held"]) == ("paused", False)


def test_held_job_whose_last_frames_come_in_meanwhile_is_complete_and_no_longer_held(ledger, marked, clock, make_job):
    ledger.submit(make_job(frames="1-2", chunk_size=1), owner="a")
    first, second = (ledger.next_order(worker=worker, roots=marked) for worker in ("w1", "w2"))
    ledger.record(first.attempt, record_of(1))
    ledger.end_attempt(first.attempt, failure="disk_full", message="no room for the note of it")
    assert job_report(ledger, "shot")["is_held"]
    ledger.record(second.attempt, record_of(2))
    ledger.end_attempt(second.attempt, failure=None)
    ledger.act("shot", "resume")
    scheduler = scheduler_of(ledger, marked, clock)
    run(scheduler, clock)
    assert not job_report(ledger, "shot")["is_held"]


def test_room_is_asked_for_by_the_size_of_the_finished_frames(ledger, marked, clock, make_job, monkeypatch):
    ledger.submit(make_job(plan={"full": {"4": 1}}), owner="a")
    scheduler = scheduler_of(ledger, marked, clock)
    step(scheduler, clock)
    open_count = 20 - ledger.finished_count("shot")
    frame_bytes = (marked.folders["site"] / "shot" / "frame.0001.png").stat().st_size
    for room, state in [(int(1.2 * open_count * frame_bytes) - 1, "paused"), (int(1.2 * open_count * frame_bytes), "")]:
        monkeypatch.setattr("farm.holds.free_bytes", lambda folder, room=room: room)
        watch = HoldWatch(ledger, marked, 0.0, clock=clock)
        watch.step()
        assert (job_report(ledger, "shot")["state"] == "paused") == (state == "paused")


def test_free_room_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_nothing_is_written_where_the_share_is_not_mounted(ledger, marked, clock, make_job, tmp_path):
    ledger.submit(make_job(), owner="a")
    scheduler = scheduler_of(ledger, marked, clock)
    step(scheduler, clock, 3)
    site = marked.folders["site"]
    site.rename(tmp_path / "away")
    site.mkdir()  # the empty mount point
    step(scheduler, clock, 100)
    report = job_report(ledger, "shot")
    assert report["state"] == "paused"
    assert "a share is gone, goes on when it is back" in report["message"]
    assert list(site.iterdir()) == []
    site.rmdir()
    (tmp_path / "away").rename(site)
    run(scheduler, clock)
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))


def test_frame_published_as_its_share_went_away_is_not_told(marked, make_job, ledger, monkeypatch):
    ledger.submit(make_job(), owner="a")
    order = ledger.next_order(worker="w", roots=marked)
    mark = marked.folders["site"] / MARK_NAME

    def publish(order):
        mark.unlink()
        yield "a record"

    monkeypatch.setattr("farm.worker._render", publish)
    with pytest.raises(ShareGoneError):
        next(run_order(order))


def test_head_does_not_start_on_a_share_that_is_not_there(roots, tmp_path):
    marked = marked_roots(roots, state_folder=tmp_path)
    assert marked_roots(roots, state_folder=tmp_path) == marked
    mark = roots.folders["site"] / MARK_NAME
    mark.write_text("another")
    with pytest.raises(ShareGoneError, match="another"):
        marked_roots(roots, state_folder=tmp_path)
    mark.unlink()
    with pytest.raises(ShareGoneError, match=r"missing.*remove its line from .*roots\.json"):
        marked_roots(roots, state_folder=tmp_path)
    assert not mark.exists()


def test_root_that_cannot_be_written_needs_no_mark(tmp_path, monkeypatch):
    def refuse(path, content):
        raise DataError("cannot be written")

    roots = Roots({"models": tmp_path})
    monkeypatch.setattr("farm.root_marks.write_bytes_atomically", refuse)
    marked = marked_roots(roots, state_folder=tmp_path / "state")
    assert marked.marks == {}
    marked.check_shares()


def test_lease_ends_without_news_of_the_head():
    clock = Clock()
    lease = Lease(60.0, clock=clock)
    clock.now += 60
    lease.check()
    clock.now += 1
    with pytest.raises(LeaseEndedError, match="for 61 s"):
        lease.check()
    lease.renew()
    lease.check()


def test_worker_whose_lease_has_ended_publishes_nothing_and_is_not_charged(ledger, marked, make_job):
    ledger.submit(make_job(), owner="a")
    order = ledger.next_order(worker="w", roots=marked)
    clock = Clock()
    lease = Lease(5.0, clock=clock)
    records = stub_task.run_order(replace(order, check_lease=lease.check))
    assert next(records).frame == 1
    clock.now += 6
    with pytest.raises(LeaseEndedError) as ended:
        next(records)
    assert not (marked.folders["site"] / "shot" / "frame.0002.png").exists()
    assert failure_of(order, ended.value).kind == "withdrawn"


def test_a_full_disk_is_known_through_the_error_that_it_caused(ledger, marked, make_job):
    ledger.submit(make_job(), owner="a")
    order = ledger.next_order(worker="w", roots=marked)
    error = DataError("cannot be written")
    error.__cause__ = OSError(28, "No space left on device")
    assert failure_of(order, error).kind == "disk_full"
    assert failure_of(order, DataError("no such eye", where="face")).kind == "error"


def test_cut_input_holds_its_job_until_it_is_mended(site, job_on, tmp_path, clock, ledger):
    passes = site.folders["site"] / "passes" / "passes.0105.exr"
    whole = passes.read_bytes()
    passes.write_bytes(whole[: len(whole) // 2])
    ledger.submit(job_on("shot", frames="101-108", chunk_size=4), owner="a")
    scheduler = scheduler_of(ledger, marked_roots(site, state_folder=tmp_path / "state"), clock, run_order)
    step(scheduler, clock, 40)
    report = job_report(ledger, "shot")
    assert report["state"] == "paused"
    assert "an input cannot be used, goes on when it is mended" in report["message"]
    assert "passes.0105.exr" in report["message"]
    passes.write_bytes(whole)
    run(scheduler, clock)
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))


def test_input_that_is_late_holds_its_job_until_it_comes(site, job_on, tmp_path, clock, ledger):
    passes = site.folders["site"] / "passes" / "passes.0130.exr"
    passes.rename(tmp_path / "late.exr")
    ledger.submit(job_on("shot", frames="125-130", chunk_size=4), owner="a")
    scheduler = scheduler_of(ledger, marked_roots(site, state_folder=tmp_path / "state"), clock, run_order)
    step(scheduler, clock, 40)
    assert "passes.0130.exr is missing" in job_report(ledger, "shot")["message"]
    (tmp_path / "late.exr").rename(passes)
    run(scheduler, clock)


def test_frames_lost_during_a_job_are_rendered_again_before_its_files_are_made(site, job_on, tmp_path, clock, ledger):
    ledger.submit(job_on("shot", frames="101-108", chunk_size=4), owner="a")
    scheduler = scheduler_of(ledger, marked_roots(site, state_folder=tmp_path / "state"), clock, run_order)
    while ledger.finished_count("shot") < 6:
        step(scheduler, clock, 1)
    folder = site.folders["site"] / "shot"
    (folder / "frame.0101.png").unlink()
    content = (folder / "frame.0102.png").read_bytes()
    (folder / "frame.0102.png").write_bytes(content[:-9])
    run(scheduler, clock)
    assert (folder / "frame.0102.png").read_bytes() == content
    assert (folder / "frame.0101.png").exists()
    assert any("2 finished frames were gone" in line["text"] for line in log_lines(ledger, "shot"))


def test_disk_that_loses_frames_again_and_again_ends_the_job(ledger, marked, clock, make_job):
    def losing(order):
        yield from stub_task.run_order(order) if order.task.kind == "render" else _lose(order)

    def _lose(order):
        (marked.folders["site"] / "shot" / "frame.0003.png").unlink()
        raise DataError("frame 3 is gone")
        yield

    ledger.submit(make_job(max_retries_per_frame=2), owner="a")
    scheduler = scheduler_of(ledger, marked, clock, losing)
    step(scheduler, clock, 200)
    report = job_report(ledger, "shot")
    assert report["state"] == "failed"
    assert "manifest failed: 1 finished frames were gone" in report["message"]
