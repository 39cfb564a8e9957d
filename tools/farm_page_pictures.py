"""Takes the pictures of docs/farm_page.md anew: a real head renders the built-in actor, a real browser looks.

    .venv/bin/python -m tools.farm_page_pictures --demo out/demo --pictures docs/pictures

Needs what `make demo` leaves, `playwright`, and a Chromium that `DVP_CHROMIUM` may name. Takes a few minutes.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from farm.client import FarmClient, connect

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
FAILING_FRAMES = 40


def main() -> None:
    """Run the farm on the demo's passes and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("out/demo"), help="what `dvp demo` has made")
    parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"), help="where the pictures go")
    parser.add_argument("--backend", choices=("ray", "this-machine"), default="ray", help="where frames are rendered")
    options = parser.parse_args()
    head = functools.partial(running_head, options.demo / "work", backend=options.backend)
    with tempfile.TemporaryDirectory(prefix="farm-") as folder, head(Path(folder)) as client:
        submit_jobs(client, options.demo / "work", Path(folder) / "out")
        with sync_playwright() as driver:
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = driver.chromium.launch(executable_path=chromium(), args=arguments)
            take_pictures(browser, client, options.pictures)
            browser.close()


def chromium() -> str:
    """Return the browser's program."""
    found = os.environ.get("DVP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("no Chromium here; DVP_CHROMIUM may name one")
    return found


@contextmanager
def running_head(demo: Path, folder: Path, *, backend: str) -> Iterator[FarmClient]:
    """Give a client of a head with two workers on the demo's folder and one of its own."""
    (folder / "out").mkdir()
    roots = ["--root", f"demo={demo.resolve()}", "--root", f"out={folder / 'out'}"]
    command = [sys.executable, "-m", "dvp_core", "farm", "head", *roots, "--state", str(folder / "state")]
    environment = os.environ | {"DVP_KEYS": str(folder / "keys"), "DVP_STATE": str(folder / "state of outputs")}
    process = subprocess.Popen([*command, "--port", "0", "--workers", "2", "--backend", backend], env=environment)
    try:
        wait_until(lambda: (folder / "state" / "connection.json").exists(), limit_s=60)
        client = connect(connection=folder / "state" / "connection.json")
        wait_until(lambda: is_answering(client), limit_s=120)
        yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def is_answering(client: FarmClient) -> bool:
    """Say whether the head takes calls."""
    try:
        client.version()
    except Exception:  # noqa: BLE001 - it starts; the wait ends by itself
        return False
    return True


def submit_jobs(client: FarmClient, demo: Path, out: Path) -> None:
    """Submit a job for each state worth seeing, and wait until the long one is well under way."""
    damaged = out / "damaged_passes"
    damaged.mkdir()
    for frame in range(1, FAILING_FRAMES + 1):
        shutil.copy(demo / "edited_passes" / f"passes.{frame:04d}.exr", damaged)
    last = damaged / f"passes.{FAILING_FRAMES:04d}.exr"
    last.write_bytes(last.read_bytes()[:2000])  # only the last frame's window reaches it
    submit(client, "shot-008-v2", "Shot 008, softer smile", "1-24")
    wait_for(client, "shot-008-v2", "completed")
    submit(client, "shot-009-v1", "Shot 009, first look", f"1-{FAILING_FRAMES}", passes="out:damaged_passes")
    wait_for(client, "shot-009-v1", "failed")
    submit(client, "shot-010-v3", "Shot 010, third edit", "1-240", notes="The corners of the mouth as in the second.")
    submit(client, "shot-011-v1", "Shot 011, gaze to camera", "1-200", is_paused_at_start=True)
    submit(client, "shot-012-v1", "Shot 012, longer blink", "1-96", priority=20)
    wait_until(lambda: client.job("shot-010-v3")["frames"].get("completed", 0) >= 100, limit_s=1200)


def submit(client: FarmClient, job_id: str, name: str, frames: str, **changes: Any) -> None:
    """Submit one job over the demo's passes."""
    paths = {
        "passes": "demo:edited_passes",
        "generator": "demo:generator.safetensors",
        "output": f"out:{job_id}/frame.####.png",
    }
    settings = {"id": job_id, "name": name, "frames": frames, "is_movie_wanted": False, "max_retries_per_frame": 1}
    client.submit(settings | paths | changes)


def take_pictures(browser: Browser, client: FarmClient, pictures: Path) -> None:
    """Write one picture for each part of the page."""
    picture = Photographer(browser, client, pictures)
    picture.take("farm_page_job", "#/jobs/shot-010-v3", "light")
    picture.take("farm_page_jobs", "#/jobs", "light")
    picture.take("farm_page_failed", f"#/jobs/shot-009-v1/frames/{FAILING_FRAMES}", "dark")
    picture.take("farm_page_phone", "#/jobs/shot-010-v3/frames/40", "light", size=PHONE)


class Photographer:
    """Opens a part of the page in a fresh tab, lets it settle, and keeps what is seen."""

    def __init__(self, browser: Browser, client: FarmClient, pictures: Path) -> None:
        self.browser = browser
        self.client = client
        self.pictures = pictures

    def take(self, name: str, path: str, scheme: Any, *, size: Any = WIDE) -> None:
        """Write one picture."""
        page = self.browser.new_page(viewport=size, color_scheme=scheme)
        page.goto(f"{self.client.url}/#code={self.client.session_code()}")
        page.get_by_role("heading", name="Jobs").wait_for()
        page.goto(f"{self.client.url}/{path}")
        page.wait_for_timeout(5000)
        page.screenshot(path=self.pictures / f"{name}.png")
        page.close()


def wait_for(client: FarmClient, job_id: str, state: str) -> None:
    """Wait until a job has come to a state."""
    wait_until(lambda: client.job(job_id)["state"] == state, limit_s=1200)


def wait_until(is_so: Any, *, limit_s: float) -> None:
    """Wait for something to come to pass."""
    end_s = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end_s:
            sys.exit("it did not come to pass in time")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
