"""V1 to V7: what `dvp verify` says is right, of everything, without the network, at any size."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np

from dvp_core.trust import Label, Mark, MarkReading, Verdict, publish_movie, verify, watermark_key
from dvp_core.trust.c2pa_files import sidecar_of, sign_embedded
from dvp_core.trust.frame_list import LIST_NAME
from dvp_core.trust.keys import KEYS_VARIABLE, make_local_chain, signing_keys
from dvp_core.trust.label import TRAINED
from dvp_core.video import encode_movie, open_clip, read_image, write_png
from tests.trust.forgeries import remux, sign_as
from trust_rows.fixtures import Fixture, fixtures
from trust_rows.marks import clips
from trust_rows.media import FPS, every_kind, movie, picture, sequence, still
from trust_rows.row import Finding, Row, Scene, judged, run_python

_CLAIMS = ("source_type", "tool", "edits", "consent_sha256", "frame_count")
_LARGE_MB = 512


def exit_codes(scene: Scene) -> Finding:
    """V1."""
    made = fixtures(scene.new_folder("V1"))
    wrong = {fixture.name: said for fixture in made if (said := _misjudged(fixture))}
    by_code = {code: sum(fixture.code == code for fixture in made) for code in range(6)}
    measured = {"fixtures": len(made), "by code": by_code, "right": len(made) - len(wrong), "wrong": wrong}
    return judged(measured, len(made) >= 60 and not wrong, "a fixture was judged wrongly, or there are too few")


def _misjudged(fixture: Fixture) -> str | None:
    environment = {KEYS_VARIABLE: "/nonexistent"} if fixture.is_elsewhere else {}
    with patch.dict(os.environ, environment):
        verdict = verify(fixture.path, trusted_roots=fixture.roots)
    if verdict.code == fixture.code and fixture.words in verdict.reason:
        return None
    return f"{verdict.code} instead of {fixture.code}: {verdict.reason}"


def every_bit(scene: Scene) -> Finding:
    """V2."""
    folder = scene.new_folder("V2")
    png, mp4 = still(folder), movie(folder, count=2)
    frames, layers = sequence(folder, count=2), sequence(folder, count=2, suffix=".exr")
    mkv = movie(folder, name="movie.mkv", count=2)
    cases = {
        "png": (png, png, *_label_of(png)),
        "mp4": (mp4, mp4, *_label_of(mp4)),
        "mkv beside its label": (mkv, mkv, 0, 0),
        "frame of a list": (frames / "frame.0098.png", frames, 0, 0),
        "layered frame of a list": (layers / "frame.0098.exr", layers, 0, 0),
        "list": (frames / LIST_NAME, frames, 0, 0),
    }
    measured = {
        name: _turned(path, judge, (low, high), scene.every) for name, (path, judge, low, high) in cases.items()
    }
    is_seen = not any(counts["content missed"] or counts["claims changed"] for counts in measured.values())
    return judged(measured, is_seen, "a changed bit went unseen")


def _label_of(path: Path) -> tuple[int, int]:
    """Return where the C2PA box or chunk of a file begins and ends: its own bytes may hold padding."""
    content = path.read_bytes()
    if path.suffix == ".png":
        start = content.index(b"caBX") - 4
        return start, start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    start = content.index(b"uuid", 0) - 4
    return start, start + struct.unpack(">I", content[start : start + 4])[0]


def _turned(path: Path, judged_path: Path, label: tuple[int, int], every: int) -> dict[str, int]:
    """Turn over one bit in each byte of a file and count what `verify` does not see."""
    whole, honest = path.read_bytes(), verify(judged_path)
    counts = {"bytes": 0, "content missed": 0, "in the label, unseen": 0, "claims changed": 0}
    for place in range(0, len(whole), every):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        verdict = verify(judged_path)
        counts["bytes"] += 1
        if verdict.code <= 1:
            is_label = label[0] <= place < label[1]
            is_type = path.suffix == ".mp4" and place < _type_box_end(whole)  # C2PA leaves the file type box out
            counts["in the label, unseen" if is_label or is_type else "content missed"] += 1
            counts["claims changed"] += _claims(verdict) != _claims(honest)
    path.write_bytes(whole)
    return counts


def _type_box_end(content: bytes) -> int:
    return struct.unpack(">I", content[:4])[0]


def _claims(verdict: Verdict) -> list[object]:
    return [getattr(verdict, name) for name in _CLAIMS]


def attacks(scene: Scene) -> Finding:
    """V3."""
    folder = scene.new_folder("V3")
    kinds = every_kind(folder)
    write_png(folder / "bare.png", read_image(kinds["still"]))
    capture = TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture")
    forged = sign_as(folder / "bare.png", folder / "forged.png", make_local_chain(), source_type=capture)
    write_png(folder / "other.png", picture(7))
    shutil.copy(sidecar_of(kinds["mkv"]), sidecar_of(folder / "other.png"))
    source = open_clip(kinds["mp4"])
    encode_movie(folder / "again.mp4", source.iterate(), fps=source.clip.fps)
    marked = _marked_movie(scene, folder)
    said = {
        "signed anew by a stranger": verify(forged).code,
        "transplanted sidecar": verify(folder / "other.png").code,
        "remuxed": verify(remux(kinds["mp4"], folder / "remuxed.mkv")).code,
        "encoded again": verify(folder / "again.mp4").code,
    }
    ids = {name: reading.id if reading else None for name, reading in _readings(marked).items()}
    holds = list(said.values()) == [1, 3, 2, 2] and set(ids.values()) == {verify(marked).named_watermark}
    return judged({"codes": said, "watermarks": ids}, holds, "a code is wrong, or the watermark is not reported")


def _marked_movie(scene: Scene, folder: Path) -> Path:
    """Publish a movie with this installation's mark."""
    mark = Mark(watermark_key(), "deadbe0f")
    frames = [mark.on_levels(frame) for frame in next(clips(scene, 1))]
    publish_movie(folder / "m.mp4", frames, fps=FPS, label=Label(is_plate_kept=False, watermark_id=mark.id))
    return folder / "m.mp4"


def _readings(movie: Path) -> dict[str, MarkReading | None]:
    """Return what is found in a movie that was remuxed and in one that was encoded again."""
    remuxed, again = remux(movie, movie.with_name("m_remuxed.mkv")), movie.with_name("m_again.mp4")
    encode_movie(again, open_clip(movie).iterate(), fps=FPS)
    return {
        "remuxed": verify(remuxed, watermark="plain").watermark,
        "encoded again": verify(again, watermark="plain").watermark,
    }


_ASK = """
import json, sys
from dvp_core.trust import verify
print(json.dumps([verify(path).code for path in sys.argv[1:]]))
"""


def no_network(scene: Scene) -> Finding:
    """V4."""
    folder = scene.new_folder("V4")
    write_png(folder / "bare.png", picture())
    with _listening() as (port, requests):
        url = f"http://127.0.0.1:{port}/label.c2pa"
        remote = sign_as(folder / "bare.png", folder / "r.png", signing_keys(), source_type=TRAINED, remote_url=url)
        paths = [*every_kind(folder).values(), remote]
        within = run_python(_ASK, *paths)
        connections = len(requests)
    expected = [0] * (len(paths) - 1) + [2]
    prefix = ("unshare", "-r", "-n")
    is_cut_off = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    without = run_python(_ASK, *paths, prefix=prefix) if is_cut_off else None
    measured = {
        "connections to the label's URL": connections,
        "codes with a network": json.loads(within.stdout),
        "codes without one": json.loads(without.stdout) if without else None,
    }
    if without is None:
        return Finding(measured, None, "this machine does not let a process be cut off from the network")
    holds = connections == 0 and json.loads(within.stdout) == json.loads(without.stdout) == expected
    return judged(measured, holds, "something was fetched, or the answers differ without a network")


@contextmanager
def _listening() -> Iterator[tuple[int, list[str]]]:
    """Give a port that notes who asks for something."""
    requests: list[str] = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        server.server_close()


def expiry(scene: Scene) -> Finding:
    """V5."""
    folder = scene.new_folder("V5")
    made = next(fixture for fixture in fixtures(folder) if "expired" in fixture.name)
    verdict = verify(made.path)
    measured = {"without time stamp": verdict.code, "reason": verdict.reason, "with time stamp": None}
    return Finding(measured, False, "labels carry no time stamp yet, so a label ends with its certificate")


_MEASURE = """
import json, resource, sys, time
from dvp_core.trust import verify
verify(sys.argv[1])
started_s = time.perf_counter()
code = verify(sys.argv[1]).code
elapsed_s = time.perf_counter() - started_s
peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"code": code, "s": elapsed_s, "peak MiB": peak_kib / 1024}))
"""


def speed(scene: Scene) -> Finding:
    """V6."""
    folder = scene.new_folder("V6")
    plain, signed = folder / "plain.mp4", folder / "signed.mp4"
    encode_movie(plain, map(picture, range(3)), fps=open_clip(movie(folder)).clip.fps)
    with plain.open("ab") as stream:  # a second box of data that no track points to, so that the file has a size
        stream.write(struct.pack(">I4s", _LARGE_MB * 10**6, b"mdat"))
        noise = np.random.default_rng(1).bytes(10**6)
        for _ in range(_LARGE_MB):
            stream.write(noise)
        stream.truncate(stream.tell() - 8)
    sign_embedded(plain, signed, Label(is_plate_kept=False), signing_keys())
    said = json.loads(run_python(_MEASURE, signed).stdout)
    rate = said["s"] / (signed.stat().st_size / 1e9)
    measured = {"code": said["code"], "s/GB": round(rate, 2), "peak MiB": round(said["peak MiB"])}
    holds = said["code"] == 0 and rate <= 1.5 and said["peak MiB"] <= 1024
    return judged(measured, holds, "slower than 1.5 s/GB or above 1 GiB, on this machine now")


def second_reader(scene: Scene) -> Finding:
    """V7."""
    tool = shutil.which("c2patool")
    if tool is None:
        return Finding(None, None, "no reader of another origin (c2patool) is installed here")
    anchors = scene.folder / "anchors.pem"
    anchors.write_bytes(signing_keys().root_pem)
    judge: Callable[[Path], int] = lambda path: _other_code(tool, path, anchors)  # noqa: E731
    made = [fixture for fixture in fixtures(scene.new_folder("V7")) if fixture.path.is_file() and fixture.code < 4]
    differing = [fixture.name for fixture in made if not fixture.is_elsewhere and judge(fixture.path) != fixture.code]
    return judged({"fixtures": len(made), "differing": differing}, not differing, "the two readers differ")


def _other_code(tool: str, path: Path, anchors: Path) -> int:
    words = [tool, str(path), "trust", "--trust_anchors", str(anchors)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        return 2
    state = json.loads(result.stdout).get("validation_state")
    return {"Trusted": 0, "Valid": 1}.get(state, 3)


ROWS = (
    Row("V1", "exit codes 0 to 5 right on at least 60 fixtures: 100 %", exit_codes),
    Row(
        "V2",
        "one bit in every byte of PNG, MP4, layered frame and list: 0 missed in content, 0 changed claims unseen",
        every_bit,
    ),
    Row(
        "V3",
        "stripped and signed by a stranger, transplanted sidecar, remux, re-encode: 1, 3, 2, 2, and the watermark's id "
        "is still reported after the last two",
        attacks,
    ),
    Row("V4", "no network, also with the URL of a label in the file: 0 connections", no_network),
    Row("V5", "certificate expired: 0 with a time stamp, 3 and a reason without", expiry),
    Row("V6", "at most 1.5 s/GB warm and 1 GiB of memory", speed),
    Row("V7", "a second, independent reader agrees on all fixtures", second_reader),
)
