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
    "worker killed": 4,
    "worker frozen": 1,
    "head killed": 2,
    "head frozen": 1,
    "raylet killed under the head": 2,
    "two heads": 1,
    "clock jump": 1,
    "disk full reported": 2,
    "share gone": 1,
    "poison frame": 2,
    "hanging frame": 1,
    "frame deleted": 1,
    "frame cut": 1,
    "frame bit flipped": 1,
    "input cut": 1,
    "submitted again": 1,
    "ledger damaged": 1,
}
"""With a Ray of the head's own, which needs no root: all there is where namespaces cannot be had."""
JOINED = {
    "worker killed": 4,
    "worker frozen": 1,
    "head killed": 2,
    "head frozen": 1,
    "raylet killed": 2,
    "Ray's head killed": 1,
    "network cut": 2,
    "split brain": 2,
    "two heads": 1,
    "clock jump": 3,
    "disk full": 3,
    "share gone": 2,
    "poison frame": 3,
    "hanging frame": 1,
    "frame deleted": 3,
    "frame cut": 3,
    "frame bit flipped": 3,
    "input cut": 3,
    "submitted again": 3,
    "ledger damaged": 2,
}
"""In a cluster of two nodes, over which the head does not take Ray down with it."""
AFTERWARDS = {"raylet killed under the head": 1, "worker killed": 1, "disk full reported": 1, "frame deleted": 1}
"""After `JOINED`, with a Ray of the head's own."""
_DISK_BYTES = 96 << 20
_NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
_INSIDE = "--inside"


def main() -> None:
    """Run, in namespaces where they can be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="frames without a network, for a machine that is busy")
    parser.add_argument("--keep", type=Path, help="a folder, which must not exist, to leave everything in")
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside and _has_namespaces():
        sys.exit(subprocess.run([*_NAMESPACES, sys.executable, "-m", "tools.chaos", *sys.argv[1:], _INSIDE]).returncode)
    sys.exit(_run(options))


def _has_namespaces() -> bool:
    if not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*_NAMESPACES, "true"], stderr=subprocess.DEVNULL).returncode == 0


def _run(options: argparse.Namespace) -> int:
    is_inside: bool = options.inside
    started_s = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started_s:6.1f} s  {text}", flush=True)

    if is_inside:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    else:
        say("without root: no full disk, no lazy unmount, no cut cable, no second node")
    base = Path(tempfile.mkdtemp(prefix="dvp-chaos-", dir="/tmp" if os.path.isdir("/tmp") else None))
    os.environ |= {"DVP_KEYS": str(base / "keys"), "DVP_STATE": str(base / "state of outputs")}
    try:
        result = run_chaos(
            ChaosOptions(
                options.keep or base / "run",
                AFTERWARDS if is_inside else ALONE,
                JOINED if is_inside else {},
                seed=options.seed,
                frame_count=options.frames,
                is_quick=options.quick,
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
