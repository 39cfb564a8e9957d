"""The parts behind the page, with clocks in hand: codes and sessions, the reading look at a ledger, runs of frames."""

import json

import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.pipeline.render_frames import FrameRecord
from farm.errors import UnknownJobError
from farm.ledger import Ledger
from farm.ledger_view import LedgerView
from farm.page_reports import PLOT_POINTS, job_page, newest_frame, overview, spans_of
from farm.sessions import CODE_LIFE_S, SESSION_LIFE_S, Sessions
from farm.tokens import User, sha256_of_token


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(tmp_path, clock):
    return Sessions(tmp_path / "sessions.json", clock=clock, ticker=clock)


ANNA = User("anna", "submit", sha256_of_token("annas token"))


def test_codes_grow_old(sessions, clock):
    code = sessions.make_code(ANNA)
    clock.now_s += CODE_LIFE_S
    assert sessions.redeem(code) is None
    assert sessions.user_of(sessions.redeem(sessions.make_code(ANNA)), (ANNA,)) == ANNA


def test_sessions_end_by_themselves_and_outlive_the_head(sessions, clock):
    token = sessions.redeem(sessions.make_code(ANNA))
    again = Sessions(sessions.path, clock=clock, ticker=clock)
    assert again.user_of(token, (ANNA,)) == ANNA
    clock.now_s += SESSION_LIFE_S
    assert again.user_of(token, (ANNA,)) is None
    again.redeem(again.make_code(ANNA))
    assert len(json.loads(sessions.path.read_text())["sessions"]) == 1  # the old one is forgotten


def test_a_session_follows_its_user_and_nobody_else(sessions):
    token = sessions.redeem(sessions.make_code(ANNA))
    raised = User("anna", "operate", ANNA.token_sha256)
    other = User("anna", "operate", sha256_of_token("another token"))
    assert sessions.user_of(token, (raised,)) == raised
    assert sessions.user_of(token, (other,)) is None
    assert sessions.user_of(token, ()) is None


def test_only_so_many_codes_wait(sessions):
    first = sessions.make_code(ANNA)
    codes = [sessions.make_code(ANNA) for _ in range(100)]
    assert sessions.redeem(first) is None
    assert sessions.redeem(codes[0]) is not None


def test_damaged_file_of_sessions_is_named(tmp_path):
    path = tmp_path / "sessions.json"
    path.write_text('{"sessions": [{"user": "anna"}]}')
    with pytest.raises(DataError, match="sessions"):
        Sessions(path)


@pytest.mark.parametrize("text", ["1", "1-9", "1-9x2", "5,7,9,10,11,40-50x5", "-3-3,100", "1,2,4,8,16"])
def test_spans_name_the_same_frames(text):
    numbers = FrameRange.parse(text).numbers
    spans = list(spans_of(numbers))
    assert [number for first, last, step in spans for number in range(first, last + 1, step)] == list(numbers)
    assert len(list(spans_of(FrameRange.parse("1-100000x3").numbers))) == 1


@pytest.fixture
def ledger(tmp_path, clock):
    with Ledger(tmp_path / "ledger.sqlite", clock=clock) as opened:
        yield opened


@pytest.fixture
def view(ledger, clock):
    with LedgerView(ledger.path, ticker=clock) as opened:
        yield opened


def test_view_sees_what_is_written_and_can_write_nothing(ledger, view, make_job):
    with pytest.raises(UnknownJobError):
        view.job_row("shot")
    ledger.submit(make_job(), owner="a")
    assert view.job_row("shot")["owner"] == "a"
    with pytest.raises(Exception, match="readonly"):
        view.rows("DELETE FROM jobs")


def test_view_reads_while_the_ledger_writes(ledger, view, make_job):
    with ledger.batch():
        ledger.submit(make_job(), owner="a")
        assert overview(view, limit=10)["jobs"] == []
    assert len(overview(view, limit=10)["jobs"]) == 1


def test_answers_are_made_anew_only_after_a_change(ledger, view, make_job, clock):
    made = []

    def make():
        made.append(1)
        clock.now_s += 1.0  # it takes a second
        return overview(view, limit=10)

    first = view.answer(("all",), make)
    clock.now_s += 100
    assert view.answer(("all",), make) == first
    assert len(made) == 1
    ledger.submit(make_job("one"), owner="a")
    second = view.answer(("all",), make)
    assert second.tag != first.tag
    ledger.submit(make_job("two"), owner="a")
    assert view.answer(("all",), make) == second  # good for some times as long as it took
    clock.now_s += 4.0
    assert len(json.loads(view.answer(("all",), make).content)["jobs"]) == 2
    assert len(made) == 3


def test_what_is_in_hand_and_what_was_finished_last(ledger, view, make_job, roots):
    ledger.submit(make_job(), owner="a")
    assert newest_frame(view, "shot") is None
    orders = [ledger.next_order(worker=worker, roots=roots) for worker in ("one", "two")]
    ledger.record(orders[1].attempt, FrameRecord(8, "key", "hash", 0.5, False))
    ledger.record(orders[0].attempt, FrameRecord(1, "key", "hash", 0.25, False))
    page = job_page(view, "shot")
    assert [(order["worker"], order["frame"], order["frames_done"]) for order in page["orders"]] == [
        ("one", 2, 1),
        ("two", 9, 1),
    ]
    assert page["newest_frame"] == 8
    assert page["plot"] == [[1, 1, 0.25, 0.25, 0.25], [8, 8, 0.5, 0.5, 0.5]]
    assert page["runs"] == [
        [1, page["states"].index("completed")],
        [6, 0],
        [1, page["states"].index("completed")],
        [12, 0],
    ]
    assert page["job"]["workers"] == 2


def test_long_shots_stay_small(ledger, view, make_job, roots):
    ledger.submit(make_job(frames="1-5000", chunk_size=5000), owner="a")
    order = ledger.next_order(worker="one", roots=roots)
    with ledger.batch():
        for frame in range(1, 4001):
            ledger.record(order.attempt, FrameRecord(frame, "key", "hash", 0.1 + frame / 10_000, False))
    page = job_page(view, "shot")
    assert [many for many, _ in page["runs"]] == [4000, 1000]
    assert len(page["plot"]) <= PLOT_POINTS
    first, last, mean, least, most = page["plot"][0]
    assert least < mean < most
    assert mean == pytest.approx(0.1 + (first + last) / 2 / 10_000, abs=1e-4)
    assert len(json.dumps(page)) < 20_000
