# SPDX-License-Identifier: GPL-3.0-or-later
"""`dvp addon ...`: one function a subcommand, found through the entry point `addon`. Needs no Blender."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .build import build_addon


def build(*, output: Path = Path("dist")) -> dict[str, Any]:
    """Build the Blender extension, a zip to install from Preferences > Get Extensions > Install from Disk.

    Args:
        output: The zip to write, or the folder to put it in.
    """
    path = build_addon(output)
    return {"extension": str(path), "bytes": path.stat().st_size}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {"build": build}
