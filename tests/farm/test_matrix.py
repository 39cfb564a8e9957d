"""One set of bytes: however many workers, however a shot is cut and begun, and however the job came to the farm."""

import hashlib
import itertools
import json

import pytest
from render_site import FIRST
from test_commands import dvp

from dvp_core.data.job import job_to_dict
from dvp_core.pipeline.render_frames import open_shot, render_frames
from dvp_core.pipeline.render_settings import settled_settings
from farm.backends.on_this_machine import OnThisMachine
from farm.compile import Opening
from farm.ledger import Ledger
from farm.local import run_job
from farm.scheduler import Scheduler
from farm.worker import run_order

LENGTH = 12
FRAMES = f"{FIRST}-{FIRST + LENGTH - 1}"
OPENING = Opening((FIRST, FIRST + 6, FIRST + 11, FIRST + 3))
CUTS = list(itertools.product((1, 2, 4), (1, 7, 50, None), (Opening(), OPENING)))


@pytest.fixture
def expected(site):
    """Hashes of a plain loop, in the settings that a farm chooses."""
    folder = site.folders["site"]
    generator = folder / "actor.safetensors"
    shot = open_shot(folder / "passes", generator, settings=settled_settings(folder / "bare", generator))
    list(render_frames(shot, range(FIRST, FIRST + LENGTH), output=folder / "bare" / "frame.####.png"))
    return hashes(site, "bare")


def hashes(site, name):
    paths = sorted((site.folders["site"] / name).glob("frame.*.png"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_workers_cuts_and_order_change_no_byte(site, job_on, expected, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=lambda: 0.0) as ledger:
        for number, (workers, chunk_size, opening) in enumerate(CUTS):
            name = f"cut{number}"
            ledger.submit(job_on(name, frames=FRAMES, chunk_size=chunk_size), owner="a", opening=opening)
            scheduler = Scheduler(ledger, OnThisMachine(run_order, worker_count=workers), site)
            while ledger.finished_count(name) < LENGTH:
                scheduler.step(timeout_s=0)
            ledger.act(name, "cancel")  # the files beside the frames are tested elsewhere
            scheduler.stop(message="enough")
            assert hashes(site, name) == expected, (workers, chunk_size, opening)


def test_the_command_s_bytes_are_the_script_s(site, job_on, expected, tmp_path):
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps(job_to_dict(job_on("command", frames=FRAMES))))
    words = ["run", job_file, "--root", f"site={site.folders['site']}", "--state", tmp_path / "state"]
    assert dvp(*words, "--backend", "this-machine").returncode == 0
    assert hashes(site, "command") == expected


@pytest.mark.xdist_group("ray")
def test_ray_s_bytes_are_the_script_s(site, job_on, expected, tmp_path):
    job = job_on("ray", frames=FRAMES, chunk_size=7)
    report = run_job(job, roots=site, state_folder=tmp_path / "state", workers=2)
    assert report["state"] == "completed", report
    assert hashes(site, "ray") == expected
