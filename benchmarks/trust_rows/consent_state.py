"""C2 and C4: random lives of a consent, and ledgers that were tampered with."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.trust import (
    ConsentRefusedError,
    ConsentTerms,
    Work,
    admit,
    enter,
    ledger_path,
    new_consent,
    read_consent,
    read_ledger,
    revoke,
    write_consent,
)
from dvp_core.video import clip_sha256
from trust_rows.line import make_plate
from trust_rows.row import Finding, Scene, judged

_STEPS = 10_000
_BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
_LINES = 12
_TAMPERED = 300


def random_lives(scene: Scene) -> Finding:
    """C2: grant, revoke, let time pass, work - by a model that knows only dates, whatever the gate thinks."""
    folder, draw = scene.new_folder("C2"), random.Random(2)
    plate = make_plate(folder)
    work = Work("render", clips_sha256=(clip_sha256(plate),))
    record, now, ends, is_revoked = folder / "c.json", _BEGIN, _BEGIN, True
    counts = dict.fromkeys(("granted", "revoked", "rendered", "refused", "wrongly rendered", "wrongly refused"), 0)
    with _own_state(folder):
        for _ in range(_STEPS):
            step = draw.choices(("grant", "revoke", "wait", "work"), (1, 1, 3, 15))[0]
            if step == "grant":
                days = draw.randint(1, 30)
                (folder / "c.revoked.json").unlink(missing_ok=True)
                terms = ConsentTerms(uses=("Re-animate the mouth",))
                write_consent(record, new_consent(plate, terms, not_before=now, validity_days=days))
                ends, is_revoked = now + timedelta(days=days), False
                counts["granted"] += 1
            elif step == "revoke" and record.exists():
                revoke(read_consent(record), record)
                is_revoked = True
                counts["revoked"] += 1
            elif step == "wait":
                now += timedelta(days=draw.randint(0, 10))
            elif step == "work":
                is_done, is_allowed = _is_admitted(record, work, now), not is_revoked and now <= ends
                counts["rendered" if is_done else "refused"] += 1
                counts["wrongly rendered"] += is_done and not is_allowed
                counts["wrongly refused"] += is_allowed and not is_done
    is_right = counts["wrongly rendered"] == counts["wrongly refused"] == 0
    return judged({"steps": _STEPS} | counts, is_right, "the gate and a plain count of days differ")


def _is_admitted(record: Path, work: Work, now: datetime) -> bool:
    try:
        admit(record, work, now=now)
    except ConsentRefusedError:
        return False
    return True


def tampered_ledgers(scene: Scene) -> Finding:
    """C4: one line changed, dropped, exchanged with another or put in twice, at a random place."""
    folder, draw = scene.new_folder("C4"), random.Random(4)
    with _own_state(folder):
        for number in range(_LINES):
            enter("still", f"{number:064d}", consent_sha256="c" * 64)
        path = ledger_path()
        lines = path.read_text().splitlines()
        found = sum(_is_found(path, _TAMPERINGS[number % len(_TAMPERINGS)](lines, draw)) for number in range(_TAMPERED))
        path.write_text("".join(f"{line}\n" for line in lines))
        is_whole_again = len(read_ledger()) == _LINES
    measured = {"tampered": _TAMPERED, "found": found, "untouched_holds": is_whole_again}
    return judged(measured, found == _TAMPERED and is_whole_again, "a tampered ledger was not found out")


def _is_found(path: Path, lines: list[str]) -> bool:
    path.write_text("".join(f"{line}\n" for line in lines))
    try:
        read_ledger()
    except DataError:
        return True
    return False


def _changed(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(lines))
    entry = json.loads(lines[place])
    name = draw.choice(sorted(entry))
    entry[name] = {"number": 99, "inputs_sha256": {"take": "d" * 64}}.get(name, "e" * 64)
    changed = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return [*lines[:place], changed, *lines[place + 1 :]]


def _dropped(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(lines))
    return [*lines[:place], *lines[place + 1 :]]


def _exchanged(lines: list[str], draw: random.Random) -> list[str]:
    first, second = sorted(draw.sample(range(len(lines)), 2))
    swapped = list(lines)
    swapped[first], swapped[second] = lines[second], lines[first]
    return swapped


def _put_in(lines: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(lines))
    return [*lines[:place], lines[place], *lines[place:]]


_TAMPERINGS: tuple[Callable[[list[str], random.Random], list[str]], ...] = (_changed, _dropped, _exchanged, _put_in)


@contextmanager
def _own_state(folder: Path) -> Iterator[None]:
    """Keep ledger and revocations in a folder for the block."""
    before = os.environ.get("DVP_STATE")
    os.environ["DVP_STATE"] = str(folder / "state")
    try:
        yield
    finally:
        os.environ.pop("DVP_STATE") if before is None else os.environ.update(DVP_STATE=before)
