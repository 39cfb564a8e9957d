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
