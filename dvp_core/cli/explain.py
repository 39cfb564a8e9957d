"""`dvp explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvp_core.cli.arguments import Input
from dvp_core.pipeline.provenance import explain as story_of


def explain(path: Input, *, consent: Path | None = None) -> dict[str, Any]:
    """Tell the story of an output: its label, its line in the ledger, its generator, the consent it was made under.

    Args:
        path: A movie, a picture, a frame, or a folder of frames.
        consent: The record of consent, to tell what it allows.
    """
    story = story_of(path, consent=consent)
    sys.stderr.write(story.as_text() + "\n")
    return story.as_json()
