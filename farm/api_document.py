"""The description of the API for programs: OpenAPI 3.1, at `/api/v1/openapi.json`.

Calls and answers come from the routes themselves, the job from its dataclass, so that neither can say what the head
does not do. The document tells nothing about a site, and is therefore open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc, getdoc
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from dvp_core.data import errand
from dvp_core.data.errand import ERRANDS, Errand
from dvp_core.data.frame_range import FRAMES_PATTERN
from dvp_core.data.job import (
    ID_PATTERN,
    LONGEST_FRAMES,
    LONGEST_NAME,
    LONGEST_NOTES,
    MOST_NEEDED_JOBS,
    NUMBER_LIMITS,
    PATH_FIELDS,
    Job,
)
from farm.api_forms import Refusal

ABOUT = """The head of a render farm: jobs go in, reports come out.

Every call but the open ones carries `Authorization: Bearer TOKEN`. Users with the role `submit` change their own jobs,
`operate` all; everybody may read. A refused call answers with `{"error": "what, where, what to do"}` and has changed
nothing."""
_REFUSALS = {
    400: "What was asked for cannot be done; the text names the field and the reason.",
    401: "The token is missing, wrong or revoked.",
    403: "The job belongs to somebody else.",
    404: "There is no such job.",
    409: "It contradicts what is there already.",
    413: "The body is too large; it was not parsed.",
    422: "A parameter or body is not of the form that is described here.",
    503: "It cannot be had now; the same call may work later.",
}
_PATH_PATTERN = r"^[a-z][a-z0-9_-]{1,31}:[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
"""Not every path that is taken, but none that is refused by its spelling."""
_PATTERNS = {"id": f"^(?:{ID_PATTERN})$", "frames": f"^(?:{FRAMES_PATTERN})$"}
_SHOT_PATTERNS = dict.fromkeys(PATH_FIELDS, _PATH_PATTERN) | {
    "generator": _PATH_PATTERN.removesuffix("$") + r"\.safetensors$",
    "output": r"^[a-z][a-z0-9_-]{1,31}:(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)?[a-z]+\.#{1,8}\.png$",
}
_NUMBERS: Mapping[str, tuple[float, float]] = {**NUMBER_LIMITS, **errand.NUMBER_LIMITS}
_LENGTHS = {"name": (1, LONGEST_NAME), "notes": (0, LONGEST_NOTES), "frames": (1, LONGEST_FRAMES), "id": (1, 64)}
JOB_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}}
}
PREVIEW_BODY = {
    "requestBody": {
        "required": True,
        "description": "A zip of `header.json` and the window's frames; see `dvp_core/data/preview.py`.",
        "content": {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}},
    }
}
PNG_ANSWER = {"description": "The labelled picture.", "content": {"image/png": {"schema": {"type": "string"}}}}
OPEN = {"security": []}


def answers(form: type[BaseModel], *refusals: int, **further: Any) -> dict[int | str, dict[str, Any]]:
    """Return a route's answers: its form for 200, and for each refusal its reason.

    Args:
        form: What a call that succeeds answers with.
        refusals: Statuses of refusals beside those of every call that needs a token.
        further: Other answers by `_STATUS`.
    """
    own = {int(name.removeprefix("_")): answer for name, answer in further.items()}
    return {200: {"model": form}, **own, **refused_with(401, 422, 503, *refusals)}


def refused_with(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of refusals."""
    return {status: {"model": Refusal, "description": _REFUSALS[status]} for status in sorted(statuses)}


def add_document(app: FastAPI) -> None:
    """Make the application describe itself, the job and the tokens included."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            components = document.setdefault("components", {})
            kinds = {kind.__name__: job_form(kind) for kind in (Job, *ERRANDS)}
            kinds["RenderJob"] = kinds.pop(Job.__name__)
            refs = [{"$ref": f"#/components/schemas/{name}"} for name in kinds]
            components["schemas"] |= kinds | {"Job": {"anyOf": refs}}
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described


def job_form(kind: type[Job] | type[Errand]) -> dict[str, Any]:
    """Return the JSON schema of a kind of job, out of its dataclass, docstrings and limits."""
    form = TypeAdapter(kind).json_schema()
    properties = form["properties"]
    told = {name: said for base in reversed(kind.__mro__) for name, said in _told_attributes(base.__doc__).items()}
    patterns = _PATTERNS | _errand_patterns(kind) if issubclass(kind, Errand) else _PATTERNS | _SHOT_PATTERNS
    for name, value in properties.items():
        value["description"] = told[name]
        _limit(name, value, patterns)
    if issubclass(kind, Errand):
        properties["task"] = {"const": kind.task}
        form["required"].append("task")
    else:
        properties["inputs_sha256"] |= {
            "propertyNames": {"enum": ["generator", "consent"]},
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
    properties["after"]["items"] |= {"pattern": _PATTERNS["id"]}
    properties["after"]["maxItems"] = MOST_NEEDED_JOBS
    properties["schema_version"] = {"const": properties["schema_version"]["default"]}
    return form | {"additionalProperties": False, "description": (getdoc(kind) or "").partition("\n\n")[0]}


def _errand_patterns(kind: type[Errand]) -> dict[str, str]:
    paths = dict.fromkeys((*kind.needed_paths, *kind.optional_paths), _PATH_PATTERN)
    return paths | {"output": _PATH_PATTERN.removesuffix("$") + re.escape(kind.output_suffix) + "$"}


def _limit(name: str, value: dict[str, Any], patterns: Mapping[str, str]) -> None:
    """Write a field's limits into its schema, or into the alternative of it that is not null."""
    target = next((kind for kind in value.get("anyOf", []) if kind["type"] != "null"), value)
    if name in patterns:
        target["pattern"] = patterns[name]
    if name in _LENGTHS:
        target["minLength"], target["maxLength"] = _LENGTHS[name]
    if name in _NUMBERS:
        target["minimum"], target["maximum"] = _NUMBERS[name]


def _told_attributes(text: str | None) -> Mapping[str, str]:
    """Return what a Google-style docstring says of each attribute."""
    section = cleandoc(text or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", section, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", said) for name, said in found}
