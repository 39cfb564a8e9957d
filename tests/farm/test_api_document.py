"""The API against its own description: the document is valid, docs/farm.md names every call, and no call breaks it.

schemathesis makes calls out of the document, right and wrong ones, and holds every answer against it.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from dvp_core.data.errors import DataError
from farm.api import Site, make_app
from farm.ledger import Ledger
from farm.previews import PreviewLane
from farm.roots import Roots
from farm.tasks import PreviewResult
from farm.tokens import add_user

DOCS = Path(__file__).parents[2] / "docs" / "farm.md"
EXAMPLES = int(os.environ.get("DVP_FUZZ_EXAMPLES", "6"))
REFUSED = ["2xx", "400", "401", "403", "404", "409"]
LIMITS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="DVP_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    database=None,
)
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}, "unsupported_method": {"enabled": True}}}
)


@schemathesis.serializer("application/zip")
def as_bytes(context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


class Painter:
    """A backend that paints nothing and takes whatever has come so far."""

    def preview(self, order):
        return PreviewResult(b"\x89PNG", 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with a job in it; it takes jobs whose priority is even and refuses the others as a preflight does."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "site").mkdir()
    roots = Roots({"site": folder / "site"})

    def preflight(job):
        if job.priority % 2:
            roots.resolve(job.passes)
            raise DataError("names no folder", where="job field 'passes'")

    with Ledger(folder / "ledger.sqlite", clock=lambda: 1000.0) as ledger:
        lane = PreviewLane(Painter(), roots)
        yield Site(ledger, folder / "tokens.json", preflight, lane.paint, roots)


@pytest.fixture(scope="module")
def api(site):
    token = add_user(site.token_file, name="anna", role="operate")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", make_app(site), config=CONFIG)
    schema.token = token
    return schema


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_as_described(api, mode):
    headers = {"Authorization": f"Bearer {api.token}"}
    for operation in (found.ok() for found in api.get_all_operations()):

        @LIMITS
        @given(case=operation.as_strategy(mode))
        def call(case):
            case.call_and_validate(headers=headers)

        with suppress(Unsatisfiable):  # nothing can be wrong about a call without parameters
            call()


def test_document_is_valid(api):
    api.validate()


def calls_of(document):
    for path, methods in document["paths"].items():
        for method in methods:
            short = path.removeprefix("/api/v1").replace("{job_id}", "ID").replace("{action}", "ACTION")
            yield f"{method.upper()} {short}"


def test_docs_name_every_call_and_no_other(api):
    table = DOCS.read_text().partition("| call under `/api/v1` |")[2].partition("\n\n")[0]
    told = re.findall(r"`((?:GET|PUT|POST|DELETE) [^`?]+)", table)
    assert sorted(told) == sorted(calls_of(api.raw_schema))
