"""An edited shot in the place of its last version: only what changed is rendered, and the number comes first."""

import json
import signal

import pytest
import stub_task
from head_process import Head
from render_site import FIRST, make_site, pass_frame
from test_commands import dvp

from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import job_to_dict
from dvp_core.data.passes import WINDOW_FRAMES
from dvp_core.passes import pass_path, write_pass_frame
from farm.backends.on_this_machine import OnThisMachine
from farm.compile import Opening
from farm.ledger import Ledger
from farm.local import run_job
from farm.opening import opening_of
from farm.preflight import check_job
from farm.reports import frame_list, job_report
from farm.scheduler import Scheduler

SHOT_LENGTH = 60
EDITED = range(FIRST + 20, FIRST + 33)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as opened:
        yield opened


def files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("frame.*.png")}


def test_thirteen_edited_frames_render_what_their_windows_reach(tmp_path, job_on):
    roots = make_site(tmp_path / "long_site", last=FIRST + SHOT_LENGTH - 1)
    site = roots.folders["site"]
    frames = f"{FIRST}-{FIRST + SHOT_LENGTH - 1}"
    options = {"roots": roots, "state_folder": tmp_path / "state", "backend": "this-machine"}
    first = run_job(job_on("v1", frames=frames, output="site:shot/frame.####.png"), **options)
    assert (first["state"], first["planned"]) == ("completed", {"to_render": SHOT_LENGTH, "kept": 0})
    before = files(site / "shot")
    for frame in EDITED:
        write_pass_frame(pass_path(site / "passes", frame), pass_frame(frame, seed=5))
    plan = run_job(job_on("dry", frames=frames, output="site:shot/frame.####.png", task="plan"), **options)
    expected = len(EDITED) + WINDOW_FRAMES - 1  # the generator looks back
    assert (plan["state"], plan["planned"]) == ("completed", {"to_render": expected, "kept": SHOT_LENGTH - expected})
    assert files(site / "shot") == before
    second = run_job(job_on("v2", frames=frames, output="site:shot/frame.####.png"), **options)
    assert (second["state"], second["planned"]) == ("completed", plan["planned"])
    after = files(site / "shot")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"frame.{frame:04d}.png" for frame in range(EDITED[0], EDITED[-1] + WINDOW_FRAMES)}
    full = run_job(job_on("full", frames=frames), **options)
    assert full["state"] == "completed"
    bytes_of = {name: content for name, (content, _) in after.items()}
    assert bytes_of == {name: content for name, (content, _) in files(site / "full").items()}
    manifest = json.loads((site / "shot" / "manifest.json").read_text())
    assert len(manifest["frames"]) == SHOT_LENGTH
    assert sum(entry["seconds"] > 0 for entry in manifest["frames"]) == expected


def test_a_plan_loads_no_network(site, job_on, tmp_path, monkeypatch):
    options = {"roots": site, "state_folder": tmp_path / "state", "backend": "this-machine"}
    run_job(job_on("shot"), **options)
    monkeypatch.setattr("farm.worker.open_shot", lambda *words, **named: pytest.fail("a network was loaded"))
    report = run_job(job_on("dry", output="site:shot/frame.####.png", task="plan"), **options)
    assert report["planned"] == {"to_render": 0, "kept": 30}


def test_what_a_plan_cannot_read_is_to_be_rendered(site, job_on, tmp_path):
    options = {"roots": site, "state_folder": tmp_path / "state", "backend": "this-machine"}
    run_job(job_on("shot"), **options)
    pass_path(site.folders["site"] / "passes", 120).write_bytes(b"damaged")
    report = run_job(job_on("v2", output="site:shot/frame.####.png"), **options)
    assert report["planned"] == {"to_render": WINDOW_FRAMES, "kept": 30 - WINDOW_FRAMES}
    assert (report["state"], report["is_held"]) == ("paused", True)  # until the file is mended
    assert "passes.0120.exr" in report["message"]


def test_a_plan_comes_first_and_frames_to_be_rendered_anew_are_no_part_of_it(ledger, roots, make_job):
    job = make_job(frames="1-30", chunk_size=8)
    ledger.submit(job, owner="a", opening=opening_of(job, roots))
    assert job_report(ledger, "shot")["planned"] == {"to_render": 30, "kept": 0}
    scheduler = Scheduler(ledger, OnThisMachine(stub_task.run_order, worker_count=2), roots)

    def run(job_id):
        while job_report(ledger, job_id)["state"] in ("queued", "active"):
            scheduler.step(timeout_s=0)
        return job_report(ledger, job_id)

    run("shot")
    (roots.folders["site"] / "shot" / "frame.0005.png").unlink()
    again = make_job("again", frames="1-30", output="site:shot/frame.####.png", chunk_size=8)
    opening = opening_of(again, roots)
    assert opening == Opening((1, 16, 30, *opening.first_frames[3:]), has_frames=True)
    ledger.submit(again, owner="a", opening=opening)
    assert job_report(ledger, "again")["planned"] is None
    assert run("again")["planned"] == {"to_render": 1, "kept": 29}
    assert ledger.rows("SELECT task FROM attempts WHERE job_id = 'again' ORDER BY id")[0]["task"] == "plan.000000"
    ledger.act("again", "rerender", frames=FrameRange.parse("7-9"))
    report = run("again")
    assert (report["state"], report["planned"]) == ("completed", {"to_render": 3, "kept": 27})
    executions = (roots.folders["site"] / "shot" / "executions.txt").read_text().split()
    assert len(executions) == 30 + 1 + 3
    assert all(row["state"] == "completed" for row in frame_list(ledger, "again"))


def test_a_plan_may_stand_beside_a_job_of_the_same_output(ledger, make_job):
    ledger.submit(make_job(), owner="a")
    ledger.submit(make_job("dry", output="site:shot/frame.####.png", task="plan"), owner="a")
    with pytest.raises(DataError, match="writes to the same output"):
        ledger.submit(make_job("other", output="site:shot/frame.####.png"), owner="a")


def test_the_command_says_the_number_and_renders_nothing(tmp_path, roots, make_job):
    job_file = tmp_path / "job.json"
    job = make_job(frames="1-40")
    job_file.write_text(json.dumps(job_to_dict(job)))
    head = Head(tmp_path / "state", roots.folders["site"], "this-machine").start()
    try:
        connection = ["--connection", tmp_path / "state" / "connection.json"]
        assert dvp("submit", job_file, "--watch", *connection).returncode == 0
        (roots.folders["site"] / "shot" / "frame.0040.png").unlink()
        done = dvp("submit", job_file, "--dry-run", "--json", *connection)
    finally:
        head.end(signal.SIGTERM)
    assert done.returncode == 0
    assert "(1 to render, 39 kept)" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["planned"] == {"to_render": 1, "kept": 39}
    assert not (roots.folders["site"] / "shot" / "frame.0040.png").exists()


def test_preflight_holds_for_a_plan_too(site, job_on):
    with pytest.raises(DataError, match="has no passes"):
        check_job(job_on("shot", frames="100-102", task="plan"), site)
