"""What the head refuses, each with its reason, before any work: no row in the ledger, no order, no file.

The head's application runs over real HTTP with its real preflight, a site that could render, and a scheduler that would
hand out whatever had got into the ledger. After every refusal all of them must be as they were.
"""

import http.client
import json
import os
import pickle
import resource
import struct
import threading
import time
import zipfile
from types import SimpleNamespace

import pytest
import uvicorn
from render_site import CROP, FIRST, make_site, pass_frame

from dvp_core.data.camera import Crop
from dvp_core.data.job import job_from_dict
from dvp_core.passes import pass_path, write_pass_frame
from farm.api import Site, make_app
from farm.client import FarmClient, FarmError
from farm.ledger import Ledger
from farm.preflight import check_job
from farm.scheduler import Scheduler
from farm.tokens import add_user, remove_user

JOB = {
    "id": "shot",
    "name": "Shot",
    "frames": f"{FIRST + 5}-{FIRST + 8}",
    "passes": "site:passes",
    "generator": "site:actor.safetensors",
    "output": "site:shot/frame.####.png",
}
FRAME = FIRST + 2  # before the job's frames, and in their window
FAR_SIDE_PX = 60_000


class NoWorker:
    """A backend with an idle worker, which nobody may give an order."""

    def idle_workers(self):
        return ("worker",)

    def poll(self, *, timeout_s):
        return []

    def start(self, worker, order):
        raise AssertionError(f"{order.job_id} was handed out")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals")
    roots = make_site(folder / "site")
    with Ledger(folder / "state" / "ledger.sqlite", clock=lambda: 1000.0) as ledger:
        tokens = folder / "state" / "tokens.json"
        token = add_user(tokens, name="anna", role="submit")
        app = make_app(Site(ledger, tokens, lambda job: check_job(job, roots), roots=roots))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        scheduler = Scheduler(ledger, NoWorker(), roots)
        yield SimpleNamespace(
            port=port,
            token=token,
            tokens=tokens,
            site=folder / "site",
            outside=folder,
            roots=roots,
            ledger=ledger,
            scheduler=scheduler,
            client=FarmClient(f"http://127.0.0.1:{port}", token),
        )
        server.should_exit = True
        thread.join()


def everything(head):
    rows = [tuple(row) for row in head.ledger.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counts = {name: head.ledger.rows(f"SELECT COUNT(*) FROM {name}")[0][0] for (name,) in rows}
    files = {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in head.outside.rglob("*")}
    return counts, {path: facts for path, facts in files.items() if "state" not in path.parts and path.is_file()}


@pytest.fixture
def refused(head):
    """Return a function that submits a job and gives the reason for which it was refused, having changed nothing."""

    def submit(*, match, status=400, client=None, body=None, **changes):
        before = everything(head)
        if body is None:
            with pytest.raises(FarmError, match=match) as refusal:
                (client or head.client).submit(JOB | changes)
            assert refusal.value.status == status
        else:
            answer, text = put(head, body)
            assert answer == status, text
            assert match in json.loads(text)["error"]
        head.scheduler.step(timeout_s=0)
        assert everything(head) == before
        return True

    return submit


def put(head, body):
    connection = http.client.HTTPConnection("127.0.0.1", head.port, timeout=30)
    headers = {"Authorization": f"Bearer {head.token}", "Content-Type": "application/json"}
    try:
        connection.request("PUT", "/api/v1/jobs/shot", body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def spoilt(head):
    """Return a function that puts other bytes in place of a file of the site until the test is over."""
    kept = {}

    def write(path, content):
        kept[path] = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        return path

    yield write
    for path, content in kept.items():
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)


def test_the_job_itself_would_be_taken(head):
    check_job(job_from_dict(JOB), head.roots)


@pytest.mark.parametrize("token", ["", "wrong", "ä", "x" * 600])
def test_missing_and_wrong_token(head, refused, token):
    header = token.encode("utf-8").decode("latin-1")
    assert refused(match="token", status=401, client=FarmClient(head.client.url, header))


def test_revoked_token(head, refused):
    client = FarmClient(head.client.url, add_user(head.tokens, name="ben", role="submit"))
    assert client.jobs() == []
    remove_user(head.tokens, name="ben")
    assert refused(match="token", status=401, client=client)


def test_unreadable_token_file_lets_nobody_in(head, refused, spoilt):
    content = head.tokens.read_bytes()
    head.tokens.write_bytes(b"{")
    try:
        assert refused(match="who may call", status=503)
    finally:
        head.tokens.write_bytes(content)


BAD_PATHS = [
    *("site:../x", "site:a/../../x", "site:..", "/etc/passwd", "site:/etc/passwd", "file:///etc/passwd"),
    *("file:/etc/passwd", "https://farm.example/x", "C:\\x", "site:a\\..\\x", "site:a\0b", "site:a\nb", "site:C:/x"),
    *("", "site:", "site", ":x", "other:x", "site:" + "x" * 300, "site:" + "x/" * 600, "site:\ud800", "$HOME/x", "~/x"),
    *(7, None, True, ["site:x"], {"site": "x"}),
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: ascii(path)[:30])
@pytest.mark.parametrize("name", ["passes", "generator", "output", "plate", "unedited", "consent"])
def test_path_that_leaves_its_root_or_is_none(refused, name, path):
    if path is not None or name in ("passes", "generator", "output"):
        assert refused(match=f"'{name}'", **{name: path})


@pytest.mark.parametrize("name", ["passes", "generator", "output", "consent"])
def test_symbolic_link_out_of_the_root(head, refused, name):
    link, loop = head.site / "way_out", head.site / "loop"
    link.symlink_to(head.outside)
    loop.symlink_to(loop)
    try:
        ending = {"passes": "passes", "output": "frame.####.png"}.get(name, "x.safetensors")
        assert refused(match=f"'{name}'.*symbolic link", **{name: f"site:way_out/{ending}"})
        assert refused(match=f"'{name}'.*cannot be followed", **{name: f"site:loop/{ending}"})
    finally:
        link.unlink()
        loop.unlink()


TOO_MUCH = [
    *(("name", ""), ("name", "x" * 201), ("name", "\ud800")),
    *(("notes", "x" * 10_001), ("notes", 5), ("frames", "1-2000000"), ("frames", ",".join(["1-999999"] * 9000))),
    *(("frames", "1," * 50_001), ("frames", "5-1"), ("frames", "1-9x0"), ("frames", ""), ("frames", "٣")),
    *(("priority", 101), ("priority", -1), ("priority", True), ("priority", "9"), ("priority", 1e300)),
    *(("chunk_size", 0), ("max_retries_per_frame", 101), ("max_failed_frames", -1), ("is_movie_wanted", 1)),
    *(("schema_version", 2), ("schema_version", True), ("inputs_sha256", []), ("inputs_sha256", {"generator": "x"})),
    *(("command", "rm -rf /"), ("webhook", "http://127.0.0.1:22"), ("env", {"LD_PRELOAD": "x"}), ("__class__", "x")),
]


@pytest.mark.parametrize(("name", "value"), TOO_MUCH, ids=lambda value: ascii(value)[:24])
def test_field_that_is_unknown_or_beyond_its_limit(refused, name, value):
    started_s = time.monotonic()
    assert refused(match=name, **{name: value})
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("job_id", ["x" * 65, "../x", "", "a b", "-x", "other", 7])
def test_id_that_is_none_or_another_than_in_the_address(refused, job_id):
    assert refused(match="'id'", body=json.dumps(JOB | {"id": job_id}))


BAD_BODIES = [
    *((b"[" * 100_000, "JSON"), (b'{"a":' * 100_000, "JSON"), (b"[" * 100_000 + b"]" * 100_000, "JSON")),
    *((b'{"id": "shot", "id": "x"}', "twice"), (b'{"priority": NaN}', "NaN"), (b'{"priority": -Infinity}', "Infinity")),
    *(
        (b'{"priority": ' + b"9" * 5000 + b"}", "JSON"),
        (b"\xff\xfe{}", "JSON"),
        (b"", "JSON"),
        (b"null", "JSON object"),
    ),
    *((b"[]", "JSON object"), (b'"shot"', "JSON object"), (b"{}", "lacks field")),
]


@pytest.mark.parametrize(("body", "reason"), BAD_BODIES, ids=lambda value: ascii(value)[:24])
def test_body_that_is_no_job(refused, body, reason):
    assert refused(match=reason, body=body)


def test_body_beyond_a_megabyte(refused):
    assert refused(match="larger than", body=b" " * ((1 << 20) + 1), status=413)


class Payload:
    def __reduce__(self):
        return (os.mkdir, (str(os.environ["PYTEST_CURRENT_TEST"]),))


def zip_of(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
    return (tmp_path / "archive.pt").read_bytes()


def headed(header):
    """Return a safetensors file without weights."""
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content


FAKES = {
    "pickle": (lambda folder: pickle.dumps(Payload()), "no safetensors"),
    "old pickle": (lambda folder: pickle.dumps(Payload(), protocol=0), "no safetensors"),
    "pickle in a zip": (zip_of, "no safetensors"),
    "empty": (lambda folder: b"", "no safetensors"),
    "huge claim": (lambda folder: struct.pack("<Q", 1 << 60) + b"{}", "no safetensors"),
    "claim beyond the file": (lambda folder: struct.pack("<Q", 99_000_000) + b"{}", "no safetensors"),
    "deep header": (lambda folder: struct.pack("<Q", 60_000) + b"[" * 60_000, "JSON"),
    "other network": (lambda folder: headed({}), "no description"),
    "other kind": (lambda folder: headed({"__metadata__": {"dvp": '{"kind": "dvp-take"}'}}), "no generator of version"),
}


@pytest.mark.parametrize("fake", FAKES)
def test_generator_that_is_none(head, refused, spoilt, tmp_path, fake):
    make, reason = FAKES[fake]
    spoilt(head.site / "fake.safetensors", make(tmp_path))
    assert refused(match=f"'generator'.*{reason}", generator="site:fake.safetensors")
    spoilt(head.site / "fake.pt", make(tmp_path))
    assert refused(match=r"'generator'.*not a \*.safetensors", generator="site:fake.pt")


def test_generator_that_is_not_the_one_the_job_names(refused):
    assert refused(match="'generator'.*not the one", inputs_sha256={"generator": "a" * 64})
    assert refused(match="'passes'.*pinned", inputs_sha256={"passes": "a" * 64})


def with_window(content, side_px):
    """Return an OpenEXR file's bytes whose header claims a square of another size."""
    claimed = struct.pack("<4i", 0, 0, side_px - 1, side_px - 1)
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        start = content.index(name) + len(name) + 4
        content = content[:start] + claimed + content[start + 16 :]
    return content


def test_bomb_among_the_passes_is_refused_without_taking_memory(head, refused, spoilt):
    path = pass_path(head.site / "passes", FRAME)
    spoilt(path, with_window(path.read_bytes(), FAR_SIDE_PX))
    assert path.stat().st_size < 100_000
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(match=f"'passes': claims a picture of {FAR_SIDE_PX} x {FAR_SIDE_PX}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 50_000


def test_bomb_that_nobody_would_read_does_no_harm(head, spoilt):
    path = pass_path(head.site / "passes", FIRST + 20)
    spoilt(path, with_window(path.read_bytes(), FAR_SIDE_PX))
    check_job(job_from_dict(JOB), head.roots)


def other_passes(folder, **changes):
    frame = pass_frame(changes.pop("frame", FRAME))
    write_pass_frame(folder / "other.exr", type(frame)(**{**frame.__dict__, **changes}))
    return (folder / "other.exr").read_bytes()


SPOILT_PASSES = {
    "empty": (lambda folder, content: b"", "no OpenEXR"),
    "a text": (lambda folder, content: b"no picture", "no OpenEXR"),
    "cut in its header": (lambda folder, content: content[:60], "damaged header"),
    "larger than its crop": (lambda folder, content: with_window(content, 64), "whole crop"),
    "another frame": (lambda folder, content: other_passes(folder, frame=FRAME + 1), f"holds frame {FRAME + 1}"),
    "another crop": (lambda folder, content: other_passes(folder, crop=Crop(5, 0, 32, CROP.resolution_px)), "shows"),
    "another face": (lambda folder, content: other_passes(folder, face_model_sha256="9" * 64), "another face model"),
}


@pytest.mark.parametrize("spoiling", SPOILT_PASSES)
def test_passes_that_cannot_be_painted_from(head, refused, spoilt, tmp_path, spoiling):
    make, reason = SPOILT_PASSES[spoiling]
    path = pass_path(head.site / "passes", FRAME)
    spoilt(path, make(tmp_path, path.read_bytes()))
    assert refused(match=f"'passes'.*{reason}")


def test_frames_without_passes(refused):
    assert refused(match="'frames': frame 99 has no passes", frames="99-105")
