"""What the page asks a real head for: signing in by a code, jobs as runs of states, frames, pictures, headers."""

import hashlib
import http.client
import json
import os
import signal
import time

import pytest
from head_process import SCRIPT, Head

from dvp_core.data.job import Job, job_to_dict
from farm.client import FarmClient
from farm.page_files import PAGE_POLICY, page_files
from farm.tokens import add_user, remove_user

pytestmark = pytest.mark.xdist_group("farm-page")  # one head for the file
FAILING = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "site").mkdir()
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parent), before])
    head = Head(folder / "state", folder / "site", "this-machine").start()
    os.environ["PYTHONPATH"] = before
    yield head
    assert head.end(signal.SIGTERM) == 0


def submit(head, job_id, *, plan, until=("completed", "failed", "cancelled"), **changes):
    folder = head.site / job_id
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(plan))
    paths = {"passes": "site:p", "generator": "site:g.safetensors", "output": f"site:{job_id}/frame.####.png"}
    settings = {"id": job_id, "name": job_id, "frames": "1-20", "chunk_size": 5} | paths | changes
    head.client.submit(job_to_dict(Job(**settings)))
    end_s = time.monotonic() + 30
    while (report := head.client.job(job_id))["state"] not in until:
        assert time.monotonic() < end_s, report
        time.sleep(0.03)
    return job_id


@pytest.fixture(scope="module")
def finished(head):
    return submit(head, "finished", plan={"pictures": True})


@pytest.fixture(scope="module")
def failed(head):
    plan = {"pictures": True, "raise": {"7": 9}}
    return submit(head, "failed", name=FAILING, frames="1-9,20-40x5", plan=plan, max_retries_per_frame=1)


def call(head, method, path, *, token=None, body=None, headers=None):
    sent = {"Authorization": f"Bearer {head.client.token if token is None else token}"} | (headers or {})
    if token == "":
        del sent["Authorization"]
    content = None if body is None else json.dumps(body)
    if content is not None:
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(head.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body=content, headers=sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def asked(head, path, **options):
    status, _, content = call(head, "GET", f"/api/v1{path}", **options)
    assert status == 200, content
    return json.loads(content)


def sign_in(head, code):
    status, _, content = call(head, "POST", "/api/v1/sessions", token="", body={"code": code})
    return status, json.loads(content)


# ---- the page itself


@pytest.mark.parametrize("path", ["/", *sorted(page_files())])
def test_files_are_open_and_carry_the_policy(head, path):
    status, headers, content = call(head, "GET", path, token="")
    assert status == 200
    assert content == page_files()[path][0]
    assert headers["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/page/", "/page/../api.py", "/page/%2e%2e/api.py", "/page/nothing.js", "/openapi.json"]
)
def test_nothing_else_is_open(head, path):
    assert call(head, "GET", path, token="")[0] == 401


def test_no_file_holds_inline_code_or_reaches_elsewhere():
    for path, (content, kind) in page_files().items():
        text = content.decode()
        assert "innerHTML" not in text, path
        assert "style=" not in text, path
        places = [line for line in text.splitlines() if "://" in line and "http://www.w3.org/" not in line]
        assert places == [], path
        assert "charset=utf-8" in kind or kind == "image/svg+xml"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/version", "/api/v1/jobs", "/api/v1/overview", "/nowhere"])
@pytest.mark.parametrize("token", [None, ""])
def test_every_answer_carries_the_headers_and_no_permission_for_other_sites(head, path, token):
    _, headers, _ = call(head, "GET", path, token=token, headers={"Origin": "http://elsewhere.example"})
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-frame-options"] == "DENY"
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "set-cookie" not in headers


# ---- signing in


def test_a_code_signs_in_once(head):
    status, made = sign_in(head, head.client.session_code())
    assert status == 201
    assert (made["user"], made["role"]) == ("owner", "operate")
    assert asked(head, "/session", token=made["token"]) == {"user": "owner", "role": "operate"}
    code = head.client.session_code()
    assert sign_in(head, code)[0] == 201
    assert sign_in(head, code)[0] == 401


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": "x" * 43}, {"code": 5}, {"code": "x" * 201}, {"token": "x"}]
)
def test_what_is_no_code_signs_nobody_in(head, body):
    status, _, content = call(head, "POST", "/api/v1/sessions", token="", body=body)
    assert status in (401, 422)
    assert json.loads(content)["error"]


def test_a_session_ends_when_asked_and_opens_no_other(head):
    _, made = sign_in(head, head.client.session_code())
    assert call(head, "POST", "/api/v1/session-codes", token=made["token"], body={})[0] == 403
    status, _, content = call(head, "DELETE", "/api/v1/session", token=made["token"])
    assert (status, json.loads(content)) == (200, {"ended": True})
    assert call(head, "GET", "/api/v1/session", token=made["token"])[0] == 401


def test_a_session_ends_with_its_users_token(head):
    tokens = head.state / "tokens.json"
    guest = FarmClient(head.url, add_user(tokens, name="guest", role="submit"))
    _, made = sign_in(head, guest.session_code())
    assert asked(head, "/session", token=made["token"])["role"] == "submit"
    add_user(tokens, name="guest", role="operate")  # another token
    assert call(head, "GET", "/api/v1/session", token=made["token"])[0] == 401
    remove_user(tokens, name="guest")


def test_sessions_are_kept_as_hashes_in_a_private_file(head):
    code = head.client.session_code()
    _, made = sign_in(head, code)
    path = head.state / "sessions.json"
    assert path.stat().st_mode & 0o077 == 0
    assert made["token"] not in path.read_text()
    assert code not in path.read_text()


# ---- watching


def test_overview_tells_jobs_and_workers(head, finished):
    content = asked(head, "/overview")
    job = next(job for job in content["jobs"] if job["id"] == finished)
    report = head.client.job(finished)
    assert job["frames"] == report["frames"] == {"completed": 20}
    assert job["seconds_per_frame"] == pytest.approx(report["seconds_per_frame"])
    assert {worker["name"] for worker in content["workers"]} == {"local-1", "local-2"}
    assert content["machines"][0]["is_alive"]
    assert content["dashboard_url"] is None


def test_frames_come_as_runs_in_the_shots_order(head, failed):
    content = asked(head, f"/jobs/{failed}/page")
    numbers = [number for first, last, step in content["spans"] for number in range(first, last + 1, step)]
    states = [content["states"][index] for many, index in content["runs"] for _ in range(many)]
    rows = head.client.frames(failed)
    assert numbers == [row["frame"] for row in rows]
    assert states == [row["state"] for row in rows]
    assert states[6] == "failed"
    assert content["job"]["name"] == FAILING
    plotted = [point[0] for point in content["plot"]]
    assert plotted == [row["frame"] for row in rows if row["state"] == "completed"]


def test_answer_is_304_until_something_changes(head, finished):
    status, headers, content = call(head, "GET", f"/api/v1/jobs/{finished}/page")
    tag = {"If-None-Match": headers["etag"]}
    again = call(head, "GET", f"/api/v1/jobs/{finished}/page", headers=tag)
    assert (status, again[0], again[2]) == (200, 304, b"")
    head.client.act(finished, "retry", frames="3")
    end_s = time.monotonic() + 20
    while head.client.job(finished)["state"] != "completed":
        assert time.monotonic() < end_s
        time.sleep(0.03)
    status, headers, later = call(head, "GET", f"/api/v1/jobs/{finished}/page", headers=tag)
    assert status == 200
    assert later != content


def test_a_frame_tells_its_attempts_with_their_reasons(head, failed):
    content = asked(head, f"/jobs/{failed}/frames/7")
    assert content["frame"]["state"] == "failed"
    assert content["frame"]["failures"] == 2
    assert [attempt["state"] for attempt in content["attempts"]] == ["failed", "failed"]
    assert all("told to fail" in attempt["lines"][0]["text"] for attempt in content["attempts"])
    ids = [attempt["id"] for attempt in content["attempts"]]
    assert ids == sorted(ids, reverse=True)
    whole = asked(head, f"/jobs/{failed}/journal?attempt={ids[0]}")["lines"]
    assert [line["attempt"] for line in whole] == [ids[0]]
    assert len(asked(head, f"/jobs/{failed}/journal?limit=2")["lines"]) == 2


@pytest.mark.parametrize("path", ["/page", "/frames/1", "/journal", "/pictures/frames/1", "/pictures/contact-sheet"])
def test_unknown_jobs_are_named(head, path):
    status, _, content = call(head, "GET", f"/api/v1/jobs/nobody{path}")
    assert status == 404
    assert "no such job" in json.loads(content)["error"]
    assert call(head, "GET", f"/api/v1/jobs/nobody{path}", token="")[0] == 401


@pytest.mark.parametrize("frame", ["0", "99999999999999999999", "x", "../7"])
def test_frames_that_are_none_get_an_answer(head, finished, frame):
    for path in (f"/jobs/{finished}/frames/{frame}", f"/jobs/{finished}/pictures/frames/{frame}"):
        status, _, content = call(head, "GET", f"/api/v1{path}")
        assert status in (404, 422)
        assert json.loads(content)


# ---- pictures


def test_pictures_are_the_files_that_were_rendered(head, finished):
    for path, name in (("frames/5", "frame.0005.png"), ("contact-sheet", "contact.png")):
        status, headers, content = call(head, "GET", f"/api/v1/jobs/{finished}/pictures/{path}")
        file = (head.site / finished / name).read_bytes()
        assert status == 200
        assert content == file
        assert headers["content-type"] == "image/png"
        assert headers["etag"] == f'"{hashlib.sha256(file).hexdigest()}"'
        tag = {"If-None-Match": headers["etag"]}
        assert call(head, "GET", f"/api/v1/jobs/{finished}/pictures/{path}", headers=tag)[0] == 304


def secret_beside(file, folder):
    secret = folder / "secret.png"
    secret.write_bytes(file.read_bytes()[:-4] + b"else")
    return secret


@pytest.mark.parametrize("trick", ["gone", "changed", "link in the root", "link out of the root", "pipe", "large"])
def test_another_file_in_a_frames_place_is_not_served(head, tmp_path, trick):
    name = submit(head, f"trick-{trick.replace(' ', '-')}", frames="1-2", plan={"pictures": True})
    file = head.site / name / "frame.0001.png"
    inside, outside = (secret_beside(file, folder) for folder in (head.site / name, tmp_path))
    file.unlink()
    if trick == "changed":
        file.write_bytes(inside.read_bytes())
    elif trick == "pipe":
        os.mkfifo(file)
    elif trick == "large":
        with open(file, "wb") as stream:
            stream.truncate((64 << 20) + 1)
    elif trick != "gone":
        file.symlink_to(inside if "in the" in trick else outside)
    status, headers, content = call(head, "GET", f"/api/v1/jobs/{name}/pictures/frames/1")
    assert status in (400, 409)
    assert headers["content-type"] == "application/json"
    assert "frame.0001.png" in json.loads(content)["error"]


def test_what_was_rendered_but_is_no_picture_is_not_served(head):
    name = submit(head, "text", frames="1-2", plan={})
    status, _, content = call(head, "GET", f"/api/v1/jobs/{name}/pictures/frames/1")
    assert status == 400
    assert "is not a PNG" in json.loads(content)["error"]
    assert call(head, "GET", f"/api/v1/jobs/{name}/pictures/contact-sheet")[0] == 404
