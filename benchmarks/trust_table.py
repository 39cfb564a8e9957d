"""Measure the acceptance table of labels, consent and verification row by row.

    python benchmarks/trust_table.py [--rows L1,V2] [--every 1] [--clips FOLDER]

Everything happens in a temporary folder, with signing keys of its own. `--clips` names a folder of real clips whose
pictures the watermark is tried on besides the built-in actor's. `--every 7` turns over every seventh byte in V2;
`--clip-count` and `--key-count` say how many clips and secrets the watermark is tried with: with fewer than demanded L6
and L7 do not hold.

Prints one JSON list last: for each row its `id`, what is `demanded`, what was `measured`, and whether it `holds`; where
that is false or null a `reason` says why in plain words. A row that broke is false, with its error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trust_rows import bad_input, consent, detector, label, marks, mutation, verification
from trust_rows.row import Finding, Row, Scene

from dvp_core.trust.keys import KEYS_VARIABLE, signing_keys
from dvp_core.trust.state import STATE_VARIABLE

ROWS: tuple[Row, ...] = (
    *label.ROWS,
    *marks.ROWS,
    mutation.ROW,
    *consent.ROWS,
    *verification.ROWS,
    *detector.ROWS,
    *bad_input.ROWS,
)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(row.id for row in ROWS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--clip-count", type=int, default=20)
    parser.add_argument("--key-count", type=int, default=1000)
    arguments = parser.parse_args(words)
    wanted = set(arguments.rows.split(","))
    unknown = wanted - {row.id for row in ROWS}
    if unknown:
        parser.error(f"there is no row {sorted(unknown)[0]}")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="dvp-trust-") as name:
        os.environ[KEYS_VARIABLE] = str(Path(name) / "keys")
        os.environ[STATE_VARIABLE] = str(Path(name) / "state")
        signing_keys()
        scene = Scene(Path(name), arguments.clips, arguments.every, arguments.clip_count, arguments.key_count)
        results = [result_of(row, scene) for row in ROWS if row.id in wanted]
    sys.stdout.write(json.dumps(results, indent=1) + "\n")
    return 0


def result_of(row: Row, scene: Scene) -> dict[str, Any]:
    """Return one row's result; an error of its own measure is what it says."""
    started_s = time.monotonic()
    try:
        finding = row.measure(scene)
    except Exception as error:  # noqa: BLE001 - one broken row must not hide the others
        finding = Finding(None, False, f"the measure broke: {type(error).__name__}: {error}")
    told = {True: "holds", False: "does not hold", None: "not measured"}[finding.holds]
    sys.stderr.write(f"{row.id} {told} ({time.monotonic() - started_s:.1f} s) {finding.reason or ''}\n")
    sys.stderr.write(f"   {json.dumps(finding.measured)}\n")  # a long run that is stopped has told what it knew
    result = {"id": row.id, "demanded": row.demanded, "measured": finding.measured, "holds": finding.holds}
    return result if finding.reason is None else {**result, "reason": finding.reason}


if __name__ == "__main__":
    sys.exit(main())
