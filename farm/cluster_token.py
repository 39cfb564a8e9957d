"""Whether a Ray cluster that is to be joined is closed to strangers: Ray starts open where nobody asks for a token."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dvp_core.data.errors import DataError


def require_private_token() -> None:
    """Refuse a cluster that anybody may command.

    Raises:
        DataError: Authentication is off, or the token's file is missing or readable for others.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise DataError(
            "the environment does not ask for token authentication, so the cluster may be open to all",
            where="RAY_AUTH_MODE",
            remedy="start Ray and the farm head with RAY_AUTH_MODE=token and one token file",
        )
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if not path.is_file():
        raise DataError("the cluster's token is missing", where=path, remedy="copy it from the cluster's head")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DataError("the cluster's token can be read by other users", where=path, remedy=f"chmod 600 {path}")
