"""`dvp farm doctor` on sites with one thing wrong at a time; each finding names its remedy."""

import json
import os
import shutil
import sqlite3
import time
from collections import namedtuple

import pytest
from head_process import Head

from dvp_core.cli.main import run
from farm import doctor
from farm.client import FarmClient, FarmError
from farm.doctor import examine_site
from farm.ledger import Ledger
from farm.tokens import add_user

NO_HEAD = FarmError("no head")


@pytest.fixture
def state(tmp_path, make_job):
    folder = tmp_path / "state"
    with Ledger(folder / "ledger.sqlite", clock=time.time) as ledger:
        ledger.submit(make_job(), owner="anna")
    add_user(folder / "tokens.json", name="anna", role="submit")
    return folder


@pytest.fixture
def look(roots, state):
    """Return a function that gives what is not ok, by name."""

    def examine(client=NO_HEAD, **changes):
        found = examine_site(changes.get("roots", roots.folders), changes.get("state", state), client)
        assert all(item.remedy for item in found if item.verdict != "ok")
        return {item.name: item for item in found if item.verdict != "ok"}

    return examine


def test_generator_that_a_job_waits_for_is_missed(look, roots):
    found = look()
    assert set(found) == {"generator stub.safetensors", "head"}
    assert found["generator stub.safetensors"].verdict == "bad"
    (roots.folders["site"] / "left.safetensors").write_bytes(b"no generator")
    assert look()["generator left.safetensors"].verdict == "warn"
    assert "job shot" in look(roots={"other": roots.folders["site"]})


def test_root_that_is_gone_or_not_writable_is_told(look, roots, tmp_path, monkeypatch):
    assert look(roots={"site": tmp_path / "nowhere"})["root site"].verdict == "bad"
    assert list(roots.folders["site"].glob(".dvp*")) == []

    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    assert look()["root site"].verdict == "warn"
    assert look(roots={})["roots"].verdict == "warn"


@pytest.mark.parametrize(("free", "verdict"), [(20 << 30, None), (5 << 30, "warn"), (1 << 20, "bad")])
def test_space_is_told(look, monkeypatch, free, verdict):
    usage = namedtuple("usage", "total used free")(1 << 40, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    found = look().get("space of root site")
    assert (None if found is None else found.verdict) == verdict


@pytest.mark.parametrize("ahead_s", [60.0, -60.0])
def test_clock_that_differs_from_the_storage_is_told(look, monkeypatch, ahead_s):
    own = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: own() - ahead_s)
    found = look()["clock of root site"]
    assert found.verdict == "warn"
    assert ("ahead of" in found.detail) == (ahead_s > 0)
    assert ("clock" in look()) == (ahead_s > 0)  # the ledger's job came from our future


def test_damaged_ledger_is_told(look, state):
    path = state / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[200:20_000] = os.urandom(19_800)
    path.write_bytes(content)
    assert look()["ledger"].verdict == "bad"
    path.write_bytes(b"no database at all, but long enough to be looked at")
    assert look()["ledger"].verdict == "bad"


def test_ledger_of_a_running_head_is_looked_at_without_disturbing_it(look, state, make_job):
    with Ledger(state / "ledger.sqlite", clock=time.time) as ledger:
        assert "ledger" not in look()
        assert ledger.submit(make_job("other"), owner="anna")
    with sqlite3.connect(state / "ledger.sqlite") as database:
        assert database.execute("SELECT COUNT(*) FROM jobs").fetchone() == (2,)
    database.close()


def test_private_file_that_others_read_is_told(look, state):
    (state / "tokens.json").chmod(0o640)
    found = look()["private files"]
    assert found.verdict == "bad"
    assert "chmod 600" in found.remedy


def test_state_on_network_storage_is_told(look, monkeypatch):
    monkeypatch.setattr(doctor, "_storage_of", lambda folder: "nfs4")
    assert "nfs4" in look()["state folder"].detail


def test_storage_is_known_by_the_deepest_mount(tmp_path):
    assert doctor._storage_of(tmp_path) not in ("", "nfs4")


def test_open_or_tokenless_cluster_is_told(look, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    assert look()["Ray's token"].verdict == "bad"


@pytest.mark.parametrize("found", ["2.59.9", "2.61.0", "2.9.3"])
def test_ray_of_another_version_is_told(look, monkeypatch, found):
    monkeypatch.setattr(doctor, "version", lambda name: found)
    assert look()["Ray"].verdict == "bad"


def test_head_that_does_not_answer_or_does_not_know_us_is_told(look, roots, state, capsys, monkeypatch):
    assert look(FarmClient("http://127.0.0.1:9", "x", timeout_s=2))["head"].verdict == "warn"
    head = Head(state, roots.folders["site"], "this-machine").start()
    try:
        assert "head" not in look(head.client)
        stranger = look(FarmClient(head.url, "wrong"))["head"]
        assert stranger.verdict == "bad"
        assert "dvp farm user add" in stranger.remedy
        monkeypatch.setenv("DVP_FARM_URL", "")
        monkeypatch.setenv("DVP_FARM_TOKEN", "")
        (roots.folders["site"] / "broken.safetensors").write_bytes(b"x")
        while head.client.job("shot")["state"] != "completed":
            time.sleep(0.05)
        assert run(["farm", "doctor", "--state", str(state), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["ready"]
        names = {item["name"] for item in told["findings"]}
        assert {"root site", "ledger", "head", "generator broken.safetensors"} <= names  # the head has left its roots
    finally:
        head.end(9)


def test_wrong_root_is_named(capsys):
    assert run(["farm", "doctor", "--root", "nonsense", "--json"]) == 1
    assert "nonsense" in json.loads(capsys.readouterr().out)["error"]


def test_doctor_of_the_machine_looks_at_the_farm_too(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("dvp_core.cli.doctor.examine", lambda: [])  # it starts Blender and torch
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("DVP_FARM_URL", "DVP_FARM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert run(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"ledger", "Ray", "head"} <= {item["name"] for item in told["farm"]["findings"]}
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    assert run(["doctor", "--json"]) == 1
