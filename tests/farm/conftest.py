import json
import os
import sys
from pathlib import Path

import pytest

from dvp_core.data.job import Job
from farm.roots import Roots

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))  # so that the stub can be imported by its name, here and in worker processes


@pytest.fixture(autouse=True)
def _workers_find_the_stub(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def roots(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    return Roots({"site": folder})


@pytest.fixture
def make_job(roots):
    """Return a maker of jobs; `plan` tells the stub how to misbehave."""

    def make(name="shot", *, frames="1-20", plan=None, **changes):
        folder = roots.folders["site"] / name
        folder.mkdir(exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan or {}))
        settings = {
            "id": name,
            "name": name,
            "frames": frames,
            "passes": "site:passes",
            "generator": "site:stub.safetensors",
            "output": f"site:{name}/frame.####.png",
            "chunk_size": 7,
        }
        return Job(**(settings | changes))

    return make


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site on which jobs really render, with signing keys of its own."""
    from render_site import make_site

    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "keys"))
    return make_site(tmp_path / "render_site")


@pytest.fixture
def job_on(make_job, site):
    """Return a maker of jobs on that site: all its frames, no movie."""
    from render_site import FIRST, LAST

    def make(name, **changes):
        paths = {
            "passes": "site:passes",
            "generator": "site:actor.safetensors",
            "output": f"site:{name}/frame.####.png",
        }
        settings = paths | {"frames": f"{FIRST}-{LAST}", "is_movie_wanted": False} | changes
        return make_job(name, **settings)

    return make
