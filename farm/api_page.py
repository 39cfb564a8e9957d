"""The routes that the page needs beside the others: signing in, jobs at a glance, frames, pictures, workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Query
from fastapi import Path as InAddress
from fastapi.requests import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from farm.ledger_view import Answer, LedgerView
from farm.page_reports import frame_page, job_page, journal, overview
from farm.pictures import Picture, Pictures
from farm.pool_facts import PoolFacts
from farm.sessions import CODE_LIFE_S, Sessions
from farm.tokens import User, read_users, user_of_token

FrameNumber = Annotated[int, InAddress(ge=-(10**9), le=10**9)]


@dataclass(frozen=True)
class PageSite:
    """What the page's routes work on.

    Attributes:
        view: The ledger, read beside the scheduler.
        pictures: The jobs' pictures.
        sessions: Who is signed in.
        token_file: The users' own tokens.
        pool: Says which workers there are.
    """

    view: LedgerView
    pictures: Pictures
    sessions: Sessions
    token_file: Path
    pool: Callable[[], PoolFacts] = PoolFacts


class CodeBody(BaseModel):
    """What a browser signs in with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: str = Field(max_length=200)


def add_page_routes(app: FastAPI, page: PageSite, *, prefix: str) -> None:
    """Add the routes to the application; `POST /sessions` must be open, all others need a user.

    They follow the page, so the description of the API for programs leaves them out.
    """
    routes = APIRouter(prefix=prefix, include_in_schema=False)
    _add_session_routes(routes, page)
    _add_watching_routes(routes, page)
    _add_picture_routes(routes, page)
    app.include_router(routes)


def _add_session_routes(routes: APIRouter, page: PageSite) -> None:
    @routes.post("/session-codes")
    def make_code(request: Request) -> JSONResponse:
        """Return a code that signs one browser in; a session itself cannot ask for it, so that it ends in time."""
        own = user_of_token(read_users(page.token_file), bearer_token(request))
        if own is None:
            return JSONResponse({"error": "not allowed: a session cannot open another"}, status_code=403)
        return JSONResponse({"code": page.sessions.make_code(own), "seconds": CODE_LIFE_S})

    @routes.post("/sessions")
    def sign_in(body: CodeBody) -> JSONResponse:
        """Turn a code into a session's token; it works once."""
        token = page.sessions.redeem(body.code)
        user = None if token is None else page.sessions.user_of(token, read_users(page.token_file))
        if user is None:
            return JSONResponse({"error": "the code was used already or is too old; ask for a new one"}, 401)
        return JSONResponse({"token": token, "user": user.name, "role": user.role}, status_code=201)

    @routes.get("/session")
    def who(request: Request) -> dict[str, str]:
        """Return who is calling."""
        user: User = request.scope["user"]
        return {"user": user.name, "role": user.role}

    @routes.delete("/session")
    def sign_out(request: Request) -> dict[str, bool]:
        """End the session that calls; a user's own token stays."""
        return {"ended": page.sessions.end(bearer_token(request))}


def _add_watching_routes(routes: APIRouter, page: PageSite) -> None:
    view = page.view

    @routes.get("/overview")
    def see_overview(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Response:
        """Return the newest jobs, the workers with what they do, and the machines."""
        pool = page.pool()  # outside the view's lock: a cluster that is ill may be slow to answer
        answer = view.answer(("overview", limit, pool), lambda: overview(view, limit=limit) | _pool(pool))
        return _tagged(request, answer)

    @routes.get("/jobs/{job_id}/page")
    def see_job(job_id: str, request: Request) -> Response:
        """Return a job and its frames' states as runs."""
        return _tagged(request, view.answer(("job", job_id), lambda: job_page(view, job_id)))

    @routes.get("/jobs/{job_id}/frames/{frame}")
    def see_frame(job_id: str, frame: FrameNumber, request: Request) -> Response:
        """Return one frame and the attempts at it."""
        return _tagged(request, view.answer(("frame", job_id, frame), lambda: frame_page(view, job_id, frame)))

    @routes.get("/jobs/{job_id}/journal")
    def see_journal(
        job_id: str,
        request: Request,
        attempt: Annotated[int | None, Query(ge=0, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Response:
        """Return the newest log lines of a job, or of one attempt."""
        key = ("journal", job_id, attempt, limit)
        return _tagged(request, view.answer(key, lambda: journal(view, job_id, attempt=attempt, limit=limit)))


def _add_picture_routes(routes: APIRouter, page: PageSite) -> None:
    @routes.get("/jobs/{job_id}/pictures/frames/{frame}")
    def frame_picture(job_id: str, frame: FrameNumber, request: Request) -> Response:
        """Return a finished frame."""
        return _picture(request, page.pictures, page.pictures.frame(job_id, frame))

    @routes.get("/jobs/{job_id}/pictures/contact-sheet")
    def contact_sheet(job_id: str, request: Request) -> Response:
        """Return the contact sheet."""
        return _picture(request, page.pictures, page.pictures.contact_sheet(job_id))


def bearer_token(request: Request) -> str:
    """Return the token of a call that was let through, which has exactly one."""
    return request.headers.get("authorization", "").partition(" ")[2]


def _tagged(request: Request, answer: Answer) -> Response:
    """Return the answer, or 304 where the caller has it."""
    if request.headers.get("if-none-match") == answer.tag:
        return Response(status_code=304, headers={"ETag": answer.tag})
    return Response(answer.content, media_type="application/json", headers={"ETag": answer.tag})


def _picture(request: Request, pictures: Pictures, picture: Picture) -> Response:
    tag = f'"{picture.sha256}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(pictures.content(picture), media_type="image/png", headers={"ETag": tag})


def _pool(facts: PoolFacts) -> dict[str, Any]:
    """Return the pool for the page; a dashboard's address that is none of the web's is left out."""
    is_web = facts.dashboard_url is not None and urlsplit(facts.dashboard_url).scheme in ("http", "https")
    return {
        "workers": [asdict(worker) for worker in facts.workers],
        "machines": [asdict(machine) for machine in facts.machines],
        "dashboard_url": facts.dashboard_url if is_web else None,
    }
