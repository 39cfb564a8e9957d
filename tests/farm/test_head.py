"""A real head in its own process, spoken to over HTTP: tokens, limits, bad jobs, and the plug pulled in the middle."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from head_process import SCRIPT, Head

from dvp_core.data.job import job_to_dict
from farm.cli import COMMANDS
from farm.client import FarmClient, FarmError
from farm.command_line import Reach
from farm.tokens import add_user, remove_user

pytestmark = pytest.mark.xdist_group("farm-head")  # one idle head for the file


@pytest.fixture
def start_head(tmp_path, roots):
    heads = []

    def start(backend="this-machine"):
        heads.append(Head(tmp_path / "state", roots.folders["site"], backend).start())
        return heads[-1]

    yield start
    for head in heads:
        if head.process.poll() is None:
            head.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def idle_head(tmp_path_factory):
    """A head for the tests that leave nothing behind."""
    folder = tmp_path_factory.mktemp("head")
    (folder / "site").mkdir()
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parent), before])
    head = Head(folder / "state", folder / "site", "this-machine").start()
    os.environ["PYTHONPATH"] = before
    yield head
    assert head.end(signal.SIGTERM) == 0


def wait_for(client, job_id, states=("completed", "failed", "cancelled"), *, done=0, limit_s=30):
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        report = client.job(job_id)
        if report["state"] in states and report["frames"].get("completed", 0) >= done:
            return report
        time.sleep(0.03)
    raise AssertionError(report)


def request(head, method, path, *, body=None, headers=None):
    address = head.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def authorised(head):
    return {"Authorization": f"Bearer {head.client.token}", "Content-Type": "application/json"}


PATHS = [
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/x"),
    ("GET", "/api/v1/jobs/x/frames"),
    ("GET", "/api/v1/jobs/x/logs"),
    ("PUT", "/api/v1/jobs/x"),
    ("POST", "/api/v1/jobs/x/cancel"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "Bearer {token}x", "{token}"]
)
def test_every_path_refuses_what_is_not_the_token(idle_head, method, path, value):
    headers = {"Authorization": value.format(token=idle_head.client.token), "Content-Type": "application/json"}
    status, content = request(idle_head, method, path, body="{}", headers=headers)
    assert status == 401
    assert json.loads(content) == {"error": "the token is missing or not known to this head"}


def test_health_and_version_are_open_and_tell_nothing_else(idle_head):
    assert request(idle_head, "GET", "/healthz")[0] == 200
    status, content = request(idle_head, "GET", "/api/v1/version")
    assert status == 200
    assert set(json.loads(content)) == {"version", "api"}


def test_private_files_are_private_and_hold_no_clear_token_but_ones_own(idle_head):
    for name in ("tokens.json", "connection.json", "ledger.sqlite"):
        assert (idle_head.state / name).stat().st_mode & 0o077 == 0, name
    assert idle_head.client.token not in (idle_head.state / "tokens.json").read_text()


def test_revoked_token_ends_at_once(idle_head):
    token = add_user(idle_head.state / "tokens.json", name="guest", role="submit")
    client = FarmClient(idle_head.url, token)
    assert client.jobs() == []
    remove_user(idle_head.state / "tokens.json", name="guest")
    with pytest.raises(FarmError, match="token") as refused:
        client.jobs()
    assert refused.value.status == 401


@pytest.mark.parametrize("is_told", [True, False])
def test_oversized_body_is_refused(idle_head, is_told):
    body = b" " * ((1 << 20) + 1)
    headers = authorised(idle_head)
    content = body if is_told else iter([body])
    status, answer = request(idle_head, "PUT", "/api/v1/jobs/x", body=content, headers=headers)
    assert status == 413
    assert "larger than" in json.loads(answer)["error"]


BAD_PATHS = [
    *("site:../x", "site:/etc/passwd", "/etc/passwd", "site:a/../../x", "site:a\\..\\x"),
    *("file:///etc", "C:\\x", "site:a\0b", "", 7),
]


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize("field", ["passes", "generator", "output"])
def test_path_that_could_escape_is_refused_by_name(idle_head, field, path):
    job = {"id": "x", "name": "x", "frames": "1-3", "passes": "site:p", "generator": "site:g", "output": "site:f.#.png"}
    with pytest.raises(FarmError, match=f"'{field}'") as refused:
        idle_head.client.submit(job | {field: path})
    assert refused.value.status == 400
    assert idle_head.client.jobs() == []


def test_unknown_field_is_refused(idle_head):
    job = {"id": "x", "name": "x", "frames": "1-3", "passes": "site:p", "generator": "site:g", "output": "site:f.#.png"}
    with pytest.raises(FarmError, match="unknown field 'command'"):
        idle_head.client.submit(job | {"command": "rm -rf"})


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '{"frames": 5}', '{"extra": 1}'])
def test_malformed_bodies_get_an_answer(idle_head, body):
    for method, path in (("PUT", "/api/v1/jobs/x"), ("POST", "/api/v1/jobs/x/retry")):
        status, content = request(idle_head, method, path, body=body, headers=authorised(idle_head))
        assert status in (400, 404, 422)
        assert json.loads(content)["error"]


def test_unknown_job_and_action_are_named(idle_head):
    with pytest.raises(FarmError, match="no such job") as refused:
        idle_head.client.job("nobody")
    assert refused.value.status == 404
    assert request(idle_head, "POST", "/api/v1/jobs/x/explode", body="{}", headers=authorised(idle_head))[0] == 422


def test_client_sends_its_token_nowhere_else():
    with pytest.raises(FarmError, match="unencrypted"):
        FarmClient("http://farm.example:8642", "secret").jobs()
    with pytest.raises(FarmError, match="no farm head answers"):
        FarmClient("http://127.0.0.1:9", "secret", timeout_s=2).jobs()


def test_second_submission_is_harmless_and_another_content_is_refused(start_head, make_job):
    head = start_head()
    job = job_to_dict(make_job())
    head.client.submit(job)
    wait_for(head.client, "shot")
    assert head.client.submit(job)["state"] == "completed"
    with pytest.raises(FarmError, match="already stands for another job") as refused:
        head.client.submit(job | {"priority": 1})
    assert refused.value.status == 409


def test_users_act_on_their_own_jobs_only(start_head, make_job):
    head = start_head()
    head.client.submit(job_to_dict(make_job(plan={"seconds_per_frame": 0.1})))
    guest = FarmClient(head.url, add_user(head.state / "tokens.json", name="guest", role="submit"))
    with pytest.raises(FarmError, match="belongs to owner") as refused:
        guest.act("shot", "cancel")
    assert refused.value.status == 403
    with pytest.raises(FarmError, match="belongs to owner"):
        guest.prioritise("shot", 100)
    assert head.client.prioritise("shot", 70)["priority"] == 70
    assert head.client.act("shot", "cancel")["state"] == "cancelled"
    assert guest.forget_jobs(older_than_days=0)["jobs"] == []


def test_second_head_on_one_ledger_is_refused(start_head, roots):
    head = start_head()
    second = subprocess.run(
        [sys.executable, str(SCRIPT), str(head.state), str(head.site), "this-machine"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert "another farm head holds this ledger" in second.stderr


@pytest.mark.parametrize("backend", ["this-machine", "ray"])
def test_killed_head_resumes_and_renders_no_finished_frame_again(start_head, make_job, roots, backend):
    head = start_head(backend)
    job = make_job(frames="1-60", chunk_size=20, plan={"seconds_per_frame": 0.03})
    head.client.submit(job_to_dict(job))
    wait_for(head.client, "shot", ("active",), done=10)
    head.end(signal.SIGKILL)
    folder = roots.folders["site"] / "shot"
    time.sleep(0.3)  # Ray's workers end with their driver
    standing = {path.name: path.read_bytes() for path in folder.glob("frame.*.png")}
    assert 10 <= len(standing) < 60
    restarted = start_head(backend)
    report = wait_for(restarted.client, "shot")
    assert report["state"] == "completed"
    assert report["frames"] == {"completed": 60}
    executions = [int(line) for line in (folder / "executions.txt").read_text().split()]
    assert len(executions) <= 60 + 2  # a frame that was published in the last instant may lack its line, never its file
    assert {path.name for path in folder.glob("frame.*.png")} == {f"frame.{frame:04d}.png" for frame in range(1, 61)}
    assert all((folder / name).read_bytes() == content for name, content in standing.items())
    assert all(row["failures"] == 0 for row in restarted.client.frames("shot"))
    assert restarted.end(signal.SIGTERM) == 0


def test_stopped_head_gives_its_work_back(start_head, make_job):
    head = start_head()
    head.client.submit(job_to_dict(make_job(frames="1-60", plan={"seconds_per_frame": 0.03})))
    wait_for(head.client, "shot", ("active",), done=3)
    assert head.end(signal.SIGINT) == 0
    again = start_head()
    assert wait_for(again.client, "shot")["frames"] == {"completed": 60}


def test_commands_talk_to_the_head(start_head, make_job, tmp_path, capsys):
    head = start_head()
    reach = Reach(connection=head.state / "connection.json")
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps(job_to_dict(make_job(plan={"raise": {"3": 9}}, max_retries_per_frame=0))))
    report = COMMANDS["submit"](job_file, watch=True, reach=reach)
    assert report["state"] == "failed"
    assert report["exit_code"] == 1
    assert COMMANDS["list"](reach=reach)["jobs"][0]["id"] == "shot"
    assert COMMANDS["status"]("shot", reach=reach)["failed_frames"][0]["frame"] == 3
    texts = [line["text"] for line in COMMANDS["logs"]("shot", reach=reach)["lines"]]
    assert any("told to fail" in text for text in texts)
    (head.site / "shot" / "plan.json").write_text("{}")
    assert COMMANDS["retry"]("shot", watch=True, reach=reach)["state"] == "completed"
    assert COMMANDS["list"](watch=True, reach=reach)["jobs"][0]["state"] == "completed"
    assert "completed  20/20 frames" in capsys.readouterr().out
