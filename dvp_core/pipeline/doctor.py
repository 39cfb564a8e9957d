"""Looks at a machine and says what works, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from re import match, search

from dvp_core.landmarks import weights_status
from dvp_core.trust import keys_status

DISTRIBUTION = "deep-video-portraits"
_CHILD_LIMIT_S = 120
_WANTED_FREE_BYTES = 10 << 30
_WANTED_MEMORY_BYTES = 8 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        is_fine: Whether the program can work with it.
        detail: What was found; where it is not fine, what to do.
        is_needed: Whether the program cannot do its main job without it.
    """

    name: str
    is_fine: bool
    detail: str
    is_needed: bool = True


def examine(folder: Path | str = ".") -> list[Finding]:
    """Return everything found out about this machine.

    Args:
        folder: Where the work will be done; its disk is looked at.
    """
    checks: tuple[Callable[[], list[Finding]], ...] = (
        _machine,
        _packages,
        _programs,
        _weights,
        _keys,
        lambda: [_disk(Path(folder))],
    )
    return [finding for check in checks for finding in check()]


def _machine() -> list[Finding]:
    python = platform.python_version()
    is_right_python = sys.version_info[:2] == (3, 11)
    cores = os.cpu_count() or 1
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return [
        Finding("Python", is_right_python, python if is_right_python else f"{python}; Blender's wheels need 3.11"),
        Finding("cores", True, str(cores)),
        Finding(
            "memory", memory_bytes >= _WANTED_MEMORY_BYTES, f"{memory_bytes / (1 << 30):.0f} GiB; 8 GiB are wanted"
        ),
    ]


def _packages() -> list[Finding]:
    """Look for every package that the project asks for, by name; versions are the installer's business."""
    findings = []
    for requirement in requires(DISTRIBUTION) or []:
        extra = search(r"extra == ['\"]([\w-]+)", requirement)
        if extra is not None and extra[1] == "test":
            continue
        name = (match(r"[A-Za-z0-9_.-]+", requirement) or [requirement])[0]
        is_extra = extra is not None
        try:
            findings.append(Finding(name, True, version(name), not is_extra))
        except PackageNotFoundError:
            remedy = f"pip install '{DISTRIBUTION}[{extra[1]}]'" if extra else f"pip install {name}"
            findings.append(Finding(name, False, f"not installed: {remedy}", not is_extra))
    return findings


def _programs() -> list[Finding]:
    """Start the heavy libraries in processes of their own: a missing system library kills only the child."""
    blender = _child("import bpy; print(bpy.app.version_string)")
    cuda = _child("import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')")
    is_cuda = cuda.is_fine and bool(cuda.detail)
    return [
        Finding("Blender starts", blender.is_fine, blender.detail),
        Finding("GPU", is_cuda, cuda.detail or "none that torch can use; all work runs on the CPU", False),
    ]


def _child(code: str) -> Finding:
    try:
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_CHILD_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(code, False, f"no answer in {_CHILD_LIMIT_S} s")
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    return Finding(code, result.returncode == 0, lines[-1] if lines else "")


def _weights() -> list[Finding]:
    return [
        Finding(f"{status.detector} weights", status.is_present, status.detail, False) for status in weights_status()
    ]


def _keys() -> list[Finding]:
    status = keys_status()
    return [Finding("signing keys", status.is_present, status.detail, False)]


def _disk(folder: Path) -> Finding:
    free_bytes = shutil.disk_usage(folder).free
    return Finding(
        "free disk", free_bytes >= _WANTED_FREE_BYTES, f"{free_bytes / (1 << 30):.0f} GiB; 10 GiB are wanted"
    )
