"""Runs what tests Blender on each version served, every one in an environment of its own: `make test-blender`.

An environment is a folder `.venv-blender/<version>` with that version of pip's bpy and nothing else: all other
packages are those of the interpreter that runs this script, so that the versions differ in Blender alone. They are made
where they are missing. Blender keeps versions that PyPI has dropped under https://download.blender.org/pypi/; pip looks
there too when PIP_EXTRA_INDEX_URL names it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("4.2.23", "4.5.15", "5.0.1")
TESTS = ("tests/blender", "tests/exchange/test_in_blender.py")
# As a module, Blender 4.2 frees the classes of its own panels after Python has ended, and may die of it. So the process
# ends at once; that the add-on lets Blender end in order is a test of its own, in a process of its own.
RUN = "import os, sys, pytest; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What became of the tests on one version.

    Attributes:
        version: Blender's.
        passed: Tests that passed.
        failed: Tests that failed or could not run.
        skipped: Tests that were left out.
        seconds: Wall time of the whole run, Blender's start included.
    """

    version: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def environment_of(version: str) -> Path:
    """Return the interpreter that has this version of bpy, its environment made where it is missing."""
    folder = ROOT / ".venv-blender" / version
    interpreter = folder / "bin" / "python"
    marker = folder / ".installed"
    if marker.exists():
        return interpreter
    print(f"Installing bpy {version} into {folder.relative_to(ROOT)} (about 370 MB to fetch)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", f"bpy=={version}"], check=True)
    shared = sysconfig.get_path("purelib")
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")  # behind its own: its bpy wins
    marker.touch()
    return interpreter


def run_tests(version: str) -> Outcome:
    """Run the tests on one version and return the counts."""
    interpreter = environment_of(version)
    report = ROOT / ".venv-blender" / f"{version}.xml"
    report.unlink(missing_ok=True)
    print(f"\n=== Blender {version}", flush=True)
    words = [str(interpreter), "-c", RUN, *TESTS, f"--junitxml={report}", "-p", "no:cacheprovider"]
    started = time.monotonic()
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "."}, check=False)
    seconds = time.monotonic() - started
    if not report.exists():
        raise SystemExit(f"The tests on Blender {version} ended with code {done.returncode} before they could report")
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    total, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    return Outcome(version, total - failed - skipped, failed, skipped, seconds)


def main() -> int:
    """Run every version asked for, print a table, and return 1 where something failed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "versions", nargs="*", default=VERSIONS, help="versions of bpy; those served where none is named"
    )
    outcomes = [run_tests(version) for version in parser.parse_args().versions]
    print(f"\n{'Blender':10}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for outcome in outcomes:
        counts = f"{outcome.passed:8}{outcome.failed:8}{outcome.skipped:9}"
        print(f"{outcome.version:10}{counts}{outcome.seconds:9.1f}")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
