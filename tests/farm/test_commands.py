"""`dvp farm` as a user types it: exit codes, JSON last on standard output, and a job without a head."""

import json
import os
import signal
import subprocess
import sys

import pytest

from dvp_core.data.job import job_to_dict


def dvp(*words, environment=None, **options):
    command = [sys.executable, "-m", "dvp_core", "farm", *map(str, words)]
    variables = os.environ | {"DVP_FARM_URL": "", "DVP_FARM_TOKEN": ""} | (environment or {})
    return subprocess.run(command, capture_output=True, text=True, timeout=90, env=variables, **options)


def test_unreachable_head_is_one_error(tmp_path):
    done = dvp("list", "--connection", tmp_path / "none.json", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert "dvp farm head" in told["error"]
    assert told["exit_code"] == 3
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["head"], ["run", "job.json"], ["submit"], ["status"], ["nothing"]])
def test_wrong_call_exits_with_two(words):
    done = dvp(*words, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit_code"] == 2


def test_unsafe_address_is_refused(tmp_path):
    done = dvp("head", "--root", f"site={tmp_path}", "--state", tmp_path / "state", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "--behind-proxy" in done.stderr


def test_open_ray_cluster_is_not_joined(tmp_path):
    words = [
        "head",
        "--root",
        f"site={tmp_path}",
        "--state",
        tmp_path / "state",
        "--port",
        0,
        "--address",
        "127.0.0.1:1",
    ]
    done = dvp(*words, environment={"RAY_AUTH_MODE": "disabled"})
    assert done.returncode == 1
    assert "RAY_AUTH_MODE" in done.stderr
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o644)
    done = dvp(*words, environment={"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)})
    assert done.returncode == 1
    assert "can be read by other users" in done.stderr


def test_job_without_head_names_what_is_missing(tmp_path, make_job, roots):
    (tmp_path / "job.json").write_text(json.dumps(job_to_dict(make_job(max_retries_per_frame=0))))
    words = ["run", tmp_path / "job.json", "--root", f"site={roots.folders['site']}", "--state", tmp_path / "state"]
    done = dvp(*words, "--backend", "this-machine", "--json")
    assert done.returncode == 1
    assert "'generator': names no file" in json.loads(done.stdout)["error"]


def test_head_renders_what_is_submitted(site, job_on, tmp_path):
    folder = site.folders["site"]
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps(job_to_dict(job_on("shot", frames="101-104", is_movie_wanted=True))))
    command = [sys.executable, "-m", "dvp_core", "farm", "head", "--root", f"site={folder}", "--port", "0"]
    command += ["--state", str(tmp_path / "state"), "--backend", "this-machine"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as head:
        assert "starting" in head.stdout.readline()
        assert "takes jobs at http://127.0.0.1:" in head.stdout.readline()
        reach = ["--json", "--connection", tmp_path / "state" / "connection.json"]
        done = dvp("submit", job_file, "--watch", *reach)
        late = dvp("priority", "shot", 70, *reach)
        swept = dvp("gc", "--older-than-days", 0, "--with-files", *reach)
        head.send_signal(signal.SIGINT)
    assert head.returncode == 0
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["state"] == "completed"
    assert "completed" in done.stderr
    assert "completed" in json.loads(late.stdout)["error"]
    (old,) = json.loads(swept.stdout)["jobs"]
    assert (old["id"], old["frame_count"], old["kept_file_count"]) == ("shot", 4, 0)
    assert old["file_count"] == 4 + len(report["files"])
    assert {"manifest.json", "frames.label.json", "contact.png", "shot.mp4"} <= set(report["files"])
    assert all((folder / "shot" / name).is_file() for name in report["files"])
