"""The webhook against a real HTTP server: signed, told until it is heard, once more rather than once too little."""

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stub_task

from dvp_core.data.errors import DataError
from dvp_core.data.job import job_to_dict
from farm.backends.on_this_machine import OnThisMachine
from farm.client import connect
from farm.ledger import Ledger
from farm.ledger_care import Forgetting, forget_jobs
from farm.scheduler import Scheduler
from farm.webhook import Announcer, delay_s, note_ended_jobs, open_webhook


class Receiver(ThreadingHTTPServer):
    """Keeps what it is told and answers with the statuses it was given, then with 204."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard, self.statuses, self.silent_s = [], [], 0.0
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.silent_s)
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        if status == 307:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def webhook(tmp_path, receiver):
    return open_webhook(receiver.url, tmp_path / "secret")


@pytest.fixture
def open_ledger(tmp_path):
    return lambda: Ledger(tmp_path / "ledger.sqlite", clock=lambda: 1000.0)


@pytest.fixture
def ledger(open_ledger):
    with open_ledger() as opened:
        note_ended_jobs(opened, is_wanted=True)
        yield opened


def finish(ledger, roots, job):
    ledger.submit(job, owner="anna")
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order), roots)
    while ledger.job_state(job.id) in ("queued", "active") or not scheduler.is_idle():
        scheduler.step(timeout_s=0)


def waiting(ledger):
    return [tuple(row) for row in ledger.rows("SELECT job_id, event FROM announcements ORDER BY rowid")]


def test_completed_and_failed_jobs_are_told_with_their_reports(ledger, roots, make_job, webhook, receiver):
    finish(ledger, roots, make_job("good"))
    finish(ledger, roots, make_job("bad", plan={"raise": {"3": 9}}, max_retries_per_frame=0))
    ledger.submit(make_job("gone"), owner="anna")
    ledger.act("gone", "cancel")
    assert Announcer(ledger, webhook).turn() == 2
    told = [json.loads(body) for _, body in receiver.heard]
    assert [message["type"] for message in told] == ["job.completed", "job.failed"]
    assert [message["data"]["id"] for message in told] == ["good", "bad"]
    assert told[1]["data"]["failed_frames"][0]["frame"] == 3
    assert waiting(ledger) == []
    assert Announcer(ledger, webhook).turn() == 0


def test_receiver_can_check_who_speaks(ledger, roots, make_job, webhook, receiver, tmp_path):
    finish(ledger, roots, make_job())
    Announcer(ledger, webhook).turn()
    headers, body = receiver.heard[0]
    key = base64.b64decode((tmp_path / "secret").read_text().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert "secret" not in repr(webhook)


@pytest.mark.parametrize("status", [500, 404, 307])
def test_refusal_is_tried_again_later_with_the_same_words(ledger, roots, make_job, webhook, receiver, clock, status):
    finish(ledger, roots, make_job())
    receiver.statuses = [status, status]
    announcer = Announcer(ledger, webhook, monotonic=clock)
    assert announcer.turn() == 0
    assert announcer.turn() == 0
    assert len(receiver.heard) == 1  # it was not due yet
    clock.now += 1.01
    assert announcer.turn() == 0
    clock.now += 1.01
    assert announcer.turn() == 0
    assert len(receiver.heard) == 2
    clock.now += 1.01
    assert announcer.turn() == 1
    assert len({body for _, body in receiver.heard}) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    texts = [row["text"] for row in ledger.rows("SELECT text FROM logs WHERE text LIKE '%webhook%'")]
    assert texts == [f"the webhook was not told yet: it answered {status}", "the webhook was told"]


def test_what_was_not_heard_outlives_the_head(open_ledger, roots, make_job, receiver, tmp_path):
    webhook = open_webhook(receiver.url, tmp_path / "secret")
    with open_ledger() as ledger:
        note_ended_jobs(ledger, is_wanted=True)
        finish(ledger, roots, make_job())  # and here the plug is pulled, before anything was sent
    receiver.statuses = [503]
    with open_ledger() as ledger:
        note_ended_jobs(ledger, is_wanted=True)
        assert Announcer(ledger, webhook).turn() == 0
    with open_ledger() as ledger:
        note_ended_jobs(ledger, is_wanted=False)
        assert waiting(ledger) == [("shot", "job.completed")]
        assert Announcer(ledger, webhook).turn() == 1
    assert receiver.heard[0][1] == receiver.heard[1][1]


def test_nothing_is_noted_where_nobody_is_told(ledger, roots, make_job):
    note_ended_jobs(ledger, is_wanted=False)
    finish(ledger, roots, make_job())
    assert waiting(ledger) == []


def test_retried_job_is_told_again(ledger, roots, make_job):
    job = make_job(plan={"raise": {"3": 1}}, max_retries_per_frame=0)
    finish(ledger, roots, job)
    ledger.act("shot", "retry")
    finish(ledger, roots, job)
    assert waiting(ledger) == [("shot", "job.failed"), ("shot", "job.completed")]


def test_forgotten_job_is_not_told(ledger, roots, make_job, webhook, receiver):
    finish(ledger, roots, make_job())
    forget_jobs(ledger, roots, Forgetting(0, is_dry_run=False), now_s=2000.0)
    assert Announcer(ledger, webhook).turn() == 0
    assert receiver.heard == []


def test_delays_grow_to_a_quarter_of_an_hour_and_end_after_about_a_day():
    delays = [delay_s(attempts) for attempts in range(1, 100)]
    assert delays[:4] == [1, 2, 4, 8]
    assert max(delays) == 900
    assert 20 * 3600 < sum(delays) < 26 * 3600


BAD_URLS = [
    *("http://farm.example/hook", "ftp://farm.example", "file:///etc/passwd", "https://", "hook", ""),
    *("https://user:word@farm.example", "https://farm.example/a b", "http://[::1", "https://x:0", "https://x:99999"),
    *("http://127.0.0.1.farm.example/", "gopher://127.0.0.1", "https://farm.example/\r\nX: y"),
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_address_that_is_not_safe_is_refused(tmp_path, url):
    with pytest.raises(DataError, match="webhook"):
        open_webhook(url, tmp_path / "secret")
    assert not (tmp_path / "secret").exists()


def test_secret_that_others_read_or_guess_is_refused(tmp_path):
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"x" * 32).decode())
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(DataError, match="other users"):
        open_webhook("https://farm.example/hook", tmp_path / "secret")
    (tmp_path / "secret").chmod(0o600)
    open_webhook("https://farm.example/hook", tmp_path / "secret")
    (tmp_path / "secret").write_text("whsec_c2hvcnQ=")
    with pytest.raises(DataError, match="less than 24"):
        open_webhook("https://farm.example/hook", tmp_path / "secret")


HEAD = """
import os, sys
from pathlib import Path
import stub_task
from farm.head import HeadOptions, run_head
from farm.roots import Roots
from farm.webhook import open_webhook
state, site, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
hook = open_webhook(url, state / "webhook-secret")
run_head(
    HeadOptions(state, Roots({"site": site}), port=0, backend="this-machine", webhook=hook),
    task_function=stub_task.run_order,
    preflight=lambda job, roots: None,
    on_ready=lambda url: os.write(1, f"{url}\\n".encode()),
)
"""


def start_head(tmp_path, roots, url):
    command = [sys.executable, "-c", HEAD, str(tmp_path / "state"), str(roots.folders["site"]), url]
    head = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert head.stdout.readline().startswith("http://")
    return head, connect(connection=tmp_path / "state" / "connection.json")


def end(head, number):
    head.send_signal(number)
    code = head.wait(timeout=30)
    head.stdout.close()
    return code


def wait_until(is_so, *, limit_s=30):
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_silent_receiver_holds_up_no_job_and_hears_of_it_after_the_head_was_killed(tmp_path, roots, make_job, receiver):
    receiver.silent_s = 3.0
    head, client = start_head(tmp_path, roots, receiver.url)
    for name in ("a", "b", "c"):
        client.submit(job_to_dict(make_job(name)))
    wait_until(lambda: all(job["state"] == "completed" for job in client.jobs()))
    end(head, signal.SIGKILL)
    receiver.silent_s = 0.0
    head, client = start_head(tmp_path, roots, receiver.url)
    wait_until(lambda: {json.loads(body)["data"]["id"] for _, body in receiver.heard} == {"a", "b", "c"})
    wait_until(lambda: any("was told" in line["text"] for line in client.logs("c")))
    assert end(head, signal.SIGTERM) == 0
