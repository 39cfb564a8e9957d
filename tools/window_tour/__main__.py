"""`python -m tools.window_tour`: the tour from the empty window to the movie."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tools.window_tour.shot import farm_head, make_shot
from tools.window_tour.steps import Tour, steps
from tools.window_tour.window import TourError, opened_window


def main() -> int:
    """Run every step, say its name, and return 1 where one failed, with a picture of the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("out/demo"), help="what `make demo` left")
    parser.add_argument("--work", type=Path, default=Path("out/window_tour"))
    parser.add_argument("--pictures", type=Path, default=Path("out/window_tour/pictures"))
    parser.add_argument(
        "--backend", choices=("ray", "this-machine"), default="ray", help="the farm's; without Ray on a busy machine"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that Blender and the farm end, too
    try:
        # Elsewhere, because the folder's path is seen in the pictures.
        with tempfile.TemporaryDirectory(prefix="shot_010_") as folder:
            _run(options.demo, Path(folder), options.work.resolve(), options.pictures, options.backend)
    except TourError as error:
        print(f"The tour ended: {error}", file=sys.stderr)
        return 1
    return 0


def _run(demo: Path, folder: Path, work: Path, pictures: Path, backend: str) -> None:
    make_shot(demo, folder)
    with farm_head(work, folder, backend) as farm, opened_window(work, farm) as window:
        tour = Tour(window, folder, pictures)
        try:
            for step in steps():
                started = time.monotonic()
                print(f"{step.__name__.replace('_', ' ')} ...", end=" ", flush=True)
                step(tour)
                print(f"{time.monotonic() - started:.0f} s", flush=True)
        except TourError:
            window.picture(work / "failed.png")
            raise
        finally:
            shutil.copytree(folder, work / "shot", dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
