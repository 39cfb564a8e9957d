"""The head's HTTP API over the ledger. It starts nothing, and every call but health and version needs a token.

The token is looked at before a body is read, and the body's size before it is parsed. Previews are the one call that
the ledger never hears of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Query
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dvp_core.data.errand import AnyJob, any_job_from_dict
from dvp_core.data.errors import DataError
from dvp_core.data.files import parse_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.job import ID_PATTERN
from dvp_core.data.preview import REQUEST_LIMIT_BYTES
from farm import api_forms as forms
from farm.api_document import ABOUT, JOB_BODY, OPEN, PNG_ANSWER, PREVIEW_BODY, add_document, answers, refused_with
from farm.api_page import PageSite, add_page_routes
from farm.compile import Opening
from farm.errors import ConflictError, UnavailableError, UnknownJobError
from farm.ledger import Ledger
from farm.ledger_care import Forgetting, forget_jobs, set_priority
from farm.page_files import WithPage
from farm.reports import frame_list, job_list, job_report, log_lines
from farm.roots import Roots
from farm.sessions import Sessions
from farm.states import JobAction
from farm.tasks import PreviewResult
from farm.tokens import User, read_users, user_of_token

API_VERSION = 1
_PACKAGE = "deep-video-portraits"
BODY_LIMIT_BYTES = 1 << 20
_PREFIX = f"/api/v{API_VERSION}"
_PREVIEWS = f"{_PREFIX}/previews"
_MOST_PREVIEWS = 8
_DOCUMENT = f"{_PREFIX}/openapi.json"
_OPEN_PATHS = {"/healthz", f"{_PREFIX}/version", f"{_PREFIX}/sessions", _DOCUMENT}
_LONGEST_REASON = 2000
_LONGEST_TOKEN = 512
_MOST_OPEN_JOBS_PER_USER = 1000


JobId = Annotated[str, InPath(pattern=f"^(?:{ID_PATTERN})$", description="Chosen by who submitted the job.")]


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


@dataclass(frozen=True)
class Site:
    """What the API works on.

    Attributes:
        ledger: The open ledger.
        token_file: Read anew for each call, so that a revoked token ends at once.
        preflight: Refuses a job that cannot succeed, before it is taken in.
        preview: Paints previews.
        roots: The folders that jobs' paths name.
        clock: Seconds since 1970.
        page: What the page shows; None leaves its routes out.
        opening: Says how a job is to begin.
    """

    ledger: Ledger
    token_file: Path
    preflight: Callable[[AnyJob], None]
    preview: PaintPreview = no_previews
    roots: Roots = field(default_factory=Roots)
    clock: Callable[[], float] = time.time
    page: PageSite | None = None
    opening: Callable[[AnyJob], Opening] = lambda job: Opening()


def make_app(site: Site) -> ASGIApp:
    """Return the application over a site, with its limits on bodies."""
    app = FastAPI(
        title="Deep Video Portraits farm",
        description=ABOUT,
        version=version(_PACKAGE),
        openapi_url=_DOCUMENT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_refuse_unknown_parameters)],
    )
    _add_error_answers(app)
    _add_open_routes(app)
    _add_reading_routes(app, site)
    _add_writing_routes(app, site)
    _add_preview_route(app, site)
    if site.page is not None:
        add_page_routes(app, site.page, prefix=_PREFIX)
    add_document(app)
    limited = LimitedBodies(app, limit_bytes=BODY_LIMIT_BYTES)
    sessions = site.page.sessions if site.page else None
    return WithPage(KnownUsersOnly(limited, token_file=site.token_file, sessions=sessions))


def _add_open_routes(app: FastAPI) -> None:
    @app.get("/healthz", responses={200: {"model": forms.Health}}, openapi_extra=OPEN)
    def health() -> dict[str, str]:
        """Say that the head is there."""
        return {"status": "ok"}

    @app.get(f"{_PREFIX}/version", responses={200: {"model": forms.Version}}, openapi_extra=OPEN)
    def tell_version() -> dict[str, Any]:
        """Return the version of the program and of this API."""
        return {"version": version(_PACKAGE), "api": API_VERSION}


def _add_reading_routes(app: FastAPI, site: Site) -> None:
    @app.get(f"{_PREFIX}/jobs", responses=answers(forms.JobReports))
    def jobs(limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> dict[str, Any]:
        """Return the newest jobs."""
        return {"jobs": job_list(site.ledger, limit=limit)}

    @app.get(_PREFIX + "/jobs/{job_id}", responses=answers(forms.JobReport, 404))
    def job(job_id: JobId) -> dict[str, Any]:
        """Return one job's report."""
        return job_report(site.ledger, job_id)

    @app.get(_PREFIX + "/jobs/{job_id}/frames", responses=answers(forms.FrameRows, 404))
    def frames(
        job_id: JobId,
        start: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        """Return a job's frames, each with its state, key and hash."""
        return {"frames": frame_list(site.ledger, job_id, start=start, limit=limit)}

    @app.get(_PREFIX + "/jobs/{job_id}/logs", responses=answers(forms.LogLines, 404))
    def logs(
        job_id: JobId,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> dict[str, Any]:
        """Return a job's log lines with a number above `after`."""
        return {"lines": log_lines(site.ledger, job_id, after=after, limit=limit)}


def _add_writing_routes(app: FastAPI, site: Site) -> None:
    taken = {"model": forms.JobReport, "description": "The job is new."}

    @app.put(
        _PREFIX + "/jobs/{job_id}",
        responses=answers(forms.JobReport, 400, 409, 413, _201=taken),
        openapi_extra=JOB_BODY,
    )
    def submit(job_id: JobId, content: Annotated[bytes, Depends(_body_of)], request: Request) -> JSONResponse:
        """Take a job in; the same content again changes nothing."""
        user: User = request.scope["user"]
        job = any_job_from_dict(parse_json(content, where="job"))
        if job.id != job_id:
            raise DataError(f"is {job.id!r}, the address says {job_id!r}", where="job field 'id'")
        _refuse_too_many(site.ledger, user)
        site.preflight(job)
        is_new = site.ledger.submit(job, owner=user.name, opening=site.opening(job))
        return JSONResponse(job_report(site.ledger, job.id), status_code=201 if is_new else 200)

    refusals = (400, 403, 404, 409, 413)

    @app.post(_PREFIX + "/jobs/{job_id}/priority", responses=answers(forms.JobReport, *refusals))
    def prioritise(job_id: JobId, body: forms.PriorityBody, request: Request) -> dict[str, Any]:
        """Put an unfinished job before or behind others, from the next chunk on."""
        _refuse_strangers(site.ledger, job_id, request)
        set_priority(site.ledger, job_id, body.priority)
        return job_report(site.ledger, job_id)

    @app.post(_PREFIX + "/jobs/{job_id}/{action}", responses=answers(forms.JobReport, *refusals))
    def act(job_id: JobId, action: JobAction, body: forms.ActionBody, request: Request) -> dict[str, Any]:
        """Pause, resume, cancel, retry or rerender a job."""
        _refuse_strangers(site.ledger, job_id, request)
        frames = None if body.frames is None else FrameRange.parse(body.frames)
        site.ledger.act(job_id, action, frames=frames)
        return job_report(site.ledger, job_id)

    @app.post(f"{_PREFIX}/gc", responses=answers(forms.GcAnswer, 400, 413))
    def forget(body: forms.GcBody, request: Request) -> dict[str, Any]:
        """Forget ended jobs, one's own or for operators all; a dry run unless told otherwise."""
        user: User = request.scope["user"]
        owner = None if user.role == "operate" else user.name
        what = Forgetting(body.older_than_days, body.with_files, body.is_dry_run, owner)
        return forget_jobs(site.ledger, site.roots, what, now_s=site.clock())


def _add_preview_route(app: FastAPI, site: Site) -> None:
    @app.post(
        _PREVIEWS,
        response_class=Response,
        responses={200: PNG_ANSWER, **refused_with(400, 401, 409, 413, 422, 503)},
        openapi_extra=PREVIEW_BODY,
    )
    async def preview(request: Request) -> Response:
        """Paint the pose in the body and answer with the labelled picture; nothing of it is kept."""
        user: User = request.scope["user"]
        content = await request.body()
        made = await run_in_threadpool(site.preview, content, user=user.name)
        headers = {"Server-Timing": _server_timing(made), "Cache-Control": "no-store"}
        return Response(made.png, media_type="image/png", headers=headers)


def _refuse_unknown_parameters(request: Request) -> None:
    """Refuse a parameter that the call does not know: a slip of the pen must not be read as the default."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    if request.scope["path"] not in _OPEN_PATHS and (unknown := set(request.query_params) - known):
        raise HTTPException(
            422, f"query.{min(unknown)}: no such parameter (known: {', '.join(sorted(known)) or 'none'})"
        )


async def _body_of(request: Request) -> bytes:
    return await request.body()


def _server_timing(made: PreviewResult) -> str:
    """Return where the time went, in milliseconds, as W3C's Server Timing has it."""
    phases = {"wait": made.wait_s, "unpack": made.unpack_s, "paint": made.paint_s, "label": made.label_s}
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in phases.items())


def _refuse_strangers(ledger: Ledger, job_id: str, request: Request) -> None:
    """Let a job be changed by its owner and by operators alone."""
    user: User = request.scope["user"]
    owner = job_report(ledger, job_id)["owner"]
    if user.role != "operate" and user.name != owner:
        raise _ForbiddenError(f"job {job_id} belongs to {owner}")


def _refuse_too_many(ledger: Ledger, user: User) -> None:
    query = "SELECT COUNT(*) AS number FROM jobs WHERE owner = ? AND state IN ('queued', 'active', 'paused')"
    if ledger.rows(query, user.name)[0]["number"] >= _MOST_OPEN_JOBS_PER_USER:
        raise ConflictError(f"{user.name} has {_MOST_OPEN_JOBS_PER_USER} unfinished jobs already")


def _add_error_answers(app: FastAPI) -> None:
    @app.exception_handler(DataError)
    def refused(request: Request, error: DataError) -> JSONResponse:
        return JSONResponse({"error": _short(str(error))}, status_code=_status_of(error))

    @app.exception_handler(_ForbiddenError)
    def forbidden(request: Request, error: _ForbiddenError) -> JSONResponse:
        return JSONResponse({"error": f"not allowed: {error}"}, status_code=403)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": _short(f"{place}: {first['msg']}")}, status_code=422)

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": _short(str(error.detail))}, status_code=error.status_code, headers=error.headers)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."


def _status_of(error: DataError) -> int:
    statuses = {UnknownJobError: 404, ConflictError: 409, UnavailableError: 503}
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), 400)


class KnownUsersOnly:
    """Answers 401 to a call without a user's token, before its body is read; tells the application who calls."""

    def __init__(self, app: ASGIApp, *, token_file: Path, sessions: Sessions | None = None) -> None:
        self._app = app
        self._token_file = token_file
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its user, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            try:
                users, token = read_users(self._token_file), _bearer_token(scope)
            except DataError:  # its text names a file of the head's machine, which is nobody's business here
                answer = JSONResponse({"error": "the head cannot read who may call"}, status_code=503)
                await answer(scope, receive, send)
                return
            user = user_of_token(users, token) or (self._sessions and self._sessions.user_of(token, users))
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
