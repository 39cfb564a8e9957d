"""Sessions of the page: a code that works once becomes a token that ends by itself.

A browser shall not keep a user's own token, and no token may stand in an address. So whoever holds a token asks for a
code, the code travels in the part of the address that browsers send to nobody, and the page turns it into a session's
token. Kept are hashes only, in a private file, so that a head that was killed leaves nobody signed out.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from farm.tokens import User, sha256_of_token, write_private

CODE_LIFE_S = 60.0
SESSION_LIFE_S = 12 * 3600.0
_MOST_CODES = 100
_MOST_SESSIONS = 1000


@dataclass(frozen=True)
class Session:
    """A browser that is signed in.

    Attributes:
        user: Whose it is.
        made_with_sha256: Hash of the user's own token; the session ends when the user gets another.
        token_sha256: Hash of the session's token.
        ends_s: Seconds since 1970.
    """

    user: str
    made_with_sha256: str
    token_sha256: str
    ends_s: float


@dataclass
class Sessions:
    """The codes and sessions of one head; safe to use from several threads.

    Attributes:
        path: Private file of the sessions; made at the first sign-in.
        clock: Seconds since 1970, for the end of sessions.
        ticker: Monotonic seconds, for the end of codes.
    """

    path: Path
    clock: Callable[[], float] = time.time
    ticker: Callable[[], float] = time.monotonic
    _codes: dict[str, tuple[User, float]] = field(default_factory=dict)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._sessions = {session.token_sha256: session for session in _read(self.path)}

    def make_code(self, user: User) -> str:
        """Return a code with which a browser can sign in once as this user, within a minute."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            now_s = self.ticker()
            alive = [(digest, entry) for digest, entry in self._codes.items() if entry[1] > now_s]
            self._codes = dict(alive[-_MOST_CODES + 1 :])
            self._codes[sha256_of_token(code)] = (user, now_s + CODE_LIFE_S)
        return code

    def redeem(self, code: str) -> str | None:
        """Return the token of a new session, None where the code is unknown, used or too old."""
        with self._lock:
            user, ends_s = self._codes.pop(sha256_of_token(code), (None, 0.0))
            if user is None or ends_s <= self.ticker():
                return None
            token = secrets.token_urlsafe(32)
            digest = sha256_of_token(token)
            self._sessions[digest] = Session(user.name, user.token_sha256, digest, self.clock() + SESSION_LIFE_S)
            self._write()
        return token

    def user_of(self, token: str, users: tuple[User, ...]) -> User | None:
        """Return whose session this is, None where it has ended or its user's token was revoked or replaced."""
        session = self._sessions.get(sha256_of_token(token))
        if session is None or session.ends_s <= self.clock():
            return None
        made_with = session.made_with_sha256
        return next((user for user in users if hmac.compare_digest(user.token_sha256, made_with)), None)

    def end(self, token: str) -> bool:
        """End a session; return whether there was one."""
        with self._lock:
            was_there = self._sessions.pop(sha256_of_token(token), None) is not None
            if was_there:
                self._write()
        return was_there

    def _write(self) -> None:
        now_s = self.clock()
        alive = [session for session in self._sessions.values() if session.ends_s > now_s]
        self._sessions = {session.token_sha256: session for session in alive[-_MOST_SESSIONS:]}
        write_private(self.path, canonical_json({"sessions": [asdict(item) for item in self._sessions.values()]}))


def _read(path: Path) -> list[Session]:
    """Return the sessions kept before; a file that is none signs everybody out and is refused by name."""
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text())["sessions"]
        return [Session(**entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("is not a file of sessions", where=path, remedy="delete it; users sign in again") from error
