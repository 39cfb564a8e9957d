"""Signing and reading C2PA manifests: the only file that speaks to the C2PA library.

Which kind of file can hold its label is decided by a table here, never by the user: a picture signed under the wrong
kind comes out without its pixels. Nothing is ever fetched from the network and no thumbnail is made, since a thumbnail
would put a face into the label.
"""

from __future__ import annotations

import io
import json
import mmap
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from c2pa import Builder, C2paError, C2paSignerInfo, C2paSigningAlg, Context, Reader, Signer

from dvp_core.data.errors import DataError
from dvp_core.trust.keys import SigningKeys
from dvp_core.trust.label import PLATE_LABEL, Label, manifest

_EMBEDDED_KINDS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/avi",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
_SIDECAR_KINDS = {".mkv": "video/x-matroska", ".webm": "video/webm", ".exr": "image/x-exr", ".json": "application/json"}
SIDECAR_SUFFIX = ".c2pa"
_STORE_KIND = "application/x-c2pa-manifest-store"
_LABEL_MARK = b"urn:c2pa:"
# An unlabelled file, or one whose label lies on the network, where nobody looks. (The library sets these subclasses on
# the class when it loads, where a type checker does not see them.)
_ABSENCE_ERRORS = tuple(getattr(C2paError, name) for name in ("NotSupported", "ManifestNotFound", "RemoteManifest"))


def is_embeddable(path: Path) -> bool:
    """Tell whether a file of this name holds its label itself; others have it beside them."""
    return path.suffix.lower() in _EMBEDDED_KINDS


def is_media(path: Path) -> bool:
    """Tell whether a file calls itself a picture or movie that can be decoded here."""
    return is_embeddable(path) or path.suffix.lower() in (".mkv", ".webm")


def kind_of(path: Path) -> str:
    """Return the kind of a file by its suffix, from a fixed table."""
    suffix = path.suffix.lower()
    return _EMBEDDED_KINDS.get(suffix) or _SIDECAR_KINDS.get(suffix) or "application/octet-stream"


def sidecar_of(path: Path) -> Path:
    """Return where the label of a file lies that cannot hold it: its full name with `.c2pa` added."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def _context(root_pems: Sequence[bytes] = ()) -> Context:
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if root_pems:
        settings["trust"] = {"user_anchors": b"\n".join(root_pems).decode()}
    return Context.from_dict(settings)


def sign_embedded(source: Path, target: Path, label: Label, keys: SigningKeys) -> None:
    """Write `source` with its label inside to `target`; both are temporary names.

    Raises:
        DataError: The file or the keys were refused.
    """
    _sign(source, target, label, keys, kind=kind_of(target), is_embedded=True)


def sign_beside(source: Path, label: Label, keys: SigningKeys) -> bytes:
    """Return the content of a sidecar that labels `source` as it stands, byte for byte."""
    return _sign(source, None, label, keys, kind=kind_of(source), is_embedded=False)


def _sign(source: Path, target: Path | None, label: Label, keys: SigningKeys, *, kind: str, is_embedded: bool) -> bytes:
    info = C2paSignerInfo(C2paSigningAlg.ES256, keys.chain_pem, keys.key_pem, None)
    try:
        with ExitStack() as stack:
            context = stack.enter_context(_context([keys.root_pem]))
            signer = stack.enter_context(Signer.from_info(info))
            builder = stack.enter_context(Builder(manifest(label, mime=kind), context=context))
            _add_plate(builder, label)
            if not is_embedded:
                builder.set_no_embed()
            content = stack.enter_context(source.open("rb"))
            destination = stack.enter_context(target.open("w+b")) if target else io.BytesIO()
            return builder.sign(signer, kind, content, destination)
    except C2paError as error:
        raise DataError(f"could not be labelled ({error})", where=target or source) from error


def _add_plate(builder: Builder, label: Label) -> None:
    """Name the plate as what the output was made from, with the label it came with where its kind can hold one."""
    if label.plate is None:
        return
    ingredient = {"title": "plate", "relationship": "parentOf", "label": PLATE_LABEL}
    if label.plate.is_file() and is_embeddable(label.plate):
        with label.plate.open("rb") as stream:
            builder.add_ingredient(ingredient, kind_of(label.plate), stream)
        return
    beside = sidecar_of(label.plate)
    if beside.is_file() and _is_intact(label.plate, beside):
        builder.add_ingredient(ingredient, _STORE_KIND, io.BytesIO(beside.read_bytes()))
        return
    builder.add_ingredient(ingredient, "application/octet-stream", io.BytesIO(b""))


def _is_intact(path: Path, sidecar: Path) -> bool:
    """Tell whether a sidecar belongs to a file as it stands; the library takes it over without looking at the file."""
    try:
        report = read_manifest(path, root_pems=(), sidecar=sidecar)
    except C2paError:
        return False
    return report is not None and report.state != "Invalid"


@dataclass(frozen=True)
class ManifestReport:
    """What the C2PA library found in a file.

    Attributes:
        state: "Trusted", "Valid" (intact, signer unknown) or "Invalid".
        failures: Codes of what failed, with their explanations.
        manifest: The active manifest.
    """

    state: str
    failures: tuple[tuple[str, str], ...]
    manifest: dict[str, Any]


def read_manifest(path: Path, *, root_pems: Sequence[bytes], sidecar: Path | None = None) -> ManifestReport | None:
    """Return the label of a file, or None where it has none.

    Args:
        path: The labelled file.
        root_pems: Roots of the signers that are known.
        sidecar: The file that holds the label, where it is not inside.

    Raises:
        C2paError: The file or its label cannot be read.
    """
    with ExitStack() as stack:
        context = stack.enter_context(_context(root_pems))
        stream = stack.enter_context(path.open("rb"))
        data = sidecar.read_bytes() if sidecar else None
        kind = kind_of(path)
        try:
            reader = stack.enter_context(Reader(kind, stream, data, context=context))
        except _ABSENCE_ERRORS:
            return None
        return _report(reader)


def _report(reader: Reader) -> ManifestReport:
    try:
        results, active = reader.get_validation_results() or {}, reader.get_active_manifest() or {}
    except KeyError:  # one changed byte of a label is enough for that
        return ManifestReport("Invalid", (("", "the manifest that its label names is not there"),), {})
    state = reader.get_validation_state() or "Invalid"
    return ManifestReport(state=state, failures=_failures(results), manifest=json.loads(json.dumps(active)))


def holds_label_bytes(path: Path) -> bool:
    """Tell whether a file contains the mark of a C2PA label, wherever it stands and however damaged the rest is."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_LABEL_MARK) >= 0


def _failures(results: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = results.get("activeManifest", {}).get("failure", [])
    deltas = (entry.get("validationDeltas", {}).get("failure", []) for entry in results.get("ingredientDeltas", []))
    everything = chain(found, *deltas)
    return tuple((entry.get("code", ""), entry.get("explanation", "")) for entry in everything)
