"""`python -m tools.chaos [--seed N] [--frames N]`: the long form of the chaos run; one JSON object comes last.

As root on Linux it runs in namespaces of its own (processes, mounts, network), where it can fill disks, unmount shares
and cut cables without harming anybody, and where nothing survives it. Elsewhere it leaves those faults out and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.chaos.run import ChaosOptions, run_chaos

ALONE = {
    "worker killed": 6,
    "worker frozen": 2,
    "head killed": 3,
    "head frozen": 1,
    "raylet killed under the head": 2,
    "two heads": 1,
    "clock jump": 2,
    "disk full reported": 1,
    "share gone": 1,
    "poison frame": 3,
    "hanging frame": 1,
    "frame deleted": 2,
    "frame cut": 2,
    "frame bit flipped": 2,
    "input cut": 2,
    "submitted again": 2,
    "ledger damaged": 3,
}
ON_A_DISK = {"disk full": 2, "share gone": 2}
JOINED = {
    "worker killed": 3,
    "worker frozen": 1,
    "head killed": 1,
    "raylet killed": 2,
    "Ray's head killed": 2,
    "network cut": 3,
    "split brain": 3,
    "clock jump": 1,
    "disk full": 1,
    "share gone": 1,
    "poison frame": 1,
    "frame deleted": 1,
    "frame cut": 1,
    "frame bit flipped": 1,
    "input cut": 1,
    "submitted again": 1,
    "ledger damaged": 1,
}
_DISK_BYTES = 96 << 20
_NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
_INSIDE = "--inside"


def main() -> None:
    """Run, in namespaces where they can be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="a folder, which must not exist, to leave everything in")
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside and _has_namespaces():
        sys.exit(subprocess.run([*_NAMESPACES, sys.executable, "-m", "tools.chaos", *sys.argv[1:], _INSIDE]).returncode)
    sys.exit(_run(options.seed, options.frames, options.keep, is_inside=options.inside))


def _has_namespaces() -> bool:
    if not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*_NAMESPACES, "true"], stderr=subprocess.DEVNULL).returncode == 0


def _run(seed: int, frame_count: int, keep: Path | None, *, is_inside: bool) -> int:
    started_s = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started_s:6.1f} s  {text}", flush=True)

    if is_inside:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    else:
        say("without root: no full disk, no lazy unmount, no cut cable, no second node")
    base = Path(tempfile.mkdtemp(prefix="dvp-chaos-", dir="/tmp" if os.path.isdir("/tmp") else None))
    os.environ["DVP_KEYS"] = str(base / "keys")
    try:
        result = run_chaos(
            ChaosOptions(
                keep or base / "run",
                ALONE | ON_A_DISK if is_inside else ALONE,
                JOINED if is_inside else {},
                seed=seed,
                frame_count=frame_count,
                disk_bytes=_DISK_BYTES if is_inside else 0,
            ),
            say=say,
        )
    finally:
        shutil.rmtree(base, ignore_errors=True)
    for problem in result["problems"]:
        say(problem)
    print(json.dumps(result))
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    main()
