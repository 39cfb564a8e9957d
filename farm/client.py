"""Talks to a farm head with the standard library alone, so that Blender and machines without Ray can.

The token travels in a header to the address that was given and nowhere else: redirections are not followed, and plain
HTTP is refused unless the head is on this machine or the caller insists.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ANSWER_LIMIT_BYTES = 64 << 20
_GC_TIMEOUT_S = 3600.0
_ENDED = {"completed", "failed", "cancelled"}


class FarmError(Exception):
    """The head refused, or could not be reached; the text says why.

    Attributes:
        status: HTTP status, None where there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class PaintedPreview:
    """A head's answer to a request for a preview.

    Attributes:
        png: The content of a PNG with its label inside.
        seconds: Where the time went on the farm: "wait" for a worker's turn, "unpack", "paint", "label".
    """

    png: bytes
    seconds: dict[str, float]


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Leaves a redirection as the error it is here: following it would hand the token to someone else."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


@dataclass(frozen=True)
class FarmClient:
    """A head and the token for it.

    Attributes:
        url: Such as `http://127.0.0.1:8642`.
        token: The user's token.
        timeout_s: For each call.
        allow_plain_http: Send the token unencrypted to another machine.
        ca: File with the certificates (PEM) that the head's must lead to; those that the system knows where None.
    """

    url: str
    token: str
    timeout_s: float = 10.0
    allow_plain_http: bool = False
    ca: str | None = None

    def version(self) -> dict[str, Any]:
        """Return the head's version."""
        return self._call("GET", "/version")

    def submit(self, job: dict[str, Any]) -> dict[str, Any]:
        """Submit a job's JSON; doing so again with the same content is harmless. Return its report."""
        return self._call("PUT", f"/jobs/{_quoted(str(job.get('id', '')))}", body=job)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the reports of all jobs, newest first."""
        return self._call("GET", "/jobs")["jobs"]

    def job(self, job_id: str) -> dict[str, Any]:
        """Return one job's report."""
        return self._call("GET", f"/jobs/{_quoted(job_id)}")

    def frames(self, job_id: str, *, start: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Return up to `limit` frames of a job from its `start`-th on."""
        return self._call("GET", f"/jobs/{_quoted(job_id)}/frames?start={start}&limit={limit}")["frames"]

    def logs(self, job_id: str, *, after: int = 0) -> list[dict[str, Any]]:
        """Return a job's log lines with a number above `after`."""
        return self._call("GET", f"/jobs/{_quoted(job_id)}/logs?after={after}")["lines"]

    def act(self, job_id: str, action: str, *, frames: str | None = None) -> dict[str, Any]:
        """Pause, resume, cancel, retry or rerender a job (`frames` narrows the last two); return its report."""
        body = {} if frames is None else {"frames": frames}
        return self._call("POST", f"/jobs/{_quoted(job_id)}/{_quoted(action)}", body=body)

    def session_code(self) -> str:
        """Return a code with which one browser can sign in on the head's page, once and within a minute."""
        return self._call("POST", "/session-codes", body={})["code"]

    def prioritise(self, job_id: str, priority: int) -> dict[str, Any]:
        """Put an unfinished job before or behind others (0 to 100); return its report."""
        return self._call("POST", f"/jobs/{_quoted(job_id)}/priority", body={"priority": priority})

    def forget_jobs(
        self, *, older_than_days: float, with_files: bool = False, is_dry_run: bool = True
    ) -> dict[str, Any]:
        """Forget jobs that ended long ago, or say which would be; see `POST /gc`. It may take minutes."""
        body = {"older_than_days": older_than_days, "with_files": with_files, "is_dry_run": is_dry_run}
        return self._call("POST", "/gc", body=body, timeout_s=_GC_TIMEOUT_S)

    def preview(self, content: bytes, *, timeout_s: float = 120.0) -> PaintedPreview:
        """Return the generator's frame of a window of passes (`dvp_core.data.preview.request_to_bytes`); it blocks.

        Raises:
            FarmError: Status 409 where a newer request came meanwhile, 503 where no worker could paint it now.
        """
        request = self._request("POST", "/previews", content, kind="application/zip")
        try:
            with self._answer(request, timeout_s=timeout_s) as answer:
                png = answer.read(_ANSWER_LIMIT_BYTES)
                return PaintedPreview(png, _server_timing(answer.headers.get("Server-Timing", "")))
        except FarmError as error:
            if error.status is None:
                self._call("GET", "/jobs?limit=1")  # a refused token cuts a large body off; a small call hears why
            raise

    def watch(self, job_id: str, *, interval_s: float = 1.0) -> Iterator[dict[str, Any]]:
        """Yield the job's report again and again; the last is of one that has ended or was paused by a user."""
        while True:
            report = self.job(job_id)
            yield report
            is_paused = report["state"] == "paused" and not report["workers"] and not report.get("is_held")
            if report["state"] in _ENDED or is_paused:
                return
            time.sleep(interval_s)

    def _call(self, method: str, path: str, *, body: Any = None, timeout_s: float | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = self._request(method, path, content, kind="application/json")
        with self._answer(request, timeout_s=timeout_s or self.timeout_s) as answer:
            return json.loads(answer.read(_ANSWER_LIMIT_BYTES))

    def _request(self, method: str, path: str, content: bytes | None, *, kind: str) -> urllib.request.Request:
        self._refuse_open_wire()
        request = urllib.request.Request(self.url.rstrip("/") + "/api/v1" + path, data=content, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if content is not None:
            request.add_header("Content-Type", kind)
        return request

    @contextmanager
    def _answer(self, request: urllib.request.Request, *, timeout_s: float) -> Iterator[Any]:
        """Give the head's answer for the length of the block, whose own trouble in reading it counts too."""
        try:
            with opener_of(self.url, ca=self.ca).open(request, timeout=timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise FarmError(_reason(error), status=error.code) from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise FarmError(f"no farm head answers at {self.url} ({reason}); is `dvp farm head` running?") from error
        except (ValueError, http.client.HTTPException) as error:
            raise FarmError(f"{self.url} does not answer like a farm head ({error})") from error

    def _refuse_open_wire(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FarmError(f"{self.url!r} is not the address of a farm head; write http://host:port")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.allow_plain_http:
            raise FarmError(f"{self.url} would carry the token unencrypted; use https or an ssh tunnel")


def opener_of(url: str, *, ca: str | None = None) -> urllib.request.OpenerDirector:
    """Return what opens an address, following no redirection, and on this machine past every proxy.

    Args:
        url: The address.
        ca: File with the only certificates (PEM) that are trusted.

    Raises:
        FarmError: That file is missing or holds none.
    """
    handlers: list[urllib.request.BaseHandler] = [_NoRedirection()]
    if ca is not None:
        try:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
        except OSError as error:
            raise FarmError(f"{ca} holds no certificates to check the head with ({error})") from error
    if urllib.parse.urlsplit(url).hostname in LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def connect(
    *, url: str | None = None, connection: Path | str | None = None, ca: Path | str | None = None
) -> FarmClient:
    """Return a client for the head that is meant.

    The address is `url`, else `DVP_FARM_URL`, else that of the connection file; the token is `DVP_FARM_TOKEN`, else
    that of the connection file, which `dvp farm head` writes for its own user. What the head's certificate is checked
    with is `ca`, else `DVP_FARM_CA`, else what the connection file names, else what the system trusts.

    Raises:
        FarmError: No address or no token is known.
    """
    path = Path(connection) if connection else default_state_folder() / "connection.json"
    stored = _read_connection(path)
    address = url or os.environ.get("DVP_FARM_URL") or stored.get("url")
    token = os.environ.get("DVP_FARM_TOKEN") or stored.get("token")
    if not address or not token:
        missing = "address" if not address else "token"
        raise FarmError(
            f"the {missing} of the farm head is not known: start `dvp farm head` on this machine, "
            f"or set DVP_FARM_URL and DVP_FARM_TOKEN (looked in {path})"
        )
    authority = ca or os.environ.get("DVP_FARM_CA") or stored.get("ca")
    return FarmClient(address, token, ca=None if authority is None else str(authority))


def default_state_folder() -> Path:
    """Return where a head of this user keeps its ledger, tokens and connection file."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "dvp-farm"


def _read_connection(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the head's own words where it gave some."""
    try:
        content = json.loads(error.read(1 << 20))
        return str(content["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the head answered {error.code} {error.reason}"


def _server_timing(text: str) -> dict[str, float]:
    """Return seconds by phase out of a header `wait;dur=1.5, paint;dur=20.0`, whose durations are milliseconds."""
    found = re.findall(r"([a-z]+);dur=([0-9.]+)", text)
    return {name: float(duration) / 1000 for name, duration in found}


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
