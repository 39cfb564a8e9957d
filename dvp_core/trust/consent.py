"""Consent records: who allowed what to be done with which clip, until when, signed where it was made.

A record lies outside the media and knows its subject by a pseudonym; an output carries its hash alone. It is made and
read here; whether it allows a piece of work now is judged in `consent_gate.py`. A signature proves that a record has
not changed, and on which installation it was made - not that the person agreed: keep the evidence of that apart.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sha256_of_bytes, write_bytes_atomically
from dvp_core.trust.keys import SigningKeys, signing_keys
from dvp_core.trust.signatures import check_signature, is_issued_here, signature_of, signer_certificate
from dvp_core.video import clip_sha256

Capacity = Literal["self", "guardian", "estate"]
CONSENT_KIND = "deep-video-portraits consent"
CONSENT_VERSION = 2
DEFAULT_FORBIDDEN = ("nudity", "intimate", "political", "endorsement")
CLIP_ROLE = "clip"
_DEFAULT_VALIDITY_DAYS = 365
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_USE_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}(:[a-z0-9-]{1,32})?")
_TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_TEXT = 2000
_REMEDY = "Make a new record with: dvp consent new --clip CLIP --use TEXT -o FILE"


@dataclass(frozen=True)
class ConsentTerms:
    """What was agreed upon. Where a term is left empty, the record says nothing about it and so allows it.

    Attributes:
        uses: What may be made, in plain words.
        use_codes: The same in codes that a machine compares, as `dub:de` or `performance-edit`.
        forbidden: Codes of what may never be made.
        subject: Pseudonym of the person; names and addresses are kept elsewhere.
        capacity: Who consents: the person, a guardian, or the estate of someone dead.
        is_minor: Whether the person is under age; then a guardian must consent.
        is_deceased: Whether the person is dead; then the estate must consent.
        evidence_sha256: Hash of the paper that shows that guardian or estate may consent.
        grantee: Who may make it.
        project: What it is for.
        dialogue_sha256: Hash of the script that may be spoken.
        territories: Where it may be shown.
        media: In what it may be shown.
        is_training_allowed: Whether a generator may be trained on the clip.
        is_model_reuse_allowed: Whether that generator may begin another training.
        is_watermark_waived: Whether outputs may go without the invisible mark.
        retention_until: When scans and weights must be deleted, UTC.
        revocation: How it is revoked, and what happens then.
    """

    uses: tuple[str, ...]
    use_codes: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = DEFAULT_FORBIDDEN
    subject: str = field(default_factory=lambda: f"subject-{secrets.token_hex(4)}")
    capacity: Capacity = "self"
    is_minor: bool = False
    is_deceased: bool = False
    evidence_sha256: str | None = None
    grantee: str = ""
    project: str = ""
    dialogue_sha256: str | None = None
    territories: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    is_training_allowed: bool = True
    is_model_reuse_allowed: bool = True
    is_watermark_waived: bool = False
    retention_until: str | None = None
    revocation: str = "Tell whoever keeps this record: nothing new is rendered from then on"


@dataclass(frozen=True)
class ConsentRecord:
    """What a person, or whoever may speak for them, has allowed, signed.

    Attributes:
        id: Name of this record.
        terms: What was agreed upon.
        not_before: Begin, UTC, as 2026-01-31T12:00:00Z.
        not_after: End, UTC.
        asset_sha256: Hashes that tie the record to what it is about: "clip", "clip 2", ...; where they are tied too,
            "take", "generator", "face_model".
        created: When the record was made, UTC.
        certificate: Certificate of the signer, PEM.
        signature: See `signatures.py`.
    """

    id: str
    terms: ConsentTerms
    not_before: str
    not_after: str
    asset_sha256: dict[str, str]
    created: str
    certificate: str
    signature: str

    def to_bytes(self) -> bytes:
        """Return the content of the record's file."""
        return canonical_json(_document(self))

    @property
    def sha256(self) -> str:
        """The hash that outputs carry: over the canonical JSON of the whole record."""
        return sha256_of_bytes(self.to_bytes())

    @property
    def clips_sha256(self) -> frozenset[str]:
        """The clips it is about."""
        return frozenset(digest for role, digest in self.asset_sha256.items() if _is_clip(role))

    @property
    def begins(self) -> datetime:
        """When it comes into force."""
        return parse_time(self.not_before)

    @property
    def ends(self) -> datetime:
        """When it ends."""
        return parse_time(self.not_after)


def _is_clip(role: str) -> bool:
    return role == CLIP_ROLE or role.startswith(f"{CLIP_ROLE} ")


def _document(record: ConsentRecord) -> dict[str, Any]:
    return {"kind": CONSENT_KIND, "version": CONSENT_VERSION, **asdict(record)}


def format_time(moment: datetime) -> str:
    """Return a moment as records write it, UTC to the second."""
    return moment.astimezone(UTC).strftime(_TIME_FORM)


def parse_time(text: str) -> datetime:
    """Return the moment that a text like 2026-01-31T12:00:00Z names, else raise `ValueError` or `TypeError`."""
    return datetime.strptime(text, _TIME_FORM).replace(tzinfo=UTC)


def new_consent(
    clips: Path | str | Sequence[Path | str],
    terms: ConsentTerms,
    *,
    tied_sha256: Mapping[str, str] | None = None,
    not_before: datetime | None = None,
    validity_days: int = _DEFAULT_VALIDITY_DAYS,
    keys: SigningKeys | None = None,
) -> ConsentRecord:
    """Return a signed record about a clip, or several of one person.

    Args:
        clips: Movies, folders or `####` patterns in which the person is seen.
        terms: What was agreed upon.
        tied_sha256: Hashes of "take", "generator" or "face_model" where the record is to hold for these alone.
        not_before: Begin; by default now.
        validity_days: Days until it ends.
        keys: What signs; by default this installation's keys.

    Raises:
        DataError: A clip cannot be read, or what is said makes no valid record.
    """
    now = datetime.now(UTC)
    begin = not_before or now
    keys = keys or signing_keys()
    unsigned = ConsentRecord(
        id=uuid.uuid4().hex,
        terms=terms,
        not_before=format_time(begin),
        not_after=format_time(begin + timedelta(days=validity_days)),
        asset_sha256=_clip_hashes(clips) | dict(tied_sha256 or {}),
        created=format_time(now),
        certificate=signer_certificate(keys),
        signature="",
    )
    _check_sense(unsigned, "the new record")
    return replace(unsigned, signature=signature_of(_document(unsigned), keys))


def _clip_hashes(clips: Path | str | Sequence[Path | str]) -> dict[str, str]:
    listed = [clips] if isinstance(clips, (str, Path)) else clips
    roles = [CLIP_ROLE, *(f"{CLIP_ROLE} {number}" for number in range(2, len(listed) + 1))]
    return {role: clip_sha256(clip) for role, clip in zip(roles, listed, strict=False)}


def write_consent(path: Path | str, record: ConsentRecord) -> None:
    """Write a record to a JSON file in one step."""
    write_bytes_atomically(path, record.to_bytes())


def read_consent(path: Path | str) -> ConsentRecord:
    """Read a record and check every field and its signature.

    Whether it is in force and allows a piece of work tells `consent_gate`; whether its signer is known,
    `is_signer_known`.

    Raises:
        DataError: Not such a record, incomplete, making no sense, or changed after it was signed.
    """
    document = read_json(path)
    if not isinstance(document, dict) or document.get("kind") != CONSENT_KIND:
        raise DataError("is no consent record", where=path, remedy=_REMEDY)
    if document.get("version") != CONSENT_VERSION:
        raise DataError(f"is a consent record of version {document.get('version')!r}", where=path, remedy=_REMEDY)
    record = _from_document(document, path)
    _check_sense(record, path)
    check_signature(_document(record), where=path, remedy=_REMEDY)
    return record


def _from_document(document: dict[str, Any], path: Path | str) -> ConsentRecord:
    values: dict[str, Any] = {name: value for name, value in document.items() if name not in ("kind", "version")}
    _check_fields(values, ConsentRecord, path)
    terms = values["terms"]
    if not isinstance(terms, dict):
        raise DataError("field 'terms' is no object", where=path, remedy=_REMEDY)
    _check_fields(terms, ConsentTerms, path)
    for name in _LISTS:
        if not isinstance(terms[name], list):
            raise DataError(f"field '{name}' is no list", where=path, remedy=_REMEDY)
    terms |= {name: tuple(terms[name]) for name in _LISTS}
    values["terms"] = ConsentTerms(**terms)
    return ConsentRecord(**values)


def _check_fields(given: Mapping[str, Any], kind: type, path: Path | str) -> None:
    wanted = {item.name for item in fields(kind)}
    if missing := sorted(wanted - set(given)):
        raise DataError(f"lacks the field '{missing[0]}'", where=path, remedy=_REMEDY)
    if strange := sorted(set(given) - wanted):
        raise DataError(f"has a field '{strange[0]}' that no record has", where=path, remedy=_REMEDY)


_LISTS = ("uses", "use_codes", "forbidden", "territories", "media")
_FLAGS = ("is_minor", "is_deceased", "is_training_allowed", "is_model_reuse_allowed", "is_watermark_waived")


def _check_sense(record: ConsentRecord, where: Path | str) -> None:
    """Check every field by itself and the few that belong together."""
    _check_texts(record, where)
    _check_person(record.terms, where)
    _check_hashes(record, where)
    times = {name: getattr(record, name) for name in ("not_before", "not_after", "created")}
    if record.terms.retention_until is not None:
        times["retention_until"] = record.terms.retention_until
    moments = {name: _checked_time(name, value, where) for name, value in times.items()}
    if moments["not_before"] >= moments["not_after"]:
        raise DataError("ends before it begins", where=where, remedy=_REMEDY)


def _check_texts(record: ConsentRecord, where: Path | str) -> None:
    terms = record.terms
    for name, value in (("id", record.id), ("subject", terms.subject)):
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise DataError(
                f"field '{name}' is {str(value)[:80]!r}",
                where=where,
                remedy="Give a pseudonym of letters, digits, points and dashes, not a name with spaces",
            )
    if not terms.uses or not all(isinstance(use, str) and use.strip() for use in terms.uses):
        raise DataError("allows no use", where=where, remedy="Say in plain words what may be made")
    texts = [terms.grantee, terms.project, terms.revocation, record.certificate, record.signature]
    texts += [text for name in _LISTS for text in getattr(terms, name)]
    if not all(isinstance(text, str) and len(text) <= _LONGEST_TEXT for text in texts):
        raise DataError(f"holds a text that is none, or longer than {_LONGEST_TEXT} letters", where=where)
    for code in (*terms.use_codes, *terms.forbidden):
        if not _USE_CODE.fullmatch(code):
            raise DataError(
                f"has {code[:80]!r} as the code of a use",
                where=where,
                remedy="Write it like dub:de or performance-edit",
            )


def _check_person(terms: ConsentTerms, where: Path | str) -> None:
    if terms.capacity not in get_args(Capacity):
        raise DataError(f"field 'capacity' is {terms.capacity!r}, not self, guardian or estate", where=where)
    for name in _FLAGS:
        if not isinstance(getattr(terms, name), bool):
            raise DataError(f"field '{name}' is neither true nor false", where=where, remedy=_REMEDY)
    if terms.is_deceased and terms.capacity != "estate":
        raise DataError("is about someone dead, and no estate consents", where=where, remedy="Have the estate consent")
    if terms.is_minor and not terms.is_deceased and terms.capacity != "guardian":
        raise DataError("is about a minor, and no guardian consents", where=where, remedy="Have a guardian consent")


def _check_hashes(record: ConsentRecord, where: Path | str) -> None:
    if not isinstance(record.asset_sha256, dict) or CLIP_ROLE not in record.asset_sha256:
        raise DataError("names no clip in 'asset_sha256'", where=where, remedy=_REMEDY)
    named = {f"hash of '{role}'": digest for role, digest in record.asset_sha256.items()}
    optional = {name: getattr(record.terms, name) for name in ("evidence_sha256", "dialogue_sha256")}
    named |= {f"field '{name}'": digest for name, digest in optional.items() if digest is not None}
    for name, digest in named.items():
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise DataError(f"the {name} is no SHA-256", where=where, remedy=_REMEDY)


def _checked_time(name: str, value: Any, where: Path | str) -> datetime:
    try:
        return parse_time(value)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"field '{name}' is {str(value)[:80]!r}, no time like 2026-01-31T12:00:00Z", where=where
        ) from error


def is_signer_known(record: ConsentRecord, *, root_pem: bytes | None = None) -> bool:
    """Tell whether the signer's certificate was issued by a known root.

    Args:
        record: A record that was read with `read_consent`.
        root_pem: Root certificate; by default this installation's own.
    """
    return is_issued_here(record.certificate, root_pem=root_pem)
