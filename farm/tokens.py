"""Who may talk to the head: one token a user, kept as hashes in a file that only its owner can read.

A token is 256 random bits, so a plain SHA-256 of it cannot be guessed back. The file holds no clear token; the one
made for the head's own user stands in the connection file, private like it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json
from farm.file_lock import try_lock

Role = Literal["submit", "operate"]
_PATIENCE_S = 5.0
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True)
class User:
    """Someone with a token: `submit` may act on own jobs, `operate` on all."""

    name: str
    role: Role
    token_sha256: str


def read_users(path: Path) -> tuple[User, ...]:
    """Return the users of a token file.

    Raises:
        DataError: Other users of the machine can read the file, or it is not a token file.
    """
    if not path.is_file():
        return ()
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DataError("other users can read the token file", where=path, remedy=f"chmod 600 {path}")
    content = read_json(path)
    entries = content.get("users") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise DataError("is not a token file", where=path, remedy="move it away; `dvp farm head` makes another")
    return tuple(_user_of(entry, path) for entry in entries)


def _user_of(entry: object, path: Path) -> User:
    values = entry if isinstance(entry, dict) else {}
    name, role, digest = (str(values.get(field, "")) for field in ("name", "role", "token_sha256"))
    if not _USER.fullmatch(name) or role not in get_args(Role) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise DataError(f"the entry of user {name!r} is damaged", where=path)
    return User(name, role, digest)  # pyright: ignore[reportArgumentType]


def add_user(path: Path, *, name: str, role: Role, may_replace: bool = True) -> str:
    """Give a user a new token and return it; it is shown this once.

    Args:
        path: The token file; made where it is missing.
        name: The user.
        role: What they may do.
        may_replace: Whether a user who is known already gets another token in place of theirs.

    Raises:
        DataError: The name is none, or is known already and must not be replaced.
    """
    if not _USER.fullmatch(name):
        raise DataError(f"{name!r} is not a user name", remedy="use letters, digits and . _ @ -, 64 at most")
    token = secrets.token_urlsafe(32)
    with _changing(path):
        users = read_users(path)
        others = [user for user in users if user.name != name]
        if len(others) < len(users) and not may_replace:
            raise DataError(f"the user {name!r} has a token already", where=path, remedy="--renew ends it for another")
        write_private(path, _content([*others, User(name, role, sha256_of_token(token))]))
    return token


def remove_user(path: Path, *, name: str) -> None:
    """Revoke a user's token."""
    with _changing(path):
        users = read_users(path)
        if name not in {user.name for user in users}:
            raise DataError(f"there is no user {name!r}", where=path)
        write_private(path, _content([user for user in users if user.name != name]))


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Hold the token file for a change, so that of two at once neither undoes the other's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    patience_end_s = time.monotonic() + _PATIENCE_S
    while (lock := try_lock(path.with_name(path.name + ".lock"))) is None:
        if time.monotonic() > patience_end_s:
            raise DataError("somebody else is changing the users", where=path, remedy="try again")
        time.sleep(0.02)
    try:
        yield
    finally:
        os.close(lock)


def user_of_token(users: tuple[User, ...], token: str) -> User | None:
    """Return whose token this is; every user is compared, so that the time taken tells nothing."""
    digest = sha256_of_token(token)
    found: User | None = None
    for user in users:
        if hmac.compare_digest(user.token_sha256, digest):
            found = user
    return found


def sha256_of_token(token: str) -> str:
    """Return the hash under which a token is kept."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def write_connection(path: Path, *, url: str, token: str, authority: Path | None = None) -> None:
    """Write the private file with which the head's own user reaches it without typing a token."""
    content = {"url": url, "token": token} | ({} if authority is None else {"ca": str(authority.resolve())})
    write_private(path, canonical_json(content))


def read_connection_token(path: Path) -> str | None:
    """Return the token of a connection file that was written before, None where there is none."""
    try:
        token = json.loads(path.read_text()).get("token")
    except (OSError, ValueError, AttributeError):
        return None
    return token if isinstance(token, str) else None


def write_private(path: Path, content: bytes) -> None:
    """Publish a file that nobody but its owner could ever read, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _content(users: list[User]) -> bytes:
    entries = [{"name": user.name, "role": user.role, "token_sha256": user.token_sha256} for user in users]
    return canonical_json({"users": entries})
