"""Tells an address of the operator's that a job is completed or has failed: signed, again and again until it is heard.

The address comes from the head's command line and from nowhere else, so no job can make the head call somebody. What
there is to tell is written down by the ledger in the same step that ends the job, and crossed out once the receiver has
answered; a head that is killed in between tells it once more. Headers and signature are those of Standard Webhooks
(https://www.standardwebhooks.com), for which receivers find libraries in most languages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import secrets
import sqlite3
import stat
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from farm.client import LOOPBACK, opener_of
from farm.errors import UnknownJobError
from farm.ledger import Ledger
from farm.reports import job_report
from farm.tokens import write_private

_TABLE = """
CREATE TABLE IF NOT EXISTS announcements (
    id TEXT PRIMARY KEY, job_id TEXT NOT NULL, event TEXT NOT NULL, body BLOB, attempts INTEGER NOT NULL DEFAULT 0)
"""
_TRIGGER = """
CREATE TRIGGER IF NOT EXISTS announce_ended_jobs AFTER UPDATE OF state ON jobs
WHEN NEW.state IN ('completed', 'failed') AND OLD.state <> NEW.state
AND EXISTS (SELECT 1 FROM meta WHERE name = 'announces_jobs' AND value = 1)
BEGIN
    INSERT INTO announcements (id, job_id, event) VALUES (lower(hex(randomblob(16))), NEW.id, 'job.' || NEW.state);
END
"""
_SECRET_PREFIX = "whsec_"
_ANSWER_TIMEOUT_S = 5.0
_LONGEST_DELAY_S = 900.0
_MOST_ATTEMPTS = 100
"""With the delays below it is given up after about a day."""


@dataclass(frozen=True)
class Webhook:
    """Whom to tell.

    Attributes:
        url: HTTPS, or HTTP on this machine.
        secret: Key of the signatures.
    """

    url: str
    secret: bytes = field(repr=False)


def open_webhook(url: str, secret_file: Path) -> Webhook:
    """Return a webhook whose address may be called; its secret is made where the file is missing.

    Raises:
        DataError: The address could carry reports unencrypted, or others can read the secret.
    """
    if not _may_be_called(url):
        raise DataError(
            "is no address that reports may be sent to",
            where="webhook",
            remedy="write https://host/path without a user's name, or http://127.0.0.1:port/path on this machine",
        )
    return Webhook(url, _secret_of(secret_file))


def _may_be_called(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        is_port_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    is_plain = all("!" <= letter <= "~" for letter in url) and parts.username is None and not parts.fragment
    return bool(parts.hostname) and is_port_fine and is_private and is_plain


def _secret_of(path: Path) -> bytes:
    if not path.exists():
        write_private(path, (_SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()).encode())
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DataError("other users can read the webhook's secret", where=path, remedy=f"chmod 600 {path}")
    try:
        secret = base64.b64decode(path.read_text().strip().removeprefix(_SECRET_PREFIX), validate=True)
    except (ValueError, OSError) as error:
        raise DataError(f"holds no secret ({error})", where=path, remedy="remove it; another is made") from error
    if len(secret) < 24:
        raise DataError("holds a secret of less than 24 bytes", where=path, remedy="remove it; another is made")
    return secret


def signature_of(secret: bytes, *, message_id: str, sent_s: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: HMAC-SHA256 over id, time and body, which nobody else can make."""
    signed = f"{message_id}.{sent_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def note_ended_jobs(ledger: Ledger, *, is_wanted: bool) -> None:
    """Make the ledger write down, or not, what there is to tell from now on; what waits already stays."""
    with ledger.batch() as database:
        database.execute(_TABLE)
        database.execute(_TRIGGER)
        database.execute("INSERT OR REPLACE INTO meta VALUES ('announces_jobs', ?)", (int(is_wanted),))


def delay_s(attempts: int) -> float:
    """Return how long to wait after so many attempts: 1 s, 2 s, 4 s, ... and 15 minutes at most."""
    return min(2.0 ** (attempts - 1), _LONGEST_DELAY_S)


@dataclass
class Announcer:
    """Sends what the ledger has to tell. It waits in a thread of its own, so that no receiver holds up the scheduler.

    Attributes:
        ledger: Open, and noting ended jobs.
        webhook: Whom to tell.
        clock: Seconds since 1970, for the receiver.
        monotonic: Seconds by which delays are measured.
    """

    ledger: Ledger
    webhook: Webhook
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _due_s: dict[str, float] = field(default_factory=dict)

    def turn(self, *, is_over: Callable[[], bool] = lambda: False) -> int:
        """Try once all that is due, as long as it is not over, and return how much was heard."""
        rows = self.ledger.rows("SELECT id, job_id, event, body, attempts FROM announcements ORDER BY rowid")
        due = (row for row in rows if self._due_s.get(row["id"], 0.0) <= self.monotonic() and not is_over())
        return sum(self._try(row) for row in due)

    def _try(self, row: sqlite3.Row) -> bool:
        try:
            body = row["body"] or self._body_of(row)
        except UnknownJobError:  # forgotten meanwhile, and with it what there was to tell
            return False
        problem = self._send(row["id"], body)
        attempts = row["attempts"] + 1
        if problem is None:
            self._cross_out(row, "the webhook was told")
        elif attempts >= _MOST_ATTEMPTS:
            self._cross_out(row, f"the webhook was given up after {attempts} attempts: {problem}")
        else:
            self._put_off(row, attempts, problem)
        return problem is None

    def _body_of(self, row: sqlite3.Row) -> bytes:
        """Write down what is told, so that every further attempt tells the same."""
        at = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds")
        data = job_report(self.ledger, row["job_id"])
        body = canonical_json({"type": row["event"], "timestamp": at, "data": data})
        with self.ledger.batch() as database:
            database.execute("UPDATE announcements SET body = ? WHERE id = ?", (body, row["id"]))
        return body

    def _send(self, message_id: str, body: bytes) -> str | None:
        """Return None where the receiver has taken it, else why not."""
        sent_s = int(self.clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "dvp-farm",
            "webhook-id": message_id,
            "webhook-timestamp": str(sent_s),
            "webhook-signature": signature_of(self.webhook.secret, message_id=message_id, sent_s=sent_s, body=body),
        }
        request = urllib.request.Request(self.webhook.url, data=body, headers=headers, method="POST")
        try:
            with opener_of(self.webhook.url).open(request, timeout=_ANSWER_TIMEOUT_S):
                return None
        except urllib.error.HTTPError as error:  # a redirection too: nobody but the named receiver is told
            with error:
                return f"it answered {error.code}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return str(getattr(error, "reason", error))[:200]

    def _put_off(self, row: sqlite3.Row, attempts: int, problem: str) -> None:
        self._due_s[row["id"]] = self.monotonic() + delay_s(attempts)
        with self.ledger.batch() as database:
            database.execute("UPDATE announcements SET attempts = ? WHERE id = ?", (attempts, row["id"]))
            if attempts == 1:
                self.ledger.log(row["job_id"], f"the webhook was not told yet: {problem}")

    def _cross_out(self, row: sqlite3.Row, text: str) -> None:
        self._due_s.pop(row["id"], None)
        with self.ledger.batch() as database:
            if database.execute("DELETE FROM announcements WHERE id = ?", (row["id"],)).rowcount:
                self.ledger.log(row["job_id"], text)


@contextmanager
def announcing(ledger: Ledger, webhook: Webhook | None, *, interval_s: float = 0.5) -> Iterator[None]:
    """Tell a webhook what happens while the block lasts; without one nothing is started."""
    if webhook is None:
        yield
        return
    stopped = threading.Event()
    announcer = Announcer(ledger, webhook)

    def run() -> None:
        while not stopped.wait(interval_s):
            announcer.turn(is_over=stopped.is_set)

    thread = threading.Thread(target=run, name="farm-webhook", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=2 * _ANSWER_TIMEOUT_S)
