"""What a label says: that the pictures are synthetic, what they were made from and by what, in plain words.

No names and no faces: people are in the consent record, of which the label carries the hash alone. File names are
left out too, since they tend to hold names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

TOOL_NAME = "Deep Video Portraits"
CONSENT_ASSERTION = "org.deepvideoportraits.consent"
INPUTS_ASSERTION = "org.deepvideoportraits.inputs"
MARK_ASSERTION = "c2pa.soft-binding"
MARK_ALGORITHM = "org.deepvideoportraits.spread-spectrum.1"
PLATE_LABEL = "plate"
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = f"{_VOCABULARY}trainedAlgorithmicMedia"
COMPOSITE = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"
DRAWN_OVER = f"{_VOCABULARY}composite"
# The IPTC's terms (June 2026); the C2PA library itself accepts any text here, so the verifier holds the list.
SOURCE_TYPES = frozenset(
    _VOCABULARY + term
    for term in (
        "digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print", "minorHumanEdits",
        "humanEdits", "compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced", "softwareImage", "digitalArt",
        "digitalCreation", "dataDrivenMedia", "trainedAlgorithmicMedia", "algorithmicMedia", "screenCapture",
        "virtualRecording", "composite", "compositeCapture", "compositeSynthetic", "multiFrameComputationalCapture",
    )
) | {"http://c2pa.org/digitalsourcetype/empty", "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"}  # fmt: skip


@dataclass(frozen=True)
class Label:
    """What is said of one output.

    Attributes:
        is_plate_kept: Whether pixels of the plate remain (a composite); where unsure, say no.
        description: What was done, in plain words without names.
        plate: The plate's file, kept as ingredient with the label it came with; None where there is none.
        consent_sha256: Hash of the consent record.
        inputs_sha256: Hashes of what it was made from, by role ("plate", "take", "generator", "driver").
        is_by_network: Whether a network painted any of it; not so where lines were drawn over a plate.
        watermark_id: The 32 bits of the invisible mark in the pictures, eight hexadecimal digits; None where none is.
    """

    is_plate_kept: bool
    description: str = "The face was re-rendered by a neural network from an animated face rig."
    plate: Path | None = None
    consent_sha256: str | None = None
    inputs_sha256: dict[str, str] = field(default_factory=dict)
    is_by_network: bool = True
    watermark_id: str | None = None

    @property
    def source_type(self) -> str:
        """The IPTC's term for how the pictures came about."""
        if not self.is_by_network:
            return DRAWN_OVER
        return COMPOSITE if self.is_plate_kept else TRAINED


def tool_version() -> str:
    """Return the version of this program, "0" where it runs without being installed."""
    try:
        return version("deep-video-portraits")
    except PackageNotFoundError:
        return "0"


def manifest(label: Label, *, mime: str) -> dict[str, Any]:
    """Return the C2PA manifest of an output of kind `mime`; a plate, where there is one, is to be added to it."""
    assertions = [
        {"label": "c2pa.actions.v2", "data": {"actions": _actions(label)}},
        {"label": "cawg.training-mining", "data": {"entries": _no_training()}},
    ]
    if label.consent_sha256:
        assertions.append({"label": CONSENT_ASSERTION, "data": {"record_sha256": label.consent_sha256}})
    if label.inputs_sha256:
        assertions.append({"label": INPUTS_ASSERTION, "data": dict(sorted(label.inputs_sha256.items()))})
    if label.watermark_id:
        assertions.append({"label": MARK_ASSERTION, "data": _soft_binding(label.watermark_id)})
    return {
        "claim_generator_info": [_agent()],
        "title": "Synthetic media",
        "format": mime,
        "assertions": assertions,
    }


def _agent() -> dict[str, str]:
    return {"name": TOOL_NAME, "version": tool_version()}


def _actions(label: Label) -> list[dict[str, Any]]:
    """Return what was done: a plate opened and edited, or something created from nothing filmed."""
    done = {
        "digitalSourceType": label.source_type,
        "softwareAgent": _agent(),
        "description": label.description,
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if label.plate is None:
        return [{"action": "c2pa.created", **done}]
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PLATE_LABEL]}}
    return [opened, {"action": "c2pa.edited", **done}]


def _soft_binding(watermark_id: str) -> dict[str, Any]:
    """Return what ties the label to the mark; the algorithm is our own and on no public list."""
    return {"alg": MARK_ALGORITHM, "blocks": [{"scope": {}, "value": watermark_id}]}


def _no_training() -> dict[str, dict[str, str]]:
    uses = ("data_mining", "ai_training", "ai_generative_training", "ai_inference")
    return {f"cawg.{use}": {"use": "notAllowed"} for use in uses}
