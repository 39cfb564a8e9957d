"""What dead workers leave half-written goes, though they may live on unseen, and no living worker's file with it."""

import pytest
import stub_task

from farm.backends.on_this_machine import OnThisMachine
from farm.ledger import Ledger
from farm.root_marks import marked_roots
from farm.scheduler import Scheduler, SchedulerOptions
from farm.sweeps import Sweeper
from farm.tasks import Task, WorkOrder


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def folder(roots):
    made = roots.folders["site"] / "shot"
    made.mkdir()
    return made


def leftover(folder, name):
    stem, _, suffix = name.rpartition(".")
    path = folder / f".{stem}.abcd.part.{suffix}"
    path.write_bytes(b"half")
    return path


def order_of(job, roots, *, frames=(), kind="render"):
    return WorkOrder(1, job.id, job, Task("t", kind, frames=frames), frames, roots)


def test_worker_that_lives_on_unseen_is_swept_again_when_its_lease_is_over(roots, make_job, folder):
    clock = Clock()
    sweeper = Sweeper(roots, 60.0, clock=clock)
    job = make_job()
    order = order_of(job, roots, frames=(1, 2))
    first, foreign = leftover(folder, "frame.0001.png"), leftover(folder, "frame.0003.png")
    sweeper.after_death_of(order)
    assert not first.exists()
    later = leftover(folder, "frame.0002.png")
    sweeper.step([])
    assert later.exists()
    clock.now = 60.0
    sweeper.step([order_of(job, roots, frames=(2,))])
    assert later.exists(), "a living worker is busy with it"
    clock.now = 120.0
    sweeper.step([])
    assert not later.exists()
    assert foreign.exists()


def test_files_made_of_all_frames_are_swept_too(roots, make_job, folder):
    names = ("manifest.json", "frames.label.json", "contact.png", "job.json", "shot.mp4")
    left = [leftover(folder, name) for name in names]
    Sweeper(roots, 60.0).after_death_of(order_of(make_job(), roots, kind="movie"))
    assert [path for path in left if path.exists()] == []


def test_share_that_is_gone_is_swept_when_it_is_back(roots, make_job, folder, tmp_path):
    clock = Clock()
    marked = marked_roots(roots, state_folder=tmp_path / "state")
    sweeper = Sweeper(marked, 60.0, clock=clock)
    job = make_job()
    left = leftover(folder, "frame.0001.png")
    site = roots.folders["site"]
    site.rename(tmp_path / "away")
    sweeper.after_death_of(order_of(job, marked, frames=(1,)))
    clock.now = 60.0
    sweeper.step([])
    (tmp_path / "away").rename(site)
    assert left.exists()
    clock.now = 120.0
    sweeper.step([])
    assert not left.exists()


def test_next_head_sweeps_what_the_killed_one_has_left(roots, make_job, folder, tmp_path):
    clock = Clock()
    with Ledger(tmp_path / "state" / "ledger.sqlite", clock=clock) as ledger:
        ledger.submit(make_job(), owner="a")
        left = leftover(folder, "frame.0007.png")
        options = SchedulerOptions(lease_s=9.0)
        Scheduler(ledger, OnThisMachine(stub_task.run_order), roots, options, clock=clock)
        assert not left.exists()
