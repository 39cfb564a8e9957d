"""L1 to L5: every output is labelled, whole, cheaply, with what its plate came with, and nothing can leave that out."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from dvp_core.data.errors import DataError
from dvp_core.trust import Label, publish_movie, verify
from dvp_core.trust.c2pa_files import SIDECAR_SUFFIX, read_manifest, sidecar_of, sign_beside, sign_embedded
from dvp_core.trust.frame_list import LIST_NAME
from dvp_core.trust.keys import KEYS_VARIABLE, local_root_pem, make_local_chain, signing_keys
from dvp_core.trust.label import TOOL_NAME, TRAINED, tool_version
from dvp_core.video import encode_movie, write_png
from tests.trust.forgeries import sign_as
from tools.source_rules import WRITERS as ALLOWED_WRITERS
from tools.source_rules import hits, writes_pictures
from trust_rows.line import WRITERS, Line, make_line, writing_sites
from trust_rows.media import FPS, every_kind, movie, picture, pictures, sequence, still
from trust_rows.row import ROOT, Finding, Row, Scene, child_environment, judged, python_words, run_python

KILLS = 50
_GENERATIONS = 3


def every_writer(scene: Scene) -> Finding:
    """L1."""
    line = make_line(scene.new_folder("L1"))
    faults = {name: fault for name in WRITERS if (fault := _fault_of(line, name))}
    untried = sorted(writing_sites() - {site for writer in WRITERS.values() for site in writer.sites})
    measured = {"writers": len(WRITERS), "labelled": len(WRITERS) - len(faults), "faults": faults, "untried": untried}
    return judged(measured, not faults and not untried, "a writer left something out, or was not tried")


def _fault_of(line: Line, name: str) -> str | None:
    """Return what is wrong with one writer's output, None where nothing is."""
    writer = WRITERS[name]
    path = writer.run(line, line.folder / name.replace(" ", "_"))
    verdict = verify(path)
    if verdict.state != "known":
        return f"{verdict.state}: {verdict.reason}"
    if verdict.source_type != writer.source_type:
        return f"its source type is {verdict.source_type}"
    if verdict.tool != f"{TOOL_NAME} {tool_version()}":
        return f"it was made with {verdict.tool}"
    has_plate = any(part.get("relationship") == "parentOf" for part in _manifest(path).get("ingredients", []))
    return None if has_plate or not writer.has_plate else "its plate is not named"


def _manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of an output, wherever its label is."""
    path = path / LIST_NAME if path.is_dir() else path
    beside = sidecar_of(path)
    root = local_root_pem()
    report = read_manifest(path, root_pems=[root] if root else [], sidecar=beside if beside.is_file() else None)
    return report.manifest if report else {}


def one_writer(scene: Scene) -> Finding:
    """L2."""
    found = list(hits(writes_pictures, but_in=ALLOWED_WRITERS))
    return judged({"hits": found}, not found, "a module besides the one writer writes pictures or movies")


_PUBLISHER = """
import sys
from pathlib import Path
sys.path.insert(0, "benchmarks")
from trust_rows.media import movie, still
folder = Path(sys.argv[1])
print("ready", flush=True)
for number in range(100000):
    still(folder, index=number % 100)
    movie(folder, count=3)
    movie(folder, name="movie.mkv", count=3)
"""


def whole_or_not_at_all(scene: Scene) -> Finding:
    """L3."""
    folder = scene.new_folder("L3")
    random = np.random.default_rng(3)
    unlabelled, empty, seen = 0, 0, 0
    for _ in range(KILLS):
        _killed_publisher(folder, float(random.uniform(0.0, 0.5)))
        standing = [path for path in folder.glob("*.*") if path.suffix != SIDECAR_SUFFIX and path.name[0] != "."]
        seen += len(standing)
        empty += sum(path.stat().st_size == 0 for path in standing)
        unlabelled += sum(verify(path).code != 0 for path in standing)
    leaves = {"key missing": _left_without_keys(scene), "disk full": _left_on_full_disk(scene)}
    measured = {"kills": KILLS, "files seen": seen, "unlabelled": unlabelled, "empty": empty, "left behind": leaves}
    is_whole = not (unlabelled or empty or any(leaves.values()))
    if not is_whole:
        return Finding(measured, False, "something stood at a final name without its label")
    return Finding(measured, False, "labels carry no time stamp yet, so its authority cannot be down; all else holds")


def _killed_publisher(folder: Path, wait_s: float) -> None:
    words = python_words(_PUBLISHER, folder)
    with subprocess.Popen(words, cwd=ROOT, env=child_environment(), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(wait_s)
        child.kill()


def _left_without_keys(scene: Scene) -> list[str]:
    """Return what stands after publishing with a folder of keys that is incomplete."""
    folder, keys = scene.new_folder("L3 no key"), scene.new_folder("L3 keys")
    (keys / "root.pem").write_bytes(signing_keys().root_pem)
    usual = os.environ[KEYS_VARIABLE]
    os.environ[KEYS_VARIABLE] = str(keys)
    try:
        for make in (still, movie, sequence):
            _refused(lambda make=make: make(folder))
    finally:
        os.environ[KEYS_VARIABLE] = usual
    return _final_names(folder)


def _refused(make: Any) -> None:
    try:
        make()
    except DataError:
        return
    raise AssertionError("published without a key")


_ON_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, "benchmarks")
from trust_rows.media import movie, still
from dvp_core.data.errors import DataError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for make in (still, movie):
    try:
        make(Path(sys.argv[1]))
    except DataError as error:
        print("refused")
"""


def _left_on_full_disk(scene: Scene) -> list[str]:
    folder = scene.new_folder("L3 full")
    said = run_python(_ON_FULL_DISK, folder)
    refusals = said.stdout.split().count("refused")
    return [*_final_names(folder), *(["no clear refusal"] if refusals != 2 else [])]


def _final_names(folder: Path) -> list[str]:
    """Return the outputs that stand below a folder; a frame without a list is an intermediate that carries its key."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith("frame."))


def cost(scene: Scene) -> Finding:
    """L4."""
    folder, keys, label = scene.new_folder("L4"), signing_keys(), Label(is_plate_kept=False)
    measured = {}
    for name, side_px, count in (("still", 512, 1), ("movie", 256, 24), ("large movie", 512, 48)):
        plain = folder / ("plain.png" if count == 1 else f"{count}.mp4")
        _plain(plain, side_px, count)
        signed = plain.with_stem(f"{plain.stem}-signed")
        times_ms = [_sign_ms(plain, signed, label, keys) for _ in range(9)]
        size_mb = plain.stat().st_size / 1e6
        measured[name] = {
            "bytes": signed.stat().st_size - plain.stat().st_size,
            "ms": round(statistics.median(times_ms), 2),
            "ms allowed": round(10 + 4 * size_mb, 2),
        }
    beside = folder / "beside.mkv"
    publish_movie(beside, pictures(6), fps=FPS, label=label)
    measured["sidecar"] = {"bytes": len(sign_beside(beside, label, keys))}
    holds = all(
        entry["bytes"] <= 5120 and entry.get("ms", 0) <= entry.get("ms allowed", 0) for entry in measured.values()
    )
    return judged(
        measured, holds, "a label takes more than 5 kB, or longer than 10 ms + 4 ms a MB, on this machine now"
    )


def _plain(path: Path, side_px: int, count: int) -> None:
    """Write what a label is to be put into: noise, so that it has a size."""
    random = np.random.default_rng(1)
    noise = [random.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8) for _ in range(count)]
    if count == 1:
        write_png(path, noise[0])
        return
    encode_movie(path, noise, fps=FPS)


def _sign_ms(plain: Path, signed: Path, label: Label, keys: Any) -> float:
    started_s = time.perf_counter()
    sign_embedded(plain, signed, label, keys)
    return 1000 * (time.perf_counter() - started_s)


def generations(scene: Scene) -> Finding:
    """L5."""
    measured: dict[str, str] = {}
    for first in ("camera", "still", "mp4", "mov", "mkv", "png sequence", "exr sequence"):
        folder = scene.new_folder(f"L5 {first}")
        measured[first] = _after_generations(folder, first)
    lost = [name for name, found in measured.items() if found != "kept"]
    return judged(measured, not lost, f"the label of a plate of these kinds is not kept: {', '.join(lost)}")


def _after_generations(folder: Path, first: str) -> str:
    """Tell whether the label of a first plate is still in what was made three generations later."""
    plate = _camera(folder) if first == "camera" else every_kind(folder)[first]
    origin = str(_manifest(plate).get("label"))
    for number in range(_GENERATIONS):
        kind = "still" if first in ("camera", "still") else first
        inside = folder / str(number)
        inside.mkdir()
        plate = every_kind(inside, plate=plate)[kind]
    if verify(plate).code != 0:
        return f"the last generation is {verify(plate).state}"
    holder = plate / LIST_NAME if plate.is_dir() else plate
    stored = sidecar_of(holder) if sidecar_of(holder).is_file() else holder
    return "kept" if origin.encode() in stored.read_bytes() else "lost"


def _camera(folder: Path) -> Path:
    """Return a plate that a stranger's camera has labelled."""
    write_png(folder / "bare.png", picture())
    source_type = TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture")
    return sign_as(folder / "bare.png", folder / "camera.png", make_local_chain(), source_type=source_type)


ROWS = (
    Row(
        "L1",
        "every writer, by default: label present, Trusted under the test root, right source type, software version and "
        "plate; a writer that is not tried fails",
        every_writer,
    ),
    Row("L2", "no picture or movie is written outside the writer's module: 0 hits in the syntax trees", one_writer),
    Row(
        "L3",
        "kill -9 at 50 random moments, time stamp's authority down, key missing, disk full: 0 unlabelled and 0 empty "
        "files at a final name",
        whole_or_not_at_all,
    ),
    Row("L4", "a label takes at most 5 kB a file and 10 ms + 4 ms/MB", cost),
    Row("L5", "the label of an incoming plate is kept, after three generations too, in 100 %", generations),
)
