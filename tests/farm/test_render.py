"""The farm with a real generator, passes and labels: the same bytes however a job is cut and wherever it runs."""

import dataclasses
import hashlib
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from render_site import FIRST, LAST, SIZE, pass_frame

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.render_settings import RenderSettings, claim_render_settings, read_render_settings
from dvp_core.passes import pass_path, write_pass_frame
from dvp_core.pipeline.render_frames import frame_key, missing_passes, open_shot, render_frames
from dvp_core.video import open_clip, write_png
from farm.local import run_job
from farm.preflight import check_job


def hashes(site, name):
    paths = sorted((site.folders["site"] / name).glob("frame.*.png"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def run(job, site, tmp_path, **options):
    check_job(job, site)
    return run_job(job, roots=site, state_folder=tmp_path / "state" / job.id, **options)


class WorkerKiller:
    """A listener to progress that ends one of this process's Ray workers once the first frames are there."""

    def __init__(self):
        self.victims = []

    def __call__(self, stage, done, total):
        if done == 0 or self.victims or "RAY_AUTH_TOKEN_PATH" not in os.environ:
            return
        for entry in Path("/proc").iterdir():
            name = (entry / "cmdline").read_bytes() if (entry / "cmdline").exists() else b""
            token = os.environ["RAY_AUTH_TOKEN_PATH"]  # names this process's own cluster
            if name.startswith(b"ray::WorkerProcess") and token in (entry / "environ").read_text():
                self.victims.append("ray::WorkerProcess")
                os.kill(int(entry.name), signal.SIGKILL)
                return


@pytest.mark.xdist_group("ray")
def test_one_set_of_bytes_for_every_cut_and_backend(site, job_on, tmp_path):
    folder = site.folders["site"]
    settings = RenderSettings(batch_size=3)
    shot = open_shot(folder / "passes", folder / "actor.safetensors", settings=settings)
    list(render_frames(shot, range(FIRST, LAST + 1), output=folder / "bare" / "frame.####.png"))
    for name, chunk_size, backend, workers in [
        ("a", 1, "this-machine", 2),
        ("b", 50, "this-machine", 1),
        ("c", 7, "ray", 2),
    ]:
        job = job_on(name, chunk_size=chunk_size)
        claim_render_settings(folder / name, settings)
        killer = WorkerKiller()
        report = run(job, site, tmp_path, backend=backend, workers=workers, progress=killer)
        assert report["state"] == "completed", report
        assert killer.victims == (["ray::WorkerProcess"] if backend == "ray" else [])
        assert hashes(site, name) == hashes(site, "bare")
        assert len(hashes(site, name)) == 30
    manifest = json.loads((site.folders["site"] / "c" / "manifest.json").read_text())
    assert [entry["sha256"] for entry in manifest["frames"]] == list(hashes(site, "c").values())
    assert all(entry["worker"].startswith("worker-") for entry in manifest["frames"])
    assert set(report["files"]) == {"job.json", "manifest.json", "frames.label.json", "contact.png"}


def test_a_farm_writes_down_the_settings_of_the_folder_it_begins(site, job_on, tmp_path):
    folder = site.folders["site"]
    run(job_on("shot", frames="101-105"), site, tmp_path, backend="this-machine")
    settings = read_render_settings(folder / "shot")
    assert settings is not None
    shot = open_shot(folder / "passes", folder / "actor.safetensors", settings=settings)
    records = list(render_frames(shot, range(101, 106), output=folder / "shot" / "frame.####.png"))
    assert all(record.is_reused for record in records)
    other = open_shot(
        folder / "passes", folder / "actor.safetensors", settings=dataclasses.replace(settings, batch_size=5)
    )
    assert frame_key(other, 103) != records[2].key


def test_changed_passes_render_the_frames_whose_window_holds_them_and_no_others(site, job_on, tmp_path):
    job = job_on("shot")
    run(job, site, tmp_path, backend="this-machine")
    before = hashes(site, "shot")
    times = {path.name: path.stat().st_mtime_ns for path in (site.folders["site"] / "shot").glob("frame.*.png")}
    write_pass_frame(pass_path(site.folders["site"] / "passes", 112), pass_frame(112, seed=9))
    assert run(job, site, tmp_path, backend="this-machine")["state"] == "completed"
    changed = {name for name, digest in hashes(site, "shot").items() if before[name] != digest}
    written = {
        path.name
        for path in (site.folders["site"] / "shot").glob("frame.*.png")
        if path.stat().st_mtime_ns != times[path.name]
    }
    assert changed == written == {f"frame.{frame:04d}.png" for frame in range(112, 123)}


def test_interrupted_shot_takes_over_whole_frames_and_renders_damaged_ones_again(site, tmp_path):
    folder = site.folders["site"]
    shot = open_shot(folder / "passes", folder / "actor.safetensors")
    records = list(render_frames(shot, range(101, 107), output=folder / "x" / "f.####.png"))
    damaged = folder / "x" / "f.0103.png"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    (folder / "x" / "f.0105.png").unlink()
    again = list(render_frames(shot, [106, 105, 104, 103, 102, 101], output=folder / "x" / "f.####.png"))
    assert {record.frame for record in again if not record.is_reused} == {103, 105}
    assert {r.frame: (r.key, r.sha256) for r in again} == {r.frame: (r.key, r.sha256) for r in records}


def test_key_covers_frame_window_and_generator(site):
    folder = site.folders["site"]
    shot = open_shot(folder / "passes", folder / "actor.safetensors")
    keys = [frame_key(shot, frame) for frame in (110, 111, 120, 121)]
    assert len(set(keys)) == 4
    write_pass_frame(pass_path(folder / "passes", 110), pass_frame(110, seed=9))
    changed = [frame_key(shot.reopened(folder / "passes"), frame) for frame in (110, 111, 120, 121)]
    assert [old == new for old, new in zip(keys, changed, strict=True)] == [False, False, False, True]
    other = dataclasses.replace(shot, generator_sha256="f" * 64)
    assert frame_key(other, 121) != keys[3]


def test_movie_is_made_of_the_frames(site, job_on, tmp_path):
    job = job_on("shot", frames="101-105", is_movie_wanted=True)
    report = run(job, site, tmp_path, backend="this-machine")
    assert report["state"] == "completed", report
    assert report["files"]["shot.mp4"] == sha256_of_file(site.folders["site"] / "shot" / "shot.mp4")


def test_movie_with_a_plate_is_composed_into_it(site, job_on, tmp_path):
    folder = site.folders["site"]
    (folder / "plate").mkdir()
    for frame in range(101, 106):
        write_png(folder / "plate" / f"plate.{frame:04d}.png", np.full((SIZE * 2, SIZE * 2, 3), 200, np.uint8))
    job = job_on("shot", frames="101-105", is_movie_wanted=True, plate="site:plate")
    report = run(job, site, tmp_path, backend="this-machine")
    assert report["state"] == "completed", report
    movie = open_clip(folder / "shot" / "shot.mp4")
    assert (movie.clip.width_px, movie.clip.height_px, movie.clip.frame_count) == (SIZE * 2, SIZE * 2, 5)
    assert np.abs(movie.read(2)[SIZE + 8 :, SIZE + 8 :].astype(int) - 200).max() < 12


def test_a_movie_that_knows_the_tracked_performance_keeps_the_plate(site, job_on, tmp_path):
    """Nothing is edited here: the very passes are the unedited ones, so no generated pixel is in the movie."""
    folder = site.folders["site"]
    (folder / "plate").mkdir()
    for frame in range(101, 104):
        write_png(folder / "plate" / f"plate.{frame:04d}.png", np.full((SIZE * 2, SIZE * 2, 3), 200, np.uint8))
    job = job_on("shot", frames="101-103", is_movie_wanted=True, plate="site:plate", unedited="site:passes")
    report = run(job, site, tmp_path, backend="this-machine")
    assert report["state"] == "completed", report
    movie = open_clip(folder / "shot" / "shot.mp4")
    assert np.abs(movie.read(1).astype(int) - 200).max() < 12


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unedited": "site:none.take"}, "'unedited': names nothing"),
        ({"frames": "100-102"}, "frame 100 has no passes"),
        ({"generator": "site:none.safetensors"}, "'generator': names no file"),
        ({"generator": "site:passes"}, "'generator': is not a"),
        ({"passes": "site:nowhere"}, "'passes': names no folder"),
        ({"passes": "other:passes"}, "'passes': the root 'other' is not known"),
        ({"plate": "site:none.mp4"}, "'plate': names nothing"),
        ({"consent": "site:none.json"}, "'consent': names no file"),
    ],
)
def test_job_that_cannot_succeed_is_refused_by_field(site, job_on, changes, reason):
    with pytest.raises(Exception, match=reason):
        check_job(job_on("shot", **changes), site)


def test_generator_exchanged_after_submission_is_refused(site, job_on, tmp_path):
    generator = site.folders["site"] / "actor.safetensors"
    pinned = {"generator": sha256_of_file(generator)}
    job = job_on("shot", inputs_sha256=pinned, max_retries_per_frame=0)
    check_job(job, site)
    content = bytearray(generator.read_bytes())
    content[-1] ^= 1
    generator.write_bytes(content)
    with pytest.raises(DataError, match="is not the one that the job names"):
        check_job(job, site)
    report = run_job(job, roots=site, state_folder=tmp_path / "state", backend="this-machine")
    assert report["state"] == "failed"
    assert "is not the one the job was submitted with" in report["failed_frames"][0]["message"]
    assert hashes(site, "shot") == {}


def test_missing_passes_are_found_without_opening_one(site):
    (site.folders["site"] / "passes" / "passes.0110.exr").write_bytes(b"")
    (site.folders["site"] / "passes" / "passes.0111.exr").unlink()
    assert missing_passes(site.folders["site"] / "passes", FrameRange.span(108, 131)).numbers == (111, 131)


def test_frames_rendered_anew_have_the_same_bytes(site, job_on, tmp_path):
    folder = site.folders["site"]
    shot = open_shot(folder / "passes", folder / "actor.safetensors", settings=RenderSettings(batch_size=3))
    template = folder / "x" / "f.####.png"
    before = list(render_frames(shot, range(101, 106), output=template))
    again = list(render_frames(shot, range(101, 106), output=template, anew={102, 104}))
    assert {record.frame for record in again if not record.is_reused} == {102, 104}
    assert {(r.frame, r.key, r.sha256) for r in again} == {(r.frame, r.key, r.sha256) for r in before}
