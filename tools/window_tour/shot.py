"""The folder that is animated in the tour, and the farm head that renders it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from dvp_core.actor import actor_clip_path, actor_consent_path
from dvp_core.data.take import read_take, write_take
from farm.tokens import add_user
from tools.window_tour.window import TourError, started, waited_for

_LATER = 160  # frames after which the actor smiles where the tour changes the face


def make_shot(demo: Path, folder: Path) -> None:
    """Fill a folder with what an animator is given: take, plate, generator, consent, and a second performance.

    The second performance is the actor's own, some frames later.

    Args:
        demo: What `dvp demo` left.
        folder: Empty.

    Raises:
        TourError: The demo did not run.
    """
    work = demo / "work"
    if not (work / "generator.safetensors").is_file():
        raise TourError(f"{demo} holds no finished demo: run `make demo` first")
    take = read_take(work / "clip.take")
    write_take(folder / "actor.take", take)
    shutil.copy(actor_clip_path(), folder / take.clip.file_name)
    shutil.copy(work / "generator.safetensors", folder / "actor.safetensors")
    shutil.copy(actor_consent_path(), folder / "consent.json")
    rolled = {name: np.roll(getattr(take, name), -_LATER, axis=0) for name in ("expression", "gaze_rad")}
    write_take(folder / "second.take", replace(take, subject="second", measured=None, **rolled))


@contextmanager
def farm_head(work: Path, folder: Path, backend: str) -> Iterator[dict[str, str]]:
    """Run a farm head on this machine, and say how Blender reaches it.

    Args:
        work: Folder for its state and its log.
        folder: The root that it renders.
        backend: "ray" for a cluster of its own, or "this-machine".

    Raises:
        TourError: The head does not come up.
    """
    state, log = work / "farm", work / "farm.log"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    token = add_user(state / "tokens.json", name="animator", role="submit")
    words = [sys.executable, "-m", "dvp_core", "farm", "head", "--root", f"work={folder}", "--state", str(state)]
    with started([*words, "--port", "0", "--workers", "1", "--backend", backend], log) as head:

        def address() -> str:
            if head.poll() is not None:
                raise TourError(f"The farm head ended by itself; see {log}")
            found = re.search(r"takes jobs at (\S+)", log.read_text())
            return found[1] if found else ""

        url = waited_for(address, "the farm head", seconds=300)
        yield {"DVP_TOUR_FARM": url, "DVP_TOUR_TOKEN": token, "DVP_TOUR_FOLDER": str(folder)}
