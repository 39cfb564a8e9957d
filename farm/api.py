"""The head's HTTP API over the ledger. It starts nothing, and every call but health and version needs a token.

The token is looked at before a body is read, and the body's size before it is parsed. Previews are the one call that
the ledger never hears of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Body, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dvp_core.data.errand import AnyJob, any_job_from_dict
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.preview import REQUEST_LIMIT_BYTES
from farm.compile import Opening
from farm.errors import ConflictError, UnavailableError, UnknownJobError
from farm.ledger import Ledger
from farm.reports import frame_list, job_list, job_report, log_lines
from farm.states import JobAction
from farm.tasks import PreviewResult
from farm.tokens import User, read_users, user_of_token

API_VERSION = 1
_PACKAGE = "deep-video-portraits"
BODY_LIMIT_BYTES = 1 << 20
_PREFIX = f"/api/v{API_VERSION}"
_PREVIEWS = f"{_PREFIX}/previews"
_MOST_PREVIEWS = 8
_OPEN_PATHS = {"/healthz", f"{_PREFIX}/version"}
_LONGEST_TOKEN = 512
_MOST_OPEN_JOBS_PER_USER = 1000


class _ForbiddenError(Exception):
    """The user is known and may not do this."""


class PaintPreview(Protocol):
    """From a request's bytes and its user to the painted preview; see `PreviewLane.paint`."""

    def __call__(self, content: bytes, *, user: str) -> PreviewResult:
        """Return the preview."""
        ...


def no_previews(content: bytes, *, user: str) -> PreviewResult:
    """Refuse every preview, where there is no worker that could paint one."""
    del content, user
    raise UnavailableError("this head has no workers for it", where="preview")


class ActionBody(BaseModel):
    """What may accompany an action."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frames: str | None = Field(default=None, max_length=100_000)


@dataclass(frozen=True)
class Site:
    """What the API works on.

    Attributes:
        ledger: The open ledger.
        token_file: Read anew for each call, so that a revoked token ends at once.
        preflight: Refuses a job that cannot succeed, before it is taken in.
        preview: Paints previews.
        opening: Says how a job is to begin.
    """

    ledger: Ledger
    token_file: Path
    preflight: Callable[[AnyJob], None]
    preview: PaintPreview = no_previews
    opening: Callable[[AnyJob], Opening] = lambda job: Opening()


def make_app(site: Site) -> ASGIApp:
    """Return the application over a site, with its limits on bodies."""
    app = FastAPI(title="Deep Video Portraits farm", version=version(_PACKAGE), docs_url=None, redoc_url=None)
    _add_error_answers(app)
    _add_open_routes(app)
    _add_reading_routes(app, site)
    _add_writing_routes(app, site)
    _add_preview_route(app, site)
    return KnownUsersOnly(LimitedBodies(app, limit_bytes=BODY_LIMIT_BYTES), token_file=site.token_file)


def _add_open_routes(app: FastAPI) -> None:
    @app.get("/healthz")
    def health() -> dict[str, str]:
        """Say that the head is there."""
        return {"status": "ok"}

    @app.get(f"{_PREFIX}/version")
    def tell_version() -> dict[str, Any]:
        """Return the version of the program and of this API."""
        return {"version": version(_PACKAGE), "api": API_VERSION}


def _add_reading_routes(app: FastAPI, site: Site) -> None:
    @app.get(f"{_PREFIX}/jobs")
    def jobs(limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> dict[str, Any]:
        """Return the newest jobs."""
        return {"jobs": job_list(site.ledger, limit=limit)}

    @app.get(_PREFIX + "/jobs/{job_id}")
    def job(job_id: str) -> dict[str, Any]:
        """Return one job's report."""
        return job_report(site.ledger, job_id)

    @app.get(_PREFIX + "/jobs/{job_id}/frames")
    def frames(
        job_id: str,
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        """Return a job's frames, each with its state, key and hash."""
        return {"frames": frame_list(site.ledger, job_id, start=start, limit=limit)}

    @app.get(_PREFIX + "/jobs/{job_id}/logs")
    def logs(
        job_id: str,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> dict[str, Any]:
        """Return a job's log lines with a number above `after`."""
        return {"lines": log_lines(site.ledger, job_id, after=after, limit=limit)}


def _add_writing_routes(app: FastAPI, site: Site) -> None:
    @app.put(_PREFIX + "/jobs/{job_id}")
    def submit(job_id: str, content: Annotated[dict[str, Any], Body()], request: Request) -> JSONResponse:
        """Take a job in; the same content again changes nothing."""
        user: User = request.scope["user"]
        job = any_job_from_dict(content)
        if job.id != job_id:
            raise DataError(f"is {job.id!r}, the address says {job_id!r}", where="job field 'id'")
        _refuse_too_many(site.ledger, user)
        site.preflight(job)
        is_new = site.ledger.submit(job, owner=user.name, opening=site.opening(job))
        return JSONResponse(job_report(site.ledger, job.id), status_code=201 if is_new else 200)

    @app.post(_PREFIX + "/jobs/{job_id}/{action}")
    def act(job_id: str, action: JobAction, body: ActionBody, request: Request) -> dict[str, Any]:
        """Pause, resume, cancel, retry or rerender a job."""
        user: User = request.scope["user"]
        owner = job_report(site.ledger, job_id)["owner"]
        if user.role != "operate" and user.name != owner:
            raise _ForbiddenError(f"job {job_id} belongs to {owner}")
        frames = None if body.frames is None else FrameRange.parse(body.frames)
        site.ledger.act(job_id, action, frames=frames)
        return job_report(site.ledger, job_id)


def _add_preview_route(app: FastAPI, site: Site) -> None:
    @app.post(_PREVIEWS)
    async def preview(request: Request) -> Response:
        """Paint the pose in the body and answer with the labelled picture; nothing of it is kept."""
        user: User = request.scope["user"]
        content = await request.body()
        made = await run_in_threadpool(site.preview, content, user=user.name)
        headers = {"Server-Timing": _server_timing(made), "Cache-Control": "no-store"}
        return Response(made.png, media_type="image/png", headers=headers)


def _server_timing(made: PreviewResult) -> str:
    """Return where the time went, in milliseconds, as W3C's Server Timing has it."""
    phases = {"wait": made.wait_s, "unpack": made.unpack_s, "paint": made.paint_s, "label": made.label_s}
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in phases.items())


def _refuse_too_many(ledger: Ledger, user: User) -> None:
    query = "SELECT COUNT(*) AS number FROM jobs WHERE owner = ? AND state IN ('queued', 'active', 'paused')"
    if ledger.rows(query, user.name)[0]["number"] >= _MOST_OPEN_JOBS_PER_USER:
        raise ConflictError(f"{user.name} has {_MOST_OPEN_JOBS_PER_USER} unfinished jobs already")


def _add_error_answers(app: FastAPI) -> None:
    @app.exception_handler(DataError)
    def refused(request: Request, error: DataError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=_status_of(error))

    @app.exception_handler(_ForbiddenError)
    def forbidden(request: Request, error: _ForbiddenError) -> JSONResponse:
        return JSONResponse({"error": f"not allowed: {error}"}, status_code=403)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{place}: {first['msg']}"[:1000]}, status_code=422)


def _status_of(error: DataError) -> int:
    statuses = {UnknownJobError: 404, ConflictError: 409, UnavailableError: 503}
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), 400)


class KnownUsersOnly:
    """Answers 401 to a call without a user's token, before its body is read; tells the application who calls."""

    def __init__(self, app: ASGIApp, *, token_file: Path) -> None:
        self._app = app
        self._token_file = token_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its user, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            user = user_of_token(read_users(self._token_file), _bearer_token(scope))
            if user is None:
                error = {"error": "the token is missing or not known to this head"}
                answer = JSONResponse(error, status_code=401, headers={"WWW-Authenticate": "Bearer"})
                await answer(scope, receive, send)
                return
            scope["user"] = user
        await self._app(scope, receive, send)


def _bearer_token(scope: Scope) -> str:
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, token = values[0].decode("latin-1").partition(" ") if len(values) == 1 else ("", "", "")
    return token if scheme.lower() == "bearer" and len(token) <= _LONGEST_TOKEN else ""


class LimitedBodies:
    """Answers 413 to a body above the limit, whether it says its length or not, before anything parses it.

    A preview's may be larger, so of these only a few are in memory at a time; further ones are answered with 503.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._preview_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] != _PREVIEWS:
            await self._pass_on(scope, receive, send, limit_bytes=self._limit_bytes)
        elif self._preview_count >= _MOST_PREVIEWS:
            answer = JSONResponse({"error": f"{_MOST_PREVIEWS} previews are being painted already"}, status_code=503)
            await answer(scope, receive, send)
        else:
            self._preview_count += 1
            try:
                await self._pass_on(scope, receive, send, limit_bytes=REQUEST_LIMIT_BYTES)
            finally:
                self._preview_count -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, *, limit_bytes: int) -> None:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > limit_bytes:
                answer = JSONResponse({"error": f"the body is larger than {limit_bytes} bytes"}, status_code=413)
                await answer(scope, receive, send)
                return
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_whole() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, receive_whole, send)
