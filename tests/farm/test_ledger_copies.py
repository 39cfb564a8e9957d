"""A ledger that is damaged, cut or deleted comes back from its copy, its submitted jobs and the frames themselves."""

import os

import pytest
import stub_task
from test_ledger import job_of, record_of

from dvp_core.data.errors import DataError
from farm.backends.on_this_machine import OnThisMachine
from farm.errors import LedgerDamagedError
from farm.ledger import Ledger
from farm.ledger_copies import COPY_NAME, LedgerCopier, open_ledger
from farm.reports import job_report, log_lines
from farm.roots import Roots
from farm.scheduler import Scheduler

ROOTS = Roots()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def open_at(path):
    return open_ledger(path, clock=lambda: 5.0)


def filled(path, *, job_count=40):
    with open_at(path) as ledger:
        for number in range(job_count):
            ledger.submit(job_of(f"j{number}", frames="1-200"), owner="anna")
        order = ledger.next_order(worker="w", roots=ROOTS)
        ledger.record(order.attempt, record_of(1))
        ledger.copy_to(path.with_name(COPY_NAME))
        ledger.record(order.attempt, record_of(2))
        ledger.submit(job_of("late"), owner="bert")
    return path.read_bytes()


def flip(path, content):
    damaged = bytearray(content)
    damaged[8192:40960] = os.urandom(32768)
    path.write_bytes(damaged)


def cut(path, content):
    path.write_bytes(content[: len(content) // 2])


def empty(path, content):
    path.write_bytes(b"")


def scribble(path, content):
    path.write_bytes(b"no database at all " * 1000)


def remove(path, content):
    path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, scribble])
def test_damaged_ledger_comes_back_from_its_copy(path, damage):
    damage(path, filled(path))
    damaged = path.read_bytes()
    with open_at(path) as ledger:
        assert len(ledger.rows("SELECT * FROM jobs")) == 41
        assert [item.frame for item in ledger.finished_frames("j0")] == [1]
        assert ledger.rows("SELECT owner FROM jobs WHERE id = 'late'")[0]["owner"] == "bert"
        assert "taken from a copy" in log_lines(ledger, "j0")[-1]["text"]
        assert "had lost it" in log_lines(ledger, "late")[-1]["text"]
        assert path.stat().st_mode & 0o077 == 0
    assert path.with_name("ledger.sqlite.damaged-1").read_bytes() == damaged


@pytest.mark.parametrize("damage", [empty, remove, scribble])
def test_ledger_without_a_copy_comes_back_from_the_submitted_jobs(path, damage):
    damage(path, filled(path))
    path.with_name(COPY_NAME).unlink()
    with open_at(path) as ledger:
        assert [row["id"] for row in ledger.rows("SELECT id FROM jobs ORDER BY sequence")][:2] == ["j0", "j1"]
        assert ledger.job_state("late") == "queued"


def test_copy_that_is_damaged_too_is_moved_aside(path):
    content = filled(path)
    cut(path, content)
    path.with_name(COPY_NAME).write_bytes(content[:9000])
    with open_at(path) as ledger:
        assert len(ledger.rows("SELECT * FROM jobs")) == 41
    assert path.with_name("ledger.sqlite.damaged-2").exists()


def test_of_jobs_to_one_place_the_newest_comes_back(path):
    now = [0.0]
    with Ledger(path, clock=lambda: now[0]) as ledger:
        for name in ("old", "new"):
            now[0] += 1
            ledger.submit(job_of(name, output="a:same/f.####.png"), owner="a")
            ledger.act(name, "cancel")
    path.unlink()
    with open_at(path) as ledger:
        assert [row["id"] for row in ledger.rows("SELECT id FROM jobs")] == ["new"]


def test_damaged_job_file_costs_that_job_alone(path):
    filled(path, job_count=2)
    path.unlink()
    path.with_name(COPY_NAME).unlink()
    (path.parent / "jobs" / "j0.json").write_bytes(b'{"job": {')
    with open_at(path) as ledger:
        assert {row["id"] for row in ledger.rows("SELECT id FROM jobs")} == {"j1", "late"}


def test_copies_are_made_in_time_and_only_after_changes(path):
    now = [0.0]
    copy = path.with_name(COPY_NAME)
    with Ledger(path, clock=lambda: 0.0) as ledger:
        copier = LedgerCopier(ledger, every_s=300.0, clock=lambda: now[0])
        ledger.submit(job_of(), owner="a")
        copier.step()
        assert not copy.exists()
        now[0] = 301.0
        copier.step()
        first = copy.stat().st_ino
        now[0] = 602.0
        copier.step()
        assert copy.stat().st_ino == first
        ledger.act("j", "cancel")
        copier.step()
        now[0] = 903.0
        copier.step()
        assert copy.stat().st_ino != first
    assert copy.stat().st_mode & 0o077 == 0
    assert not list(path.parent.glob(".*part*"))


def test_ledger_that_becomes_damaged_keeps_its_last_copy(path):
    filled(path)
    copy = path.with_name(COPY_NAME)
    before = copy.read_bytes()
    with open_at(path) as ledger:
        ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        flip(path, path.read_bytes())
        ledger._connection.execute("PRAGMA cache_size = 0")
        with pytest.raises(LedgerDamagedError):
            ledger.copy_to(copy)
    assert copy.read_bytes() == before


def test_full_disk_of_the_ledger_is_told_in_words_and_loses_nothing(path):
    filled(path, job_count=1)
    with open_at(path) as ledger:
        pages = ledger.rows("PRAGMA page_count")[0][0]
        ledger.rows(f"PRAGMA max_page_count = {pages}")  # what SQLite does on a full disk
        with pytest.raises(DataError, match="cannot be written"):
            ledger.submit(job_of("big", frames="1-9000"), owner="a")
        ledger.rows("PRAGMA max_page_count = 1000000")
        assert [item.frame for item in ledger.finished_frames("j0")] == [1, 2]
        assert ledger.submit(job_of("big", frames="1-9000"), owner="a")


def test_frames_of_a_lost_ledger_are_taken_over_and_not_rendered_again(path, make_job, roots):
    job = make_job()
    with open_at(path) as ledger:
        ledger.submit(job, owner="a")
        scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order), roots)
        while ledger.finished_count("shot") < 12:
            scheduler.step(timeout_s=0)
    path.unlink()
    with open_at(path) as ledger:
        scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order), roots)
        while ledger.job_state("shot") != "completed":
            scheduler.step(timeout_s=0)
        assert job_report(ledger, "shot")["frames"] == {"completed": 20}
    executions = (roots.folders["site"] / "shot" / "executions.txt").read_text().split()
    assert len(executions) == 20
