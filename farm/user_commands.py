"""`dvp farm user ...`: who may talk to the head. They work on the token file itself, so on the head's machine alone.

A running head reads that file for every call, so a new token works, and a revoked one ends, at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from dvp_core.data.errors import DataError
from farm.client import default_state_folder
from farm.command_line import say
from farm.tokens import Role, add_user, read_users, remove_user

UserName = tyro.conf.Positional[str]


def add(name: UserName, *, role: Role = "submit", renew: bool = False, state: Path | None = None) -> dict[str, Any]:
    """Give a user a token, which is shown this once.

    Args:
        name: Letters, digits and . _ @ -
        role: submit acts on own jobs, operate on all.
        renew: The user is known; their old token ends.
        state: The head's state folder.
    """
    path = _token_file(state)
    token = add_user(path, name=name, role=role, may_replace=renew)
    say(f"{name} ({role}); the token is shown this once:\n{token}")
    return {"name": name, "role": role, "token": token}


def list_users(*, state: Path | None = None) -> dict[str, Any]:
    """List the users and their roles; tokens cannot be shown, since only their hashes are kept.

    Args:
        state: The head's state folder.
    """
    users = sorted(read_users(_token_file(state)), key=lambda user: user.name)
    for user in users:
        say(f"{user.name}  {user.role}")
    return {"users": [{"name": user.name, "role": user.role} for user in users]}


def remove(name: UserName, *, state: Path | None = None) -> dict[str, Any]:
    """Revoke a user's token at once; their jobs stay.

    Args:
        name: As `list` shows it.
        state: The head's state folder.
    """
    path = _token_file(state)
    if not path.is_file():
        raise DataError("there are no users yet", where=path, remedy="name the head's state folder with --state")
    remove_user(path, name=name)
    say(f"{name} is revoked")
    return {"name": name, "state": "revoked"}


def _token_file(state: Path | None) -> Path:
    return (state or default_state_folder()) / "tokens.json"


USER_COMMANDS: dict[str, Callable[..., Any]] = {
    "user add": add,
    "user list": list_users,
    "user remove": remove,
}
