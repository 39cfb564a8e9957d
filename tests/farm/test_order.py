"""In which order a job's frames run and how they are cut: the telling ones first, then runs of some seconds."""

import pytest
import stub_task
from hypothesis import given
from hypothesis import strategies as st
from test_ledger import ROOTS, job_of, record_of

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from farm.backends.on_this_machine import OnThisMachine
from farm.chunk_size import FIRST_CHUNK_FRAMES, LARGEST_CHUNK_FRAMES, TARGET_S, chunk_frames
from farm.compile import Opening, compile_job
from farm.ledger import Ledger
from farm.reports import job_report
from farm.scheduler import Scheduler


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as opened:
        yield opened


def work(ledger, order, *, count=None):
    for frame in order.frames[:count]:
        ledger.record(order.attempt, record_of(frame))
    ledger.end_attempt(order.attempt, failure=None)


@given(st.sets(st.integers(0, 600), min_size=1), st.one_of(st.none(), st.integers(1, 60)), st.data())
def test_every_frame_stands_in_one_task_whatever_comes_first(numbers, chunk_size, data):
    first = tuple(data.draw(st.lists(st.sampled_from(sorted(numbers)), unique=True, max_size=5)))
    job = job_of(frames=",".join(map(str, sorted(numbers))), chunk_size=chunk_size)
    tasks = compile_job(job, Opening(first))
    renders = [task for task in tasks if task.kind == "render"]
    assert sorted(frame for task in renders for frame in task.frames) == sorted(numbers)
    assert tuple(frame for task in renders[: len(first)] for frame in task.frames) == first
    names = [task.name for task in tasks]
    assert len(set(names)) == len(names)
    assert {task.name for task in renders} == set(next(t.after for t in tasks if t.kind == "manifest"))


def test_first_frames_and_their_sheet_come_before_all_others(ledger, roots, make_job):
    job = make_job(frames="1-60", chunk_size=None)
    ledger.submit(job, owner="a", opening=Opening((1, 31, 60, 17)))
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=2), roots)
    sheet = roots.folders["site"] / "shot" / "contact_sheet.txt"
    while not sheet.exists():
        scheduler.step(timeout_s=0)
    assert sheet.read_text().split() == ["1", "17", "31", "60"]
    executed = (roots.folders["site"] / "shot" / "executions.txt").read_text().split()
    assert sorted(map(int, executed[:4])) == [1, 17, 31, 60]
    assert len(executed) <= 6  # the other worker has begun with the rest
    while job_report(ledger, "shot")["state"] != "completed":
        scheduler.step(timeout_s=0)
    assert len(sheet.read_text().split()) == 60


def test_a_run_is_cut_when_it_is_handed_out(ledger):
    ledger.submit(job_of(frames="1-100", chunk_size=None, is_movie_wanted=False), owner="a")
    first = ledger.next_order(worker="w1", roots=ROOTS, wanted=lambda job: 4)
    second = ledger.next_order(worker="w2", roots=ROOTS, wanted=lambda job: 30)
    third = ledger.next_order(worker="w3", roots=ROOTS, wanted=lambda job: 1000)
    assert (first.frames, second.frames) == (tuple(range(1, 5)), tuple(range(5, 35)))
    assert third.frames == tuple(range(35, 101))
    assert second.task.reads[0] == 5 - 10
    for order in (first, second, third):
        assert ledger.job_state("j") == "active"
        work(ledger, order)
    assert ledger.next_order(worker="w1", roots=ROOTS).task.kind == "manifest"


def test_what_was_tried_keeps_its_cut(ledger):
    ledger.submit(job_of(frames="1-100", chunk_size=None), owner="a")
    order = ledger.next_order(worker="w1", roots=ROOTS, wanted=lambda job: 20)
    ledger.record(order.attempt, record_of(1))
    ledger.end_attempt(order.attempt, failure="error", message="why")
    again = ledger.next_order(worker="w2", roots=ROOTS, wanted=lambda job: 5)
    assert again.frames == (*range(3, 21), 2)


def test_the_size_in_the_job_rules(ledger):
    ledger.submit(job_of(frames="1-100", chunk_size=9), owner="a")
    assert len(ledger.next_order(worker="w", roots=ROOTS, wanted=lambda job: 50).frames) == 9


@given(st.floats(0.001, 100), st.integers(1, 5000), st.integers(1, 100))
def test_a_chunk_fills_some_seconds_and_leaves_the_others_a_share(seconds, left, workers):
    size = chunk_frames(seconds, frames_left=left, worker_count=workers)
    assert 1 <= size <= LARGEST_CHUNK_FRAMES
    assert size == 1 or size * seconds <= TARGET_S
    assert size == 1 or (size - 1) * workers * 2 < left


def test_the_first_chunks_are_small():
    assert chunk_frames(None, frames_left=1000, worker_count=1) == FIRST_CHUNK_FRAMES
    assert chunk_frames(0.035, frames_left=10_000, worker_count=1) == 199


def test_chunks_grow_with_the_measured_time(ledger, roots, make_job):
    ledger.submit(make_job(frames="1-200", chunk_size=None), owner="a")
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=1), roots)
    while job_report(ledger, "shot")["state"] != "completed":
        scheduler.step(timeout_s=0)
    query = "SELECT json_array_length(frames) AS size FROM attempts WHERE frames <> '[]' ORDER BY id"
    sizes = [row["size"] for row in ledger.rows(query)]
    assert sizes[0] == FIRST_CHUNK_FRAMES
    assert max(sizes) > 60  # a millisecond a frame
    assert sum(sizes) == 200


def test_frames_rendered_anew_are_rendered_though_they_stand(ledger, roots, make_job):
    ledger.submit(make_job(frames="1-30", chunk_size=8), owner="a")
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=2), roots)
    folder = roots.folders["site"] / "shot"

    def run():
        while job_report(ledger, "shot")["state"] != "completed":
            scheduler.step(timeout_s=0)
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("frame.*.png")}

    before = run()
    with pytest.raises(DataError, match="frame 31 is not part"):
        ledger.act("shot", "rerender", frames=FrameRange.parse("30-31"))
    ledger.act("shot", "rerender", frames=FrameRange.parse("7-10"))
    after = run()
    assert {name: content for name, (content, _) in before.items()} == {n: content for n, (content, _) in after.items()}
    touched = {name for name in before if before[name][1] != after[name][1]}
    assert touched == {f"frame.{frame:04d}.png" for frame in range(7, 11)}
    assert len((folder / "executions.txt").read_text().split()) == 34
    ledger.act("shot", "retry", frames=FrameRange.parse("7-10"))
    assert run() == after, "what was rendered anew is forgotten no more"


def test_a_job_of_higher_priority_waits_for_chunks_and_no_longer(ledger, roots, make_job):
    ledger.submit(make_job("low", frames="1-400", chunk_size=None, priority=10), owner="a")
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=2), roots)
    for _ in range(20):
        scheduler.step(timeout_s=0)
    running = [row["id"] for row in ledger.rows("SELECT id FROM attempts WHERE state = 'running'")]
    ledger.submit(make_job("high", frames="1-30", chunk_size=None, priority=90), owner="a")
    while job_report(ledger, "high")["state"] != "completed":
        scheduler.step(timeout_s=0)
    orders = [(row["id"], row["job_id"]) for row in ledger.rows("SELECT id, job_id FROM attempts ORDER BY id")]
    after = [job for number, job in orders if number > max(running)]
    renders = [row["id"] for row in ledger.rows("SELECT id FROM attempts WHERE job_id = 'high' AND frames <> '[]'")]
    assert after[: len(renders)] == ["high"] * len(renders)
