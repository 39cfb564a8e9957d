"""The preview lane: a request that came over HTTP goes straight to a worker, past ledger and scheduler.

Nothing of it is kept. What cannot succeed is refused here by name, before a worker is troubled.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from dvp_core.data.errors import DataError
from dvp_core.data.generator_header import SUFFIX
from dvp_core.data.preview import PreviewRequest, request_from_bytes
from farm.errors import ConflictError
from farm.roots import Roots
from farm.tasks import PreviewOrder, PreviewResult


class PaintsPreviews(Protocol):
    """The part of a backend that the lane needs."""

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Paint a preview; see `Backend.preview`."""
        ...


@dataclass
class PreviewLane:
    """From bytes to a painted preview; called by many threads at a time."""

    backend: PaintsPreviews
    roots: Roots
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def paint(self, content: bytes, *, user: str) -> PreviewResult:
        """Return the preview that a request asks for; it blocks until it is painted.

        Raises:
            ConflictError: The user has asked for a newer one of the same generator meanwhile.
            UnavailableError: The worker died over it or took too long.
            DataError: The request is none, or names what is not there or cannot be used.
        """
        number = next(self._numbers)
        request = request_from_bytes(content)
        _check_paths(request, self.roots)
        result = self.backend.preview(PreviewOrder(user, number, request, self.roots))
        if result is None:
            raise ConflictError("was superseded by a newer one", where="preview")
        return result


def _check_paths(request: PreviewRequest, roots: Roots) -> None:
    if roots.resolve(request.generator).suffix != SUFFIX:
        raise DataError("is not a *.safetensors file; nothing else is loaded", where="preview field 'generator'")
    for field_name in ("generator", "consent"):
        path = getattr(request, field_name)
        if path is not None and not roots.resolve(path).is_file():
            raise DataError(f"names no file ({path})", where=f"preview field '{field_name}'")
