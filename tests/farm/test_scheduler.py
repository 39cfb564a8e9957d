"""The scheduler and the ledger with the reference backend, a stub task and a clock that the test turns."""

import pytest
import stub_task

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from farm.backends.on_this_machine import OnThisMachine
from farm.ledger import Ledger
from farm.local import run_job
from farm.recovery import requeue_lost_frames
from farm.reports import frame_list, job_report, log_lines
from farm.scheduler import Scheduler, SchedulerOptions


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
def scheduler(ledger, roots, clock):
    backend = OnThisMachine(stub_task.run_order, worker_count=2)
    return Scheduler(ledger, backend, roots, clock=clock)


def run(scheduler, *, turns=2000):
    for _ in range(turns):
        scheduler.step(timeout_s=0)
        if scheduler.is_idle():
            return
    raise AssertionError("the job did not end")


def executions(roots, name):
    path = roots.folders["site"] / name / "executions.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_job_ends_with_every_frame_and_its_files(ledger, scheduler, make_job, roots):
    ledger.submit(make_job(), owner="a")
    run(scheduler)
    report = job_report(ledger, "shot")
    assert report["state"] == "completed"
    assert report["frames"] == {"completed": 20}
    assert set(report["files"]) == {"manifest.txt", "contact_sheet.txt", "movie.txt"}
    assert sorted(executions(roots, "shot")) == list(range(1, 21))


def test_higher_priority_goes_between_chunks(ledger, scheduler, make_job):
    ledger.submit(make_job("low", priority=10), owner="a")
    scheduler.step(timeout_s=0)
    ledger.submit(make_job("high", priority=90), owner="a")
    run(scheduler)
    rows = ledger.rows("SELECT job_id, task FROM attempts ORDER BY id")
    order = [(row["job_id"], row["task"]) for row in rows]
    assert order[:2] == [("low", "render.000000"), ("low", "render.000001")]
    assert [job for job, _ in order[2:5]] == ["high", "high", "high"]
    assert order.index(("high", "render.000002")) < order.index(("low", "render.000002"))


def test_frame_that_fails_once_is_tried_again_and_costs_no_other(ledger, scheduler, make_job, roots):
    ledger.submit(make_job(plan={"raise": {"5": 2}}), owner="a")
    run(scheduler)
    frames = {row["frame"]: row for row in frame_list(ledger, "shot")}
    assert job_report(ledger, "shot")["state"] == "completed"
    assert frames[5]["failures"] == 2
    assert all(frames[number]["failures"] == 0 for number in frames if number != 5)
    assert sorted(executions(roots, "shot")) == list(range(1, 21))
    assert "told to fail" in "".join(line["text"] for line in log_lines(ledger, "shot"))


def test_poison_frame_is_set_aside_and_named(ledger, scheduler, make_job):
    ledger.submit(make_job(plan={"raise": {"5": 99}}, max_retries_per_frame=2, max_failed_frames=1), owner="a")
    run(scheduler)
    report = job_report(ledger, "shot")
    assert report["state"] == "failed"
    assert report["frames"] == {"completed": 19, "failed": 1}
    assert report["failed_frames"][0]["frame"] == 5
    assert "told to fail" in report["failed_frames"][0]["message"]
    assert "frame 5 failed" in report["message"]
    assert frame_list(ledger, "shot")[4]["failures"] == 3


def test_too_many_failed_frames_stop_the_job(ledger, scheduler, make_job):
    plan = {"raise": {str(frame): 99 for frame in range(1, 21)}}
    ledger.submit(make_job(plan=plan, max_retries_per_frame=0, max_failed_frames=2), owner="a")
    run(scheduler)
    report = job_report(ledger, "shot")
    assert report["state"] == "failed"
    assert report["frames"]["failed"] == 3
    assert report["frames"]["cancelled"] == 17


def test_retry_renders_only_what_did_not_complete(ledger, scheduler, make_job, roots):
    ledger.submit(make_job(plan={"raise": {"5": 1}}, max_retries_per_frame=0, max_failed_frames=3), owner="a")
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "failed"
    ledger.act("shot", "retry")
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "completed"
    assert sorted(executions(roots, "shot")) == list(range(1, 21))


def test_retry_of_a_range_asks_for_those_frames_only(ledger, scheduler, make_job, roots):
    ledger.submit(make_job(), owner="a")
    run(scheduler)
    (roots.folders["site"] / "shot" / "frame.0008.png").unlink()
    with pytest.raises(DataError, match="frame 99 is not part"):
        ledger.act("shot", "retry", frames=FrameRange.parse("99"))
    ledger.act("shot", "retry", frames=FrameRange.parse("8-9"))
    run(scheduler)
    assert sorted(executions(roots, "shot")) == sorted([*range(1, 21), 8])
    assert job_report(ledger, "shot")["state"] == "completed"


def test_pause_ends_the_running_chunks_and_resume_goes_on(ledger, scheduler, make_job):
    ledger.submit(make_job(frames="1-40"), owner="a")
    scheduler.step(timeout_s=0)
    scheduler.step(timeout_s=0)
    ledger.act("shot", "pause")
    run(scheduler)
    assert job_report(ledger, "shot")["frames"] == {"completed": 14, "queued": 26}
    ledger.act("shot", "resume")
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "completed"


def test_cancel_stops_between_frames_and_charges_nobody(ledger, scheduler, make_job):
    ledger.submit(make_job(frames="1-40"), owner="a")
    for _ in range(3):
        scheduler.step(timeout_s=0)
    ledger.act("shot", "cancel")
    run(scheduler)
    report = job_report(ledger, "shot")
    assert report["state"] == "cancelled"
    assert 2 <= report["frames"]["completed"] <= 8
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))
    with pytest.raises(DataError, match="cannot pause a job that is cancelled"):
        ledger.act("shot", "pause")


def test_worker_that_dies_charges_the_frame_in_hand_only(ledger, scheduler, make_job):
    ledger.submit(make_job(), owner="a")
    for _ in range(3):
        scheduler.step(timeout_s=0)
    scheduler.backend.kill("local-1", reason="pulled")
    run(scheduler)
    frames = {row["frame"]: row["failures"] for row in frame_list(ledger, "shot")}
    assert job_report(ledger, "shot")["state"] == "completed"
    assert {frame for frame, failures in frames.items() if failures} == {3}
    assert "local-3" in {row["worker"] for row in frame_list(ledger, "shot")}


def test_full_disk_pauses_the_job_and_charges_nobody(ledger, scheduler, make_job):
    ledger.submit(make_job(plan={"full": {"4": 1}}), owner="a")
    run(scheduler)
    report = job_report(ledger, "shot")
    assert report["state"] == "paused"
    assert "No space left" in report["message"]
    ledger.act("shot", "resume")
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "completed"
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))


def test_deadline_ends_a_silent_worker(ledger, roots, clock, make_job):
    class Silent(OnThisMachine):
        def poll(self, *, timeout_s):
            busy, self._turns = self._turns, {w: t for w, t in self._turns.items() if w != "local-1"}
            news = super().poll(timeout_s=0)
            self._turns = busy | self._turns
            return news

    ledger.submit(make_job(), owner="a")
    options = SchedulerOptions(warm_up_deadline_s=50, shortest_deadline_s=5)
    scheduler = Scheduler(ledger, Silent(stub_task.run_order, worker_count=1), roots, options, clock=clock)
    scheduler.step(timeout_s=0)
    clock.now += 49
    scheduler.step(timeout_s=0)
    assert "local-1" in scheduler.backend._turns
    clock.now += 2
    scheduler.step(timeout_s=0)
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "completed"
    assert frame_list(ledger, "shot")[0]["failures"] == 1
    assert "no news for 51 s" in "".join(line["text"] for line in log_lines(ledger, "shot"))


def test_frames_whose_files_are_gone_or_changed_are_queued_again(ledger, scheduler, make_job, roots):
    ledger.submit(make_job(plan={"full": {"20": 1}}), owner="a")
    run(scheduler)
    folder = roots.folders["site"] / "shot"
    (folder / "frame.0003.png").unlink()
    (folder / "frame.0004.png").write_bytes(b"flipped")
    assert requeue_lost_frames(ledger, roots) == 2
    ledger.act("shot", "resume")
    run(scheduler)
    assert job_report(ledger, "shot")["state"] == "completed"
    assert sorted(executions(roots, "shot")) == sorted([*range(1, 21), 3, 4])


def test_a_job_submitted_paused_runs_at_once_without_a_head(make_job, roots, tmp_path):
    job = make_job(frames="1-3", is_paused_at_start=True)
    report = run_job(
        job, roots=roots, state_folder=tmp_path / "state", backend="this-machine", task_function=stub_task.run_order
    )
    assert (report["state"], report["frames"]) == ("completed", {"completed": 3})
