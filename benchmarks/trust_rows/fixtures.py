"""V1: files that are what they say, each with the exit code that `dvp verify` owes it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from dvp_core.trust import Label, publish_frame_list
from dvp_core.trust.c2pa_files import sidecar_of
from dvp_core.trust.frame_list import LIST_NAME, FrameList
from dvp_core.trust.keys import make_local_chain, signing_keys
from dvp_core.trust.label import TRAINED
from dvp_core.video import encode_movie, open_clip, write_png
from tests.trust.forgeries import remux, sign_as, soon_expiring_chain
from trust_rows.media import every_kind, movie, picture, sequence, still

_CAPTURE = TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture")
_MOVIES = ("mp4", "mov", "mkv")
_FILES = ("still", *_MOVIES)
_SEQUENCES = ("png sequence", "exr sequence")


@dataclass(frozen=True)
class Fixture:
    """A file and what is to be said of it.

    Attributes:
        name: What it is.
        code: The exit code owed.
        path: What `dvp verify` is given.
        roots: Certificates that are given with it.
        is_elsewhere: Whether the verifier has none of this installation's keys.
        words: Words that the reason must hold.
    """

    name: str
    code: int
    path: Path
    roots: tuple[Path, ...] = field(default=())
    is_elsewhere: bool = False
    words: str = ""


def fixtures(folder: Path) -> list[Fixture]:
    """Make all of them below a folder."""
    makers: tuple[Callable[[Path], Iterator[Fixture]], ...] = (_known, _unknown, _bare, _altered, _altered_sequences)
    made = []
    for number, maker in enumerate((*makers, _unreadable, _contradicting)):
        own = folder / str(number)
        own.mkdir()
        made += list(maker(own))
    return made


def _known(folder: Path) -> Iterator[Fixture]:
    root = folder / "root.pem"
    root.write_bytes(signing_keys().root_pem)
    for name, path in every_kind(folder).items():
        yield Fixture(f"our {name}", 0, path)
        yield Fixture(f"our {name} elsewhere, root given", 0, path, (root,), is_elsewhere=True)
        yield Fixture(f"our {name} elsewhere", 1, path, is_elsewhere=True)
    frames = folder / "frames_png"
    yield Fixture("a list", 0, frames / LIST_NAME)
    yield Fixture("a pattern", 0, frames / "frame.####.png")
    yield Fixture("a frame beside its list", 0, frames / "frame.0099.png")
    yield Fixture("a layered frame beside its list", 0, folder / "frames_exr" / "frame.0099.exr")
    for name in ("still", "mp4"):
        (folder / name).mkdir()
        yield Fixture(f"a {name} made from ours", 0, every_kind(folder / name, plate=folder / "still.png")[name])


def _unknown(folder: Path) -> Iterator[Fixture]:
    stranger = make_local_chain()
    (folder / "root.pem").write_bytes(stranger.root_pem)
    for name, source in (
        ("png", _bare_still(folder)),
        ("mp4", _bare_movie(folder, "mp4")),
        ("mov", _bare_movie(folder, "mov")),
    ):
        forged = sign_as(source, folder / f"forged.{name}", stranger, source_type=_CAPTURE)
        yield Fixture(f"stripped {name}, signed anew by a stranger", 1, forged)
        yield Fixture(f"the same {name}, his root given", 0, forged, (folder / "root.pem",))


def _bare_still(folder: Path) -> Path:
    write_png(folder / "bare.png", picture(3))
    return folder / "bare.png"


def _bare_movie(folder: Path, suffix: str) -> Path:
    path = folder / f"bare.{suffix}"
    encode_movie(path, map(picture, range(6)), fps=open_clip(movie(folder, name="rate.mp4", count=2)).clip.fps)
    return path


def _bare(folder: Path) -> Iterator[Fixture]:
    kinds = every_kind(folder)
    yield Fixture("a bare png", 2, _bare_still(folder))
    for name in _MOVIES:
        yield Fixture(f"a bare {name}", 2, _bare_movie(folder, name))
        source = open_clip(kinds[name])
        encode_movie(folder / f"again.{name}", source.iterate(), fps=source.clip.fps)
        yield Fixture(f"our {name}, encoded again", 2, folder / f"again.{name}")
        for other in _MOVIES:
            yield Fixture(f"our {name}, copied into {other}", 2, remux(kinds[name], folder / f"{name}_as.{other}"))
    (folder / "text.txt").write_text("hello")
    yield Fixture("a text", 2, folder / "text.txt")
    sidecar_of(kinds["mkv"]).unlink()
    yield Fixture("our mkv without its sidecar", 2, kinds["mkv"])
    sidecar_of(kinds["png sequence"] / LIST_NAME).unlink()
    yield Fixture("a list without its label", 2, kinds["png sequence"])
    (kinds["png sequence"] / LIST_NAME).unlink()
    yield Fixture("frames without their list", 2, kinds["png sequence"])
    yield Fixture("a frame without its list", 2, kinds["png sequence"] / "frame.0099.png")
    shutil.copy(kinds["exr sequence"] / "frame.0099.exr", folder / "frame.0099.exr")
    yield Fixture("a layered frame without its list", 2, folder / "frame.0099.exr")


def _altered(folder: Path) -> Iterator[Fixture]:
    kinds = every_kind(folder)
    for name in _FILES:
        content = kinds[name].read_bytes()
        place = content.index({"still": b"IDAT"}.get(name, b"mdat")) + 20 if name != "mkv" else len(content) - 60
        yield Fixture(f"one bit of a {name}", 3, _written(kinds[name], f"bit_{name}", _flipped(content, place)))
        yield Fixture(f"bytes added to a {name}", 3, _written(kinds[name], f"longer_{name}", content + b"\0" * 40))
    content = kinds["mp4"].read_bytes()
    claim = content.replace(b"/trainedAlgorithmicMedia", b"/trainedAlgorithmicMedib")
    yield Fixture("a claim rewritten in an mp4", 3, _written(kinds["mp4"], "claim", claim))
    foreign = _bare_still(folder)
    shutil.copy(sidecar_of(kinds["mkv"]), sidecar_of(foreign))
    yield Fixture("another file's sidecar", 3, foreign)
    half = _written(kinds["mkv"], "half", kinds["mkv"].read_bytes())
    sidecar_of(half).write_bytes(sidecar_of(kinds["mkv"]).read_bytes()[:900])
    yield Fixture("half a sidecar", 3, half)
    keys = soon_expiring_chain(seconds=2)
    expired = sign_as(_bare_movie(folder, "mp4"), folder / "expired.mp4", keys, source_type=TRAINED)
    time.sleep(3)
    yield Fixture("a certificate that has expired, no time stamp", 3, expired, words="expired")


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _written(source: Path, stem: str, content: bytes) -> Path:
    """Write a variant of a file beside it, with its sidecar where it has one."""
    path = source.with_stem(stem)
    path.write_bytes(content)
    if sidecar_of(source).is_file():
        shutil.copy(sidecar_of(source), sidecar_of(path))
    return path


def _altered_sequences(folder: Path) -> Iterator[Fixture]:
    for suffix in (".png", ".exr"):
        changes: dict[str, Callable[[Path, str], object]] = {
            "a bit of a frame changed": lambda own, end: _flip_in(own / f"frame.0099{end}"),
            "a frame missing": lambda own, end: (own / f"frame.0099{end}").unlink(),
            "a frame added": lambda own, end: shutil.copy(own / f"frame.0099{end}", own / f"frame.0200{end}"),
            "two frames exchanged": lambda own, end: _exchange(own / f"frame.0099{end}", own / f"frame.0100{end}"),
            "the list rewritten": lambda own, end: _rewrite(own / LIST_NAME, b'"frame":98', b'"frame":97'),
        }
        for name, change in changes.items():
            own = sequence(folder / f"{name} {suffix}", suffix=suffix)
            change(own, suffix)
            yield Fixture(f"{name}, {suffix}", 3, own)


def _flip_in(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(_flipped(content, len(content) // 2))


def _exchange(first: Path, second: Path) -> None:
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def _rewrite(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def _unreadable(folder: Path) -> Iterator[Fixture]:
    for suffix in ("png", "mp4", "mov", "mkv", "jpg", "tif"):
        (folder / f"empty.{suffix}").touch()
        yield Fixture(f"an empty {suffix}", 4, folder / f"empty.{suffix}")
        (folder / f"noise.{suffix}").write_bytes(bytes(range(7, 250)) * 20)
        yield Fixture(f"noise named {suffix}", 4, folder / f"noise.{suffix}")
        yield Fixture(f"no {suffix} there", 4, folder / f"none.{suffix}")
    (folder / "folder").mkdir()
    yield Fixture("an empty folder", 4, folder / "folder")
    content = still(folder).read_bytes()
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    yield Fixture("half a png", 4, folder / "cut.png")
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile still.png\n")
    yield Fixture("a playlist named mp4", 4, folder / "list.mp4")


def _contradicting(folder: Path) -> Iterator[Fixture]:
    own = signing_keys()
    for suffix in ("png", "mp4"):
        bare = _bare_still(folder) if suffix == "png" else _bare_movie(folder, suffix)
        strange = sign_as(bare, folder / f"strange.{suffix}", own, source_type="http://example.org/x")
        yield Fixture(f"a {suffix} of a source type that is none", 5, strange)
        claimed = sign_as(bare, folder / f"claimed.{suffix}", own, source_type=_CAPTURE, tool="Deep Video Portraits")
        yield Fixture(f"a {suffix} that we made and that was filmed", 5, claimed)
    lies: dict[str, tuple[bytes, bytes]] = {
        "another source type": (b"/trainedAlgorithmicMedia", b"/compositeWithTrainedAlgorithmicMedia"),
        "another number of frames": (b'"frame_count":4', b'"frame_count":3'),
        "another consent record": (b'"consent_sha256":"', b'"consent_sha256":"0'),
        "another key": (b'"key":"key3"', b'"key":"key9"'),
        "a file outside its folder": (b'"file":"frame.0100.png"', b'"file":"../frame.0100.png"'),
    }
    for name, (old, new) in lies.items():
        yield Fixture(f"a list that says {name}", 5, _lying(folder / name, old, new))


def _lying(folder: Path, old: bytes, new: bytes) -> Path:
    """Publish a sequence by a writer that signs what is not so."""
    own = sequence(folder)
    honest = FrameList.to_bytes
    label = replace(Label(is_plate_kept=False), consent_sha256="c" * 64)
    with patch.object(FrameList, "to_bytes", lambda frames: honest(frames).replace(old, new)):
        publish_frame_list(own, sorted(own.glob("frame.*.png")), label=label)
    return own
