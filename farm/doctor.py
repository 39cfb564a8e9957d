"""Looks at a farm's site and says what works, what does not, and what to do about it. It changes nothing.

The one thing it writes is an empty file in each root, which is gone again at once: only so can it be told whether
frames could be written there, and whether the storage's clock and this machine's agree.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from dvp_core.data.errors import DataError
from dvp_core.data.files import parse_json
from dvp_core.data.generator_header import SUFFIX, read_generator_input
from farm.client import FarmClient, FarmError
from farm.cluster_token import require_private_token
from farm.roots import Roots

Verdict = Literal["ok", "warn", "bad"]
_PACKAGE = "deep-video-portraits"
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 10 << 30, 1 << 30
_FEW_FILES = 10_000
_LARGEST_SKEW_S = 5.0
_NETWORK_STORAGE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs"}
_PRIVATE = ("tokens.json", "connection.json", "webhook-secret", "ledger.sqlite")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        verdict: ok; warn where something may go wrong; bad where it will.
        detail: What was found.
        remedy: What to do, where it is not ok.
    """

    name: str
    verdict: Verdict
    detail: str
    remedy: str | None = None


def examine_site(roots: Mapping[str, Path], state: Path, client: FarmClient | FarmError) -> list[Finding]:
    """Return everything found out about a site.

    Args:
        roots: The folders that jobs name; they need not exist.
        state: The head's state folder; it need not exist.
        client: The head, or why none is known.
    """
    findings = [found for name, folder in roots.items() for found in _root(name, folder)]
    if not roots:
        findings.append(Finding("roots", "warn", "none is known", "name them: --root name=/folder"))
    findings += [*_state(state), _ray(), _cluster(), *_ledger(state), *_generators(roots, state), _head(client)]
    return findings


def _root(name: str, folder: Path) -> Iterator[Finding]:
    label = f"root {name}"
    if not folder.is_dir():
        yield Finding(label, "bad", f"{folder} is no folder", "make or mount it, or correct the head's --root")
        return
    try:
        skew_s = _skew_s(folder)
    except OSError as error:
        remedy = "fine for inputs alone; for frames, let the workers' user write there"
        yield Finding(label, "warn", f"{folder} cannot be written ({error.strerror})", remedy)
    else:
        yield Finding(label, "ok", f"{folder} can be read and written")
        yield _clock(f"clock of {label}", skew_s)
    yield _space(f"space of {label}", folder)


def _skew_s(folder: Path) -> float:
    """Return by how many seconds the storage's clock is ahead of this machine's."""
    with tempfile.NamedTemporaryFile(prefix=".dvp-doctor-", dir=folder) as probe:
        before_s = time.time()
        os.utime(probe.name)  # the storage's own time, not ours
        written_s = os.stat(probe.name).st_mtime
        after_s = time.time()
    return written_s - after_s if written_s > after_s else min(0.0, written_s - before_s)


def _clock(label: str, skew_s: float) -> Finding:
    if abs(skew_s) > _LARGEST_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        return Finding(label, "warn", f"{abs(skew_s):.0f} s {side} this machine's", "let both follow one time server")
    return Finding(label, "ok", f"within {_LARGEST_SKEW_S:.0f} s of this machine's")


def _space(label: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free"
    remedy = "make room; a job on a full disk pauses"
    if free < _LITTLE_BYTES:
        return Finding(label, "bad" if free < _TOO_LITTLE_BYTES else "warn", text, remedy)
    facts = os.statvfs(folder) if hasattr(os, "statvfs") else None
    if facts is not None and 0 < facts.f_files and facts.f_favail < _FEW_FILES:
        return Finding(label, "warn", f"{text}, but room for only {facts.f_favail} more files", remedy)
    return Finding(label, "ok", text)


def _state(state: Path) -> Iterator[Finding]:
    if not state.is_dir():
        yield Finding("state folder", "ok", f"{state} is not there yet; the first head makes it")
        return
    yield _space("space of state folder", state)
    kind = _storage_of(state)
    if kind in _NETWORK_STORAGE:
        remedy = "put it on a local disk with --state; SQLite's locks do not work over the network"
        yield Finding("state folder", "bad", f"{state} lies on {kind}", remedy)
    loose = [state / name for name in _PRIVATE if _is_loose(state / name)]
    if loose:
        remedy = f"chmod 600 {' '.join(map(str, loose))}"
        yield Finding("private files", "bad", f"others can read {', '.join(path.name for path in loose)}", remedy)
    else:
        yield Finding("private files", "ok", f"{state}: nobody else can read them")


def _is_loose(path: Path) -> bool:
    return os.name != "nt" and path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _storage_of(folder: Path) -> str:
    """Return the kind of file system that a folder lies on, empty where the machine does not tell."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    real = folder.resolve()
    holding = [(len(point), kind) for point, kind in mounts if real.is_relative_to(point)]
    return max(holding)[1] if holding else ""


def _ray() -> Finding:
    wanted = next(text for text in requires(_PACKAGE) or [] if re.match(r"ray\b", text))
    remedy = f"pip install '{wanted}'"
    try:
        found = version("ray")
    except PackageNotFoundError:
        return Finding("Ray", "bad", "not installed", remedy)
    limits = re.findall(r"(>=|<)([0-9.]+)", wanted)
    is_wanted = all((_numbers(found) >= _numbers(limit)) == (side == ">=") for side, limit in limits)
    return Finding("Ray", "ok", found) if is_wanted else Finding("Ray", "bad", f"{found}, not {wanted}", remedy)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text)[:3])


def _cluster() -> Finding:
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return Finding("Ray's token", "ok", "the head's own cluster has one; set RAY_AUTH_MODE=token to join another")
    try:
        require_private_token()
    except DataError as error:
        return Finding("Ray's token", "bad", f"{error.where}: {error.what}", error.remedy)
    return Finding("Ray's token", "ok", "there, and private")


def _ledger(state: Path) -> Iterator[Finding]:
    path = state / "ledger.sqlite"
    if not path.is_file():
        yield Finding("ledger", "ok", f"{path} is not there yet")
        return
    try:
        with closing(_opened(path)) as database:
            verdict = database.execute("PRAGMA quick_check").fetchone()[0]
            count, last_s = database.execute("SELECT COUNT(*), MAX(submitted_s) FROM jobs").fetchone()
    except sqlite3.Error as error:
        verdict, count, last_s = str(error), 0, None
    if verdict != "ok":
        remedy = "restore a copy, or move it away: finished frames are found again by their keys"
        yield Finding("ledger", "bad", f"{path} is damaged ({verdict})", remedy)
        return
    yield Finding("ledger", "ok", f"{count} jobs, sound")
    behind_s = (last_s or 0.0) - time.time()
    if behind_s > _LARGEST_SKEW_S:
        text = f"{behind_s:.0f} s behind the ledger's newest job"
        yield Finding("clock", "warn", text, "set this machine's clock; `gc` tells a job's age by it")


def _opened(path: Path) -> sqlite3.Connection:
    """Open the ledger for reading alone, beside a head that may be writing."""
    return sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=5.0)


def _generators(roots: Mapping[str, Path], state: Path) -> Iterator[Finding]:
    """Look at the generators in the roots themselves, and at those of unfinished jobs wherever they are."""
    there = {folder.resolve(): folder for folder in roots.values() if folder.is_dir()}
    lying = {path for folder in there for path in folder.glob(f"*{SUFFIX}")}
    wanted, lost = _wanted_generators(Roots(dict(roots)), state)
    yield from lost
    sound_count = 0
    for path in sorted(lying | wanted):
        try:
            read_generator_input(path)
            sound_count += 1
        except DataError as error:
            yield Finding(f"generator {path.name}", "bad" if path in wanted else "warn", error.what, error.remedy)
    if sound_count:
        yield Finding("generators", "ok", f"{sound_count} can be read")


def _wanted_generators(roots: Roots, state: Path) -> tuple[set[Path], list[Finding]]:
    """Return the files that unfinished jobs name, and what is wrong with the names."""
    path = state / "ledger.sqlite"
    query = "SELECT id, content FROM jobs WHERE state IN ('queued', 'active', 'paused')"
    try:
        with closing(_opened(path)) as database:
            rows = database.execute(query).fetchall() if path.is_file() else []
    except sqlite3.Error:
        return set(), []
    found: set[Path] = set()
    lost: list[Finding] = []
    for job_id, content in rows:
        try:
            found.add(roots.resolve(parse_json(content, where=job_id)["generator"]))
        except DataError as error:
            lost.append(Finding(f"job {job_id}", "bad", f"its generator: {error.what}", "correct the head's --root"))
    return found, lost


def _head(client: FarmClient | FarmError) -> Finding:
    remedy = "start it: dvp farm head --root name=/folder"
    if isinstance(client, FarmError):
        return Finding("head", "warn", str(client), remedy)
    own = version(_PACKAGE)
    try:
        theirs = client.version()["version"]
        client.jobs()
    except FarmError as error:
        is_there = error.status is not None
        remedy = "ask for a token: dvp farm user add NAME" if error.status == 401 else remedy
        return Finding("head", "bad" if is_there else "warn", f"{client.url}: {error}", remedy)
    if theirs != own:
        remedy = "install one version everywhere"
        return Finding("head", "warn", f"{client.url} has version {theirs}, this machine {own}", remedy)
    return Finding("head", "ok", f"{client.url} answers, version {theirs}")
