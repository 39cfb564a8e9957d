"""Where this installation keeps what it must remember: the ledger of outputs and the revocations."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "DVP_STATE"


def state_folder() -> Path:
    """Return the folder: `DVP_STATE`, else one in the user's folder for state; it need not exist."""
    if chosen := os.environ.get(STATE_VARIABLE):
        return Path(chosen).expanduser()
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "deep-video-portraits"
