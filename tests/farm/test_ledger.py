"""The ledger alone: whatever happens in whatever order, its invariants hold and a finished frame stays finished."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import Job
from dvp_core.pipeline.render_frames import FrameRecord
from farm.errors import ConflictError
from farm.ledger import Ledger
from farm.reports import job_report
from farm.roots import Roots
from farm.states import ACTION_FROM, ENDED_JOBS
from farm.tasks import FileRecord

ROOTS = Roots()


def job_of(name="j", **changes):
    settings = {
        "id": name,
        "name": name,
        "frames": "1-9",
        "passes": "a:p",
        "generator": "a:g.safetensors",
        "output": f"a:{name}/f.####.png",
        "chunk_size": 4,
        "max_retries_per_frame": 1,
        "max_failed_frames": 2,
    }
    return Job(**(settings | changes))


def record_of(frame):
    return FrameRecord(frame, f"key{frame}", f"sha{frame}", 0.1, is_reused=False)


class LedgerMachine(RuleBasedStateMachine):
    """Workers, users and crashes act on a ledger at random; the clock runs wherever hypothesis turns it."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0
        self.orders = {}
        self.finished = {}
        self.open()

    def open(self):
        self.ledger = Ledger(Path(self.folder.name) / "ledger.sqlite", clock=lambda: self.now)

    def teardown(self):
        self.ledger.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(["j", "k"]), priority=st.sampled_from([10, 50, 90]))
    def submit(self, name, priority):
        try:
            self.ledger.submit(job_of(name, priority=priority), owner="a")
        except ConflictError:
            assert self.ledger.job(name).priority != priority

    @rule(seconds=st.floats(-1e6, 1e6))
    def turn_clock(self, seconds):
        self.now += seconds

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def take(self, worker):
        if worker not in self.orders and (order := self.ledger.next_order(worker=worker, roots=ROOTS)):
            assert self.ledger.job_state(order.job_id) == "active"
            self.orders[worker] = (order, list(order.frames))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def finish_one(self, data):
        worker = data.draw(st.sampled_from(sorted(self.orders)))
        order, left = self.orders[worker]
        if left:
            frame = left.pop(0)
            if self.ledger.record(order.attempt, record_of(frame)):
                self.finished.setdefault(order.job_id, set()).add(frame)
        else:
            if order.task.kind != "render":
                self.ledger.record(order.attempt, FileRecord(order.task.name, "sha"))
            self.ledger.end_attempt(order.attempt, failure=None)
            del self.orders[worker]

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), failure=st.sampled_from(["error", "died", "deadline", "disk_full", "withdrawn"]))
    def fail(self, data, failure):
        worker = data.draw(st.sampled_from(sorted(self.orders)))
        order, _ = self.orders.pop(worker)
        self.ledger.end_attempt(order.attempt, failure=failure, message="why")
        assert not self.ledger.record(order.attempt, record_of(1)), "late news of an ended attempt counted"
        assert not self.ledger.end_attempt(order.attempt, failure="error")

    @rule(name=st.sampled_from(["j", "k"]), action=st.sampled_from(sorted(ACTION_FROM)))
    def act(self, name, action):
        rows = self.ledger.rows("SELECT state FROM jobs WHERE id = ?", name)
        if not rows:
            return
        if rows[0]["state"] in ACTION_FROM[action]:
            self.ledger.act(name, action)
            if action == "rerender":
                self.finished.pop(name, None)
        else:
            with pytest.raises(ConflictError):
                self.ledger.act(name, action)

    @rule()
    def crash_and_recover(self):
        self.ledger.close()
        self.open()
        assert self.ledger.recover() == len(self.orders)
        self.orders.clear()

    @invariant()
    def running_attempts_are_those_of_the_orders(self):
        rows = self.ledger.rows("SELECT id FROM attempts WHERE state = 'running'")
        assert {row["id"] for row in rows} == {order.attempt for order, _ in self.orders.values()}

    @invariant()
    def finished_frames_stay_finished(self):
        for job_id, frames in self.finished.items():
            assert {item.frame for item in self.ledger.finished_frames(job_id)} >= frames

    @invariant()
    def failures_stay_within_the_limit(self):
        for row in self.ledger.rows("SELECT state, failures FROM frames"):
            assert row["failures"] <= 2
            assert (row["state"] == "failed") <= (row["failures"] == 2)

    @invariant()
    def ended_jobs_have_nothing_left_to_run(self):
        for job in self.ledger.rows("SELECT id, state FROM jobs"):
            states = {row["state"] for row in self.ledger.rows("SELECT state FROM tasks WHERE job_id = ?", job["id"])}
            frames = {row["state"] for row in self.ledger.rows("SELECT state FROM frames WHERE job_id = ?", job["id"])}
            if job["state"] in ENDED_JOBS:
                assert not states & {"queued", "active"}
                assert not frames & {"queued", "soft-failed"}
            if job["state"] == "completed":
                assert states == {"completed"}
                assert frames == {"completed"}


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as opened:
        yield opened


def test_same_job_twice_is_one_job(ledger):
    assert ledger.submit(job_of(), owner="a")
    assert not ledger.submit(job_of(), owner="a")
    with pytest.raises(ConflictError, match="another job"):
        ledger.submit(job_of(priority=1), owner="a")


def test_job_of_an_older_version_is_the_same_job(ledger):
    ledger.submit(job_of(), owner="a")
    stored = json.loads(ledger.rows("SELECT content FROM jobs")[0]["content"])
    older = json.dumps({name: value for name, value in stored.items() if name != "notes"})
    with ledger._transaction() as database:
        database.execute("UPDATE jobs SET content = ?", (older,))
    assert not ledger.submit(job_of(), owner="a")


def test_job_submitted_paused_waits_until_it_is_resumed(ledger):
    ledger.submit(job_of(is_paused_at_start=True, notes="after the review"), owner="a")
    report = job_report(ledger, "j")
    assert (report["state"], report["message"], report["notes"]) == ("paused", "submitted paused", "after the review")
    assert ledger.next_order(worker="w", roots=ROOTS) is None
    ledger.act("j", "resume")
    assert ledger.next_order(worker="w", roots=ROOTS) is not None


def test_two_unfinished_jobs_cannot_write_to_one_place(ledger):
    ledger.submit(job_of("j"), owner="a")
    with pytest.raises(ConflictError, match="j writes to the same output"):
        ledger.submit(job_of("k", output="a:j/f.####.png"), owner="a")
    ledger.act("j", "cancel")
    assert ledger.submit(job_of("k", output="a:j/f.####.png"), owner="a")


def test_order_that_ends_without_its_frames_is_charged(ledger):
    ledger.submit(job_of(), owner="a")
    order = ledger.next_order(worker="w", roots=ROOTS)
    ledger.record(order.attempt, record_of(1))
    ledger.end_attempt(order.attempt, failure=None)
    row = ledger.rows("SELECT * FROM frames WHERE frame = 2")[0]
    assert (row["state"], row["failures"]) == ("soft-failed", 1)


def test_frame_that_failed_comes_last_in_its_chunk(ledger):
    ledger.submit(job_of(), owner="a")
    order = ledger.next_order(worker="w", roots=ROOTS)
    ledger.end_attempt(order.attempt, failure="died", message="gone")
    again = [ledger.next_order(worker="w", roots=ROOTS) for _ in range(3)]
    assert (2, 3, 4, 1) in [order.frames for order in again]


def test_chunk_that_a_worker_failed_goes_to_another_first(ledger):
    ledger.submit(job_of(frames="1-8"), owner="a")
    first = ledger.next_order(worker="w1", roots=ROOTS)
    ledger.end_attempt(first.attempt, failure="error", message="why")
    second = ledger.next_order(worker="w1", roots=ROOTS)
    assert second.task.name == "render.000001"
    assert ledger.next_order(worker="w2", roots=ROOTS).task.name == "render.000000"


def test_lone_worker_tries_its_own_failure_again(ledger):
    ledger.submit(job_of(frames="1-3"), owner="a")
    first = ledger.next_order(worker="w1", roots=ROOTS)
    ledger.end_attempt(first.attempt, failure="error", message="why")
    assert ledger.next_order(worker="w1", roots=ROOTS).frames == (2, 3, 1)


def test_frames_put_back_take_what_was_made_of_them_along(ledger):
    ledger.submit(job_of(frames="1-2"), owner="a")
    while order := ledger.next_order(worker="w", roots=ROOTS):
        for frame in order.frames:
            ledger.record(order.attempt, record_of(frame))
        ledger.end_attempt(order.attempt, failure=None)
    assert ledger.job_state("j") == "completed"
    ledger.act("j", "retry", frames=FrameRange.of([2]))
    states = {row["name"]: row["state"] for row in ledger.rows("SELECT name, state FROM tasks")}
    assert states == dict.fromkeys(["plan.000000", "render.000000", "manifest", "contact_sheet", "movie"], "queued")


def test_file_task_that_fails_too_often_ends_the_job(ledger):
    ledger.submit(job_of(frames="1", max_retries_per_frame=0), owner="a")
    order = ledger.next_order(worker="w", roots=ROOTS)
    ledger.record(order.attempt, record_of(1))
    ledger.end_attempt(order.attempt, failure=None)
    order = ledger.next_order(worker="w", roots=ROOTS)
    assert order.task.kind == "manifest"
    assert [item.frame for item in order.finished] == [1]
    ledger.end_attempt(order.attempt, failure="error", message="Traceback ...\nDataError: no keys")
    assert ledger.job_state("j") == "failed"
    assert ledger.rows("SELECT message FROM jobs")[0]["message"] == "manifest failed: DataError: no keys"


def test_ledger_is_held_by_one_process(tmp_path, ledger):
    with pytest.raises(DataError, match="another farm head"):
        Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0)


def test_damaged_ledger_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, clock=lambda: 0.0) as ledger:
        for number in range(40):
            ledger.submit(job_of(f"j{number}", frames="1-200"), owner="a")
    content = bytearray(path.read_bytes())
    content[8192:40960] = os.urandom(32768)
    path.write_bytes(content)
    with pytest.raises(DataError, match="ledger"):
        Ledger(path, clock=lambda: 0.0)
    assert path.read_bytes() == bytes(content)
    path.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(DataError, match="ledger"):
        Ledger(path, clock=lambda: 0.0)


def test_what_was_answered_survives_a_kill(tmp_path):
    script = (
        "import os, sys, time\nfrom test_ledger import Ledger, job_of\n"
        "ledger = Ledger(sys.argv[1], clock=time.time)\nledger.submit(job_of(), owner='a')\nos.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "ledger.sqlite"
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=os.environ | {"PYTHONPATH": here})
    assert done.returncode == -9
    with Ledger(path, clock=lambda: 0.0) as ledger:
        assert ledger.job_state("j") == "queued"
        assert ledger.epoch == 2
