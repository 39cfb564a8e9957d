"""The page's own files, and the headers that every answer of the head carries. Knows nothing of jobs.

The page is plain HTML, CSS and modules from this package, open to everybody: it holds nothing secret and can do
nothing without a token. Its policy lets no script run but these files, and lets nobody frame it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": _DATA_POLICY,
}


@cache
def page_files() -> Mapping[str, tuple[bytes, str]]:
    """Return the page's files by their path in the address: content and kind."""
    found: dict[str, tuple[bytes, str]] = {}
    for item in files("farm").joinpath("page").iterdir():
        kind = _KINDS.get(item.name.rpartition(".")[2])
        if kind is not None:
            found[f"/page/{item.name}"] = item.read_bytes(), kind
    found["/"] = found["/page/index.html"]
    return found


class WithPage:
    """Serves the page's files by their exact names, passes everything else on, and puts the headers on both."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] in ("GET", "HEAD") and scope["path"] in page_files():
            content, kind = page_files()[scope["path"]]
            answer = Response(content, media_type=kind, headers={"content-security-policy": PAGE_POLICY})
            await answer(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
