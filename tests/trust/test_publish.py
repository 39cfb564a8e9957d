"""What is published carries its label, whole, or does not appear."""

import ast
import json
import os
import signal
import stat
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.trust import (
    Label,
    keys_status,
    publish_frame,
    publish_frame_list,
    publish_movie,
    publish_still,
    read_frame_key,
    verify,
)
from dvp_core.trust.c2pa_files import read_manifest, sidecar_of
from dvp_core.trust.keys import local_root_pem, signing_keys
from dvp_core.video import EncodeOptions, open_clip, read_image
from tests.trust.conftest import picture
from tools.source_rules import WRITERS, hits, runs_what_it_reads, writes_pictures

ROOT = Path(__file__).resolve().parents[2]


def manifest_of(path):
    report = read_manifest(path, root_pems=[local_root_pem()])
    assert report.state == "Trusted"
    return report.manifest


def test_frame_carries_its_key_alone_and_equal_frames_are_equal_files(tmp_path):
    for name in ("a.0001.png", "b.0001.png"):
        publish_frame(tmp_path / name, picture(), key="abc")
    assert (tmp_path / "a.0001.png").read_bytes() == (tmp_path / "b.0001.png").read_bytes()
    assert read_frame_key(tmp_path / "a.0001.png") == "abc"
    assert np.array_equal(read_image(tmp_path / "a.0001.png"), picture())
    publish_frame(tmp_path / "b.0001.png", picture(), key="other")
    assert (tmp_path / "a.0001.png").read_bytes() != (tmp_path / "b.0001.png").read_bytes()


def test_key_of_no_frame(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n1234")
    assert read_frame_key(tmp_path / "broken.png") is None
    assert read_frame_key(tmp_path / "none.png") is None


def test_still_says_what_it_is(still):
    manifest = manifest_of(still)
    actions = next(entry for entry in manifest["assertions"] if entry["label"] == "c2pa.actions.v2")["data"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert actions[1]["softwareAgent"]["name"] == "Deep Video Portraits"
    assert manifest["ingredients"][0]["relationship"] == "parentOf"
    assert read_frame_key(still) == "k"


def test_no_name_no_picture_in_a_label(still):
    text = json.dumps(manifest_of(still))
    assert "jane" not in text
    assert "thumbnail" not in text
    assert b"jane" not in still.read_bytes()


def test_label_of_the_plate_is_kept(still, plate):
    assert manifest_of(plate)["label"].encode() in still.read_bytes()


def test_without_plate_everything_is_trained(tmp_path):
    publish_still(tmp_path / "s.png", picture(), label=Label(is_plate_kept=False))
    assert verify(tmp_path / "s.png").source_type == "trainedAlgorithmicMedia"


def test_label_costs_little(tmp_path):
    publish_frame(tmp_path / "plain.png", picture(), key="k")
    publish_still(tmp_path / "labelled.png", picture(), label=Label(is_plate_kept=False), key="k")
    assert (tmp_path / "labelled.png").stat().st_size - (tmp_path / "plain.png").stat().st_size <= 5120


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "h264"), (".mov", "prores"), (".mkv", "ffv1")])
def test_movies(tmp_path, label, suffix, codec):
    path = tmp_path / f"m{suffix}"
    published = publish_movie(
        path, map(picture, range(12)), fps=Fraction(24), label=label, options=EncodeOptions(codec=codec)
    )
    assert published.frame_count == open_clip(path).clip.frame_count == 12
    assert verify(path).code == 0
    assert sidecar_of(path).exists() == (suffix == ".mkv")
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_plate_that_is_a_folder(tmp_path):
    label = Label(is_plate_kept=True, plate=tmp_path)
    publish_still(tmp_path / "s.png", picture(), label=label)
    assert manifest_of(tmp_path / "s.png")["ingredients"][0]["title"] == "plate"


def test_bad_calls_publish_nothing(tmp_path):
    label = Label(is_plate_kept=False)
    with pytest.raises(DataError, match="as PNG"):
        publish_frame(tmp_path / "f.jpg", picture(), key="k")
    with pytest.raises(DataError, match="no frames"):
        publish_movie(tmp_path / "m.mp4", [], fps=Fraction(25), label=label)
    with pytest.raises(DataError, match="cannot stand"):
        publish_movie(tmp_path / "m.gif", [picture()], fps=Fraction(25), label=label)
    with pytest.raises(DataError, match="is not in the folder"):
        publish_frame_list(tmp_path, [tmp_path / "other" / "f.0001.png"], label=label)
    assert list(tmp_path.iterdir()) == []


def test_failed_frames_leave_the_old_movie(movie):
    before = movie.read_bytes()

    def failing():
        yield picture()
        raise DataError("the generator broke")

    with pytest.raises(DataError, match="generator broke"):
        publish_movie(movie, failing(), fps=Fraction(25), label=Label(is_plate_kept=False))
    assert movie.read_bytes() == before


def test_keys_are_private_and_made_once(keys_folder):
    first = signing_keys()
    assert stat.S_IMODE((keys_folder / "signing_key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys_folder.stat().st_mode) == 0o700
    assert signing_keys() == first
    assert keys_status().is_present


def test_open_or_foreign_keys_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "k"))
    assert not keys_status().is_present
    signing_keys()
    (tmp_path / "k/signing_key.pem").chmod(0o644)
    with pytest.raises(DataError, match="can be read by others"):
        publish_still(tmp_path / "s.png", picture(), label=Label(is_plate_kept=False))
    (tmp_path / "k/signing_key.pem").chmod(0o600)
    (tmp_path / "k/root.pem").unlink()
    with pytest.raises(DataError, match=r"lacks root\.pem"):
        publish_still(tmp_path / "s.png", picture(), label=Label(is_plate_kept=False))
    assert not (tmp_path / "s.png").exists()


PUBLISHER = """
import sys
from fractions import Fraction
from pathlib import Path
from tests.trust.conftest import picture
from dvp_core.trust import Label, publish_frame, publish_movie, publish_still
folder, label = Path(sys.argv[1]), Label(is_plate_kept=False)
print("ready", flush=True)
for number in range(100000):
    publish_still(folder / "still.png", picture(number % 100), label=label)
    print("one", flush=True)
    publish_movie(folder / "m.mp4", [picture(number % 100)] * 3, fps=Fraction(25), label=label)
    publish_frame(folder / "frame.0001.png", picture(number % 100), key=str(number))
"""


def test_killed_at_any_moment_nothing_unlabelled_stands_at_the_final_name(tmp_path):
    random = np.random.default_rng(3)
    for awaited in ("one", "ready", "one", "ready"):
        child = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        with child:
            while child.stdout.readline().strip() != awaited:
                pass
            time.sleep(random.uniform(0.02, 0.35))
            child.send_signal(signal.SIGKILL)
        for name in ("still.png", "m.mp4"):
            if (tmp_path / name).exists():
                assert verify(tmp_path / name).code == 0
        if (tmp_path / "frame.0001.png").exists():
            assert read_frame_key(tmp_path / "frame.0001.png") is not None
    assert (tmp_path / "still.png").exists()  # there was something to look at


FULL = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from dvp_core.data.errors import DataError
from dvp_core.trust import Label, publish_frame, publish_movie, publish_still
from dvp_core.trust.keys import signing_keys
signing_keys()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
folder, label = Path(sys.argv[1]), Label(is_plate_kept=False)
noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
refused = 0
for publish in (
    lambda: publish_frame(folder / "frame.0001.png", noise, key="k"),
    lambda: publish_still(folder / "still.png", noise, label=label),
    lambda: publish_movie(folder / "m.mp4", [noise] * 5, fps=Fraction(25), label=label),
):
    try:
        publish()
    except DataError:
        refused += 1
print(refused)
"""


def test_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(target)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == "3", result.stderr
    assert list(target.iterdir()) == []


def test_no_other_module_writes_pictures_or_movies():
    assert list(hits(writes_pictures, but_in=WRITERS)) == []


@pytest.mark.parametrize(
    "code", ["cv2.imwrite('a.png', x)", "av.open('m.mp4', 'w')", "av.open('m', mode='w')", "write_png(p, x)"]
)
def test_the_check_above_sees_writers(code):
    assert writes_pictures(ast.parse(code).body[0].value)
    assert not writes_pictures(ast.parse("av.open('m.mp4')").body[0].value)


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from pickle import loads", "torch.load(p)", "eval(x)", "yaml.load(x)"),
        *("run(words, shell=True)", "np.load(p, allow_pickle=True)", "av.open('x.mp4')"),
    ],
)
def test_readers_that_run_code_are_seen(code):
    assert any(runs_what_it_reads(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize("code", ["network.eval()", "np.load(p, allow_pickle=False)", "av.open(p, format='mp4')"])
def test_harmless_calls_are_not_seen_as_running_code(code):
    assert not any(runs_what_it_reads(node) for node in ast.walk(ast.parse(code)))


def test_two_processes_at_first_use_share_one_key(tmp_path):
    code = "from dvp_core.trust.keys import signing_keys; print(signing_keys().root_pem.hex())"
    environment = {**os.environ, "DVP_KEYS": str(tmp_path / "new" / "keys")}
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert len({child.communicate()[0] for child in children}) == 1
    assert (tmp_path / "new" / "keys" / "root.pem").exists()
    assert os.listdir(tmp_path / "new") == ["keys"]
