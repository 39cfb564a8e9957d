"""Priorities and forgetting: what goes is what was asked for, and no byte that somebody else counts on."""

from dataclasses import replace

import pytest
import stub_task

from farm.backends.on_this_machine import OnThisMachine
from farm.errors import ConflictError, UnknownJobError
from farm.ledger import Ledger
from farm.ledger_care import Forgetting, forget_jobs, set_priority
from farm.scheduler import Scheduler

DAY_S = 86_400.0


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 1000.0) as opened:
        yield opened


@pytest.fixture
def finish(ledger, roots):
    """Return a function that takes a job in and runs it to its end."""

    def run(job, *, owner="anna"):
        ledger.submit(job, owner=owner)
        scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order), roots)
        while ledger.job_state(job.id) in ("queued", "active") or not scheduler.is_idle():
            scheduler.step(timeout_s=0)
        return job

    return run


def forget(ledger, roots, *, days_later=31.0, **changes):
    what = Forgetting(**({"older_than_days": 30.0, "is_dry_run": False} | changes))
    return forget_jobs(ledger, roots, what, now_s=1000.0 + days_later * DAY_S)["jobs"]


def rows_of(ledger, job_id):
    tables = ledger.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%job_id%'")
    return sum(len(ledger.rows(f"SELECT 1 FROM {table['name']} WHERE job_id = ?", job_id)) for table in tables)


def test_waiting_job_overtakes_with_a_higher_priority(ledger, roots, make_job):
    ledger.submit(make_job("a"), owner="anna")
    ledger.submit(make_job("b"), owner="anna")
    set_priority(ledger, "b", 70)
    assert ledger.next_order(worker="w", roots=roots).job_id == "b"
    assert ledger.submit(make_job("b"), owner="anna") is False  # the same content is still the same job


def test_ended_job_has_no_priority(ledger, make_job, finish):
    finish(make_job())
    with pytest.raises(ConflictError, match="completed"):
        set_priority(ledger, "shot", 70)
    with pytest.raises(UnknownJobError):
        set_priority(ledger, "nobody", 70)


def test_dry_run_says_what_then_happens_and_changes_nothing(ledger, roots, make_job, finish):
    finish(make_job())
    files = sorted((roots.folders["site"] / "shot").iterdir())
    (told,) = forget(ledger, roots, with_files=True, is_dry_run=True)
    assert told["file_count"] == 23
    assert ledger.job_state("shot") == "completed"
    assert sorted((roots.folders["site"] / "shot").iterdir()) == files
    assert forget(ledger, roots, with_files=True) == [told]
    assert rows_of(ledger, "shot") == 0


def test_frames_stay_unless_asked_for(ledger, roots, make_job, finish):
    finish(make_job())
    folder = roots.folders["site"] / "shot"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (told,) = forget(ledger, roots)
    assert (told["file_count"], told["kept_file_count"], told["frame_count"]) == (0, 23, 20)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(UnknownJobError):
        ledger.job_state("shot")


def test_changed_and_foreign_files_stay(ledger, roots, make_job, finish):
    finish(make_job())
    folder = roots.folders["site"] / "shot"
    (folder / "frame.0003.png").write_text("painted over by hand")
    (folder / "frame.0004.png").unlink()
    (told,) = forget(ledger, roots, with_files=True)
    assert (told["file_count"], told["kept_file_count"]) == (21, 1)
    assert {path.name for path in folder.iterdir()} == {"plan.json", "executions.txt", "frame.0003.png"}


def test_files_that_another_job_writes_stay(ledger, roots, make_job, finish):
    finish(make_job())
    ledger.submit(replace(make_job(), id="again"), owner="anna")
    (told,) = forget(ledger, roots, with_files=True)
    assert (told["id"], told["file_count"], told["kept_file_count"]) == ("shot", 0, 23)


def test_last_job_of_a_folder_takes_the_files_along(ledger, roots, make_job, finish):
    finish(make_job())
    finish(replace(make_job(), id="again"))
    dry = forget(ledger, roots, with_files=True, is_dry_run=True)
    assert [(job["id"], job["file_count"]) for job in dry] == [("shot", 0), ("again", 23)]
    assert forget(ledger, roots, with_files=True) == dry


def test_young_unfinished_running_and_others_jobs_stay(ledger, roots, make_job, finish):
    finish(make_job("done"))
    ledger.submit(make_job("waiting"), owner="anna")
    ledger.submit(make_job("cancelled"), owner="anna")
    order = ledger.next_order(worker="w", roots=roots)
    while order.job_id != "cancelled":
        order = ledger.next_order(worker="w", roots=roots)
    ledger.act("cancelled", "cancel")  # its frame is still in a worker's hands
    assert forget(ledger, roots, days_later=29.0) == []
    assert forget(ledger, roots, owner="ben") == []
    assert [job["id"] for job in forget(ledger, roots, owner="anna")] == ["done"]
    ledger.end_attempt(order.attempt, failure="withdrawn")
    assert [job["id"] for job in forget(ledger, roots)] == ["cancelled"]
    assert ledger.job_state("waiting") == "active"


def test_job_that_another_waits_for_stays_until_that_has_ended(ledger, roots, make_job, finish):
    finish(make_job("parent"))
    ledger.submit(make_job("child", after=("parent",), is_paused_at_start=True), owner="anna")
    assert forget(ledger, roots) == []
    ledger.act("child", "cancel")
    assert {job["id"] for job in forget(ledger, roots)} == {"parent", "child"}
