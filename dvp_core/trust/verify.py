"""Judging files: is there a label, does it hold, who signed it, and does it contradict itself?

Everything happens offline. `Valid` in the C2PA library's words means only that a file is intact, which
anyone's signature gives; here a signer counts as known where his root is this installation's own or was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.trust.c2pa_files import C2paError, ManifestReport, holds_label_bytes, is_media, read_manifest, sidecar_of
from dvp_core.trust.frame_list import LIST_NAME, FrameList, list_path, read_frame_list, unlisted_frames
from dvp_core.trust.keys import local_root_pem
from dvp_core.trust.label import (
    COMPOSITE,
    CONSENT_ASSERTION,
    DRAWN_OVER,
    MARK_ASSERTION,
    SOURCE_TYPES,
    TOOL_NAME,
    TRAINED,
)
from dvp_core.trust.marked_frames import look_for_mark
from dvp_core.trust.publish import read_frame_key
from dvp_core.trust.verdict import State, Verdict
from dvp_core.trust.watermark_reader import MarkSearch
from dvp_core.video import IMAGE_SUFFIXES, check_readable

_EXPIRED = "signingCredential.expired"
_FRAME_SUFFIXES = (*IMAGE_SUFFIXES, ".exr")


def verify(path: Path | str, *, trusted_roots: Sequence[Path | str] = (), watermark: MarkSearch = "no") -> Verdict:
    """Judge a movie, a still, a frame beside its list, or a folder, list or `####` pattern of frames.

    Args:
        path: What is to be judged.
        trusted_roots: PEM files with root certificates to trust besides this installation's own.
        watermark: How this studio's invisible mark is looked for, which decodes a movie or sequence; it changes no
            state, since whoever has the secret can set it.

    Raises:
        DataError: A root certificate cannot be read; what is judged never raises.
    """
    path = Path(path)
    return replace(_judgement(path, _roots(trusted_roots)), watermark=look_for_mark(path, watermark))


def _judgement(path: Path, roots: Sequence[bytes]) -> Verdict:
    if path.is_dir() or path.name == LIST_NAME:
        return _verify_sequence(path if path.is_dir() else path.parent, path, roots)
    if "#" in path.name and not path.exists():
        return _verify_sequence(path.parent, path, roots)
    return _verify_file(path, roots)


def _roots(paths: Sequence[Path | str]) -> list[bytes]:
    own = local_root_pem()
    return [*([own] if own else []), *(_root(Path(path)) for path in paths)]


def _root(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        x509.load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        raise DataError(f"is no root certificate in PEM ({error})", where=path, remedy="Give a .pem file") from error
    return content


def _verify_file(path: Path, roots: Sequence[bytes]) -> Verdict:
    if not path.is_file():
        return Verdict(str(path), "unreadable", "there is no such file")
    try:
        report = _report(path, roots)
    except (C2paError, OSError) as error:
        return _broken(path, error)
    if report is not None:
        return _judged(path, report)
    if list_path(path.parent).is_file() and path.suffix.lower() in _FRAME_SUFFIXES:
        return _verify_listed_frame(path, roots)
    return _broken(path, "its place in the file is not where it should be")


def _report(path: Path, roots: Sequence[bytes]) -> ManifestReport | None:
    """Return the label inside the file, else the one beside it."""
    report = read_manifest(path, root_pems=roots)
    sidecar = sidecar_of(path)
    if report is None and sidecar.is_file():
        return read_manifest(path, root_pems=roots, sidecar=sidecar)
    return report


def _broken(path: Path, error: Exception | str) -> Verdict:
    """Judge a file whose label could not be read: the file itself is broken, or its label alone, or it has none."""
    unlabelled = _unlabelled(path)
    has_remains = sidecar_of(path).is_file() or (is_media(path) and holds_label_bytes(path))
    if unlabelled.state == "no label" and has_remains:
        return replace(unlabelled, state="altered", reason=f"its label is damaged ({error})")
    return unlabelled


def _unlabelled(path: Path) -> Verdict:
    if is_media(path):
        try:
            check_readable(path)
        except DataError as error:
            return Verdict(str(path), "unreadable", error.what)
    return Verdict(str(path), "no label", "no C2PA label is in it or beside it; re-encoding and editing remove labels")


def _judged(path: Path, report: ManifestReport) -> Verdict:
    """Return the verdict on a label by itself: altered, contradicting itself, known or unknown."""
    found = _told(path, report)
    if report.state not in ("Trusted", "Valid"):
        return replace(found, state="altered", reason=_failure_in_words(report))
    contradiction = _contradiction(report.manifest)
    if contradiction:
        return replace(found, state="contradiction", reason=contradiction)
    return found


def _told(path: Path, report: ManifestReport) -> Verdict:
    manifest = report.manifest
    agents = manifest.get("claim_generator_info") or [{}]
    tool = " ".join(str(agents[0].get(name, "")) for name in ("name", "version")).strip()
    signature = manifest.get("signature_info") or {}
    is_known = report.state == "Trusted"
    state: State = "known" if is_known else "unknown signer"
    types = _source_types(manifest)
    return Verdict(
        path=str(path),
        state=state,
        reason="its signature holds" + ("" if is_known else "; give the signer's root with --trust to know him"),
        source_type=types[-1].rsplit("/", 1)[-1] if types else None,
        signer=signature.get("issuer"),
        tool=tool or None,
        edits=tuple(str(action["description"]) for action in _actions(manifest) if action.get("description")),
        consent_sha256=_assertion(manifest, CONSENT_ASSERTION).get("record_sha256"),
        named_watermark=_named_watermark(manifest),
    )


def _named_watermark(manifest: dict[str, Any]) -> str | None:
    blocks = _assertion(manifest, MARK_ASSERTION).get("blocks")
    first = blocks[0] if isinstance(blocks, list) and blocks else None
    return str(first.get("value")) if isinstance(first, dict) else None


def _failure_in_words(report: ManifestReport) -> str:
    codes = {code for code, _ in report.failures}
    if any(code.endswith("Hash.mismatch") for code in codes):
        return "its content is not what was signed"
    if _EXPIRED in codes:
        return "its certificate has expired and no time stamp says that it was signed before"
    return "; ".join(f"{explanation} [{code}]" for code, explanation in report.failures) or "its label is invalid"


def _assertion(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the content of the first assertion of that name; empty where there is none."""
    for assertion in manifest.get("assertions") or []:
        content = assertion.get("data")
        if str(assertion.get("label", "")).startswith(label) and isinstance(content, dict):
            return content
    return {}


def _actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    actions = _assertion(manifest, "c2pa.actions").get("actions")
    return [action for action in actions if isinstance(action, dict)] if isinstance(actions, list) else []


def _source_types(manifest: dict[str, Any]) -> list[str]:
    return [str(action["digitalSourceType"]) for action in _actions(manifest) if "digitalSourceType" in action]


def _contradiction(manifest: dict[str, Any]) -> str | None:
    """Return what in a label cannot be true, or None. The C2PA library does not look at the vocabulary."""
    types = _source_types(manifest)
    strange = [term for term in types if term not in SOURCE_TYPES]
    if strange:
        return f"its source type '{strange[0]}' is no term of the IPTC"
    agents = manifest.get("claim_generator_info") or [{}]
    if agents[0].get("name") == TOOL_NAME and not {TRAINED, COMPOSITE, DRAWN_OVER} & set(types):
        return f"it says that {TOOL_NAME} made it, but not that it is synthetic"
    return None


def _verify_listed_frame(path: Path, roots: Sequence[bytes]) -> Verdict:
    listed = list_path(path.parent)
    verdict, frames = _verify_list(listed, path, roots)
    if frames is None:
        return verdict
    entry = next((entry for entry in frames.frames if entry.file_name == path.name), None)
    if entry is None:
        return _unlabelled(path)
    return replace(verdict, path=str(path)) if sha256_of_file(path) == entry.sha256 else _changed(verdict, path.name)


def _changed(verdict: Verdict, file_name: str) -> Verdict:
    return replace(verdict, state="altered", reason=f"{file_name} is not the frame that was signed in {LIST_NAME}")


def _verify_list(listed: Path, subject: Path, roots: Sequence[bytes]) -> tuple[Verdict, FrameList | None]:
    """Judge the list itself. The frames come back only where the list may be believed."""
    try:
        report = _report(listed, roots)
    except (C2paError, OSError) as error:
        return Verdict(str(subject), "unreadable", f"the label of {LIST_NAME} cannot be read ({error})"), None
    if report is None:
        return Verdict(str(subject), "no label", f"{LIST_NAME} is not signed"), None
    verdict = replace(_judged(listed, report), path=str(subject))
    if verdict.code > 1:
        return verdict, None
    try:
        frames = read_frame_list(listed)
    except DataError as error:
        return replace(verdict, state="contradiction", reason=f"{LIST_NAME} {error.what}"), None
    is_same_type = frames.source_type in _source_types(report.manifest)
    if not is_same_type or frames.consent_sha256 != verdict.consent_sha256:
        field = "consent record" if is_same_type else "source type"
        return replace(verdict, state="contradiction", reason=f"{LIST_NAME} and its label name another {field}"), None
    return replace(verdict, frame_count=len(frames.frames)), frames


def _verify_sequence(folder: Path, subject: Path, roots: Sequence[bytes]) -> Verdict:
    listed = list_path(folder)
    if not listed.is_file():
        has_pictures = folder.is_dir() and any(path.suffix.lower() in _FRAME_SUFFIXES for path in folder.iterdir())
        if has_pictures:
            return Verdict(str(subject), "no label", f"there is no {LIST_NAME} beside its pictures")
        return Verdict(str(subject), "unreadable", "there are no pictures and no list of frames")
    verdict, frames = _verify_list(listed, subject, roots)
    return verdict if frames is None else _compared(verdict, frames, folder)


def _compared(verdict: Verdict, frames: FrameList, folder: Path) -> Verdict:
    """Compare every frame on the disk with the list: none changed, none missing, none added."""
    for entry in frames.frames:
        path = folder / entry.file_name
        if not path.is_file():
            return replace(verdict, state="altered", reason=f"{entry.file_name} is missing")
        if sha256_of_file(path) != entry.sha256:
            return _changed(verdict, entry.file_name)
        if entry.key != read_frame_key(path):
            return replace(verdict, state="contradiction", reason=f"{entry.file_name} carries another key than listed")
    added = unlisted_frames(folder, frames)
    if added:
        return replace(verdict, state="altered", reason=f"{added[0].name} was added after the list was signed")
    return verdict
