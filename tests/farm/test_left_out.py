"""A worker that fails frames which others can do is left out of that job; a frame that all fail is to blame itself."""

import pytest
import stub_task

from dvp_core.data.errors import DataError
from farm.backends.on_this_machine import OnThisMachine
from farm.ledger import Ledger
from farm.reports import frame_list, job_report, log_lines
from farm.scheduler import Scheduler


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as opened:
        yield opened


class Ward:
    """A pool in which some workers fail whatever they are given."""

    def __init__(self, *sick, worker_count=3):
        self.sick = set(sick)
        self.tried = []
        self.pool = OnThisMachine(stub_task.run_order, worker_count=worker_count)
        start = self.pool.start

        def start_or_fail(worker, order):
            start(worker, order)
            if worker in self.sick and order.task.kind == "render":
                self.pool._turns[worker].records = self.fail(worker, order)

        self.pool.start = start_or_fail

    def fail(self, worker, order):
        self.tried.append((worker, order.job_id, order.frames[0]))
        raise DataError("no room for the network on this machine")
        yield


def run(scheduler, job_id, *, turns=3000):
    for _ in range(turns):
        scheduler.step(timeout_s=0)
        if job_report(scheduler.ledger, job_id)["state"] not in ("queued", "active") and scheduler.is_idle():
            return job_report(scheduler.ledger, job_id)
    raise AssertionError(job_report(scheduler.ledger, job_id))


def test_it_gets_no_more_of_that_job_and_is_named(ledger, roots, make_job):
    ward = Ward("local-2")
    ledger.submit(make_job(frames="1-60", chunk_size=3), owner="a")
    report = run(Scheduler(ledger, ward.pool, roots), "shot")
    assert report["state"] == "completed"
    assert report["left_out"] == ["local-2"]
    assert 3 <= len(ward.tried) <= 6, "it went on failing"
    assert all(row["failures"] <= 1 for row in frame_list(ledger, "shot"))
    assert "local-2 is left out" in "".join(line["text"] for line in log_lines(ledger, "shot"))
    ledger.submit(make_job("next", frames="1-20", chunk_size=3), owner="a")
    run(Scheduler(ledger, ward.pool, roots), "next")
    assert any(job == "next" for _, job, _ in ward.tried), "another job may suit it"


def test_a_frame_that_all_fail_leaves_nobody_out(ledger, roots, make_job):
    plan = {"raise": {str(frame): 99 for frame in (4, 8, 12, 16)}}
    job = make_job(frames="1-20", chunk_size=2, plan=plan, max_failed_frames=4, max_retries_per_frame=2)
    ledger.submit(job, owner="a")
    report = run(Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=3), roots), "shot")
    assert report["frames"] == {"completed": 16, "failed": 4}
    assert report["left_out"] == []


def test_left_out_is_better_than_nobody(ledger, roots, make_job):
    ward = Ward("local-2", worker_count=2)
    ledger.submit(make_job(frames="1-60", chunk_size=2, max_retries_per_frame=20), owner="a")
    scheduler = Scheduler(ledger, ward.pool, roots)
    while not job_report(ledger, "shot")["left_out"]:
        scheduler.step(timeout_s=0)
    ward.pool.start = type(ward.pool).start.__get__(ward.pool)  # it has been mended
    ward.pool._turns.pop("local-1")  # and the other is gone without a word
    scheduler._running.clear()
    ledger.recover()
    assert run(scheduler, "shot")["state"] == "completed"


def test_a_retry_gives_another_chance(ledger, roots, make_job):
    ward = Ward("local-2")
    ledger.submit(make_job(frames="1-60", chunk_size=3), owner="a")
    scheduler = Scheduler(ledger, ward.pool, roots)
    run(scheduler, "shot")
    ledger.act("shot", "rerender")
    assert job_report(ledger, "shot")["left_out"] == []
