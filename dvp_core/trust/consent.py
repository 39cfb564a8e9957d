"""Consent records: who allowed what to be done with which clip, until when, signed where it was made.

A record lies outside the media and knows its subject by a pseudonym; an output carries its hash alone. It is made and
checked here; that it is demanded before any work is the business of those who work. A signature proves that a record
has not changed, and on which installation it was made - not that the person agreed: keep the evidence of that apart.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sha256_of_bytes, write_bytes_atomically
from dvp_core.trust.keys import SigningKeys, local_root_pem, signing_keys
from dvp_core.video import clip_sha256

Capacity = Literal["self", "guardian", "estate"]
CONSENT_KIND = "deep-video-portraits consent"
CONSENT_VERSION = 1
DEFAULT_FORBIDDEN = ("nudity", "intimate", "political", "endorsement")
_DEFAULT_VALIDITY_DAYS = 365
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_TEXT = 2000
_REMEDY = "Make a new record with: dvp consent new --clip CLIP --use TEXT -o FILE"


@dataclass(frozen=True)
class ConsentRecord:
    """What a person, or whoever may speak for them, has allowed.

    Attributes:
        id: Name of this record.
        subject: Pseudonym of the person; names and addresses are kept elsewhere.
        capacity: Who consents: the person, a guardian, or the estate of someone dead.
        is_minor: Whether the person is under age; then a guardian must consent.
        project: What it is for.
        uses: What may be made, in plain words.
        forbidden: What may never be made.
        not_before: Begin, UTC, as 2026-01-31T12:00:00Z.
        not_after: End, UTC.
        is_training_allowed: Whether a generator may be trained on the clip.
        asset_sha256: Hashes that tie the record to its clip (and later take and generator), by role.
        created: When the record was made, UTC.
        certificate: Certificate of the signer, PEM.
        signature: ECDSA signature (SHA-256, DER, base64) over the canonical JSON of everything else.
    """

    id: str
    subject: str
    capacity: Capacity
    is_minor: bool
    project: str
    uses: tuple[str, ...]
    forbidden: tuple[str, ...]
    not_before: str
    not_after: str
    is_training_allowed: bool
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


def _document(record: ConsentRecord) -> dict[str, Any]:
    return {"kind": CONSENT_KIND, "version": CONSENT_VERSION, **asdict(record)}


def _signed_part(record: ConsentRecord) -> bytes:
    document = _document(record)
    del document["signature"]
    return canonical_json(document)


def new_consent(
    clip: Path | str,
    use: str,
    *,
    subject: str | None = None,
    capacity: Capacity = "self",
    is_minor: bool = False,
    project: str = "",
    forbidden: tuple[str, ...] = DEFAULT_FORBIDDEN,
    is_training_allowed: bool = True,
    not_before: datetime | None = None,
    validity_days: int = _DEFAULT_VALIDITY_DAYS,
    keys: SigningKeys | None = None,
) -> ConsentRecord:
    """Return a signed record that allows one use of one clip.

    Args:
        clip: Movie, folder or `####` pattern in which the person is seen.
        use: What may be made, in plain words.
        subject: Pseudonym; one is drawn where none is given.
        capacity: Who consents.
        is_minor: Whether the person is under age.
        project: What it is for.
        forbidden: What may never be made.
        is_training_allowed: Whether a generator may be trained on the clip.
        not_before: Begin; by default now.
        validity_days: Days until it ends.
        keys: What signs; by default this installation's keys.

    Raises:
        DataError: The clip cannot be read, or what is said makes no valid record.
    """
    now = datetime.now(UTC)
    begin = (not_before or now).astimezone(UTC)
    keys = keys or signing_keys()
    unsigned = ConsentRecord(
        id=uuid.uuid4().hex,
        subject=subject or f"subject-{secrets.token_hex(4)}",
        capacity=capacity,
        is_minor=is_minor,
        project=project,
        uses=(use.strip(),),
        forbidden=forbidden,
        not_before=begin.strftime(_TIME_FORM),
        not_after=(begin + timedelta(days=validity_days)).strftime(_TIME_FORM),
        is_training_allowed=is_training_allowed,
        asset_sha256={"clip": clip_sha256(clip)},
        created=now.strftime(_TIME_FORM),
        certificate=_first_certificate(keys.chain_pem),
        signature="",
    )
    _check_sense(unsigned, "the new record")
    return replace(unsigned, signature=_signature(unsigned, keys))


def _first_certificate(chain_pem: bytes) -> str:
    leaf = x509.load_pem_x509_certificates(chain_pem)[0]
    return leaf.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _signature(record: ConsentRecord, keys: SigningKeys) -> str:
    key = serialization.load_pem_private_key(keys.key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return base64.b64encode(key.sign(_signed_part(record), ec.ECDSA(hashes.SHA256()))).decode("ascii")


def write_consent(path: Path | str, record: ConsentRecord) -> None:
    """Write a record to a JSON file in one step."""
    write_bytes_atomically(path, record.to_bytes())


def read_consent(path: Path | str) -> ConsentRecord:
    """Read a record and check every field and its signature.

    Whether it is in force now and fits a clip tells `refusal`; whether its signer is known, `is_signer_known`.

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
    _check_signature(record, path)
    return record


def _from_document(document: dict[str, Any], path: Path | str) -> ConsentRecord:
    wanted = {field.name for field in fields(ConsentRecord)}
    given = set(document) - {"kind", "version"}
    if wanted != given:
        missing, strange = sorted(wanted - given), sorted(given - wanted)
        detail = f"lacks the field '{missing[0]}'" if missing else f"has a field '{strange[0]}' that no record has"
        raise DataError(detail, where=path, remedy=_REMEDY)
    for name in ("uses", "forbidden"):
        if not isinstance(document[name], list):
            raise DataError(f"field '{name}' is no list", where=path, remedy=_REMEDY)
    values: dict[str, Any] = {name: document[name] for name in wanted}
    values |= {name: tuple(document[name]) for name in ("uses", "forbidden")}
    return ConsentRecord(**values)


def _check_sense(record: ConsentRecord, where: Path | str) -> None:
    """Check every field by itself and the few that belong together."""
    _check_texts(record, where)
    if record.capacity not in get_args(Capacity):
        raise DataError(f"field 'capacity' is {record.capacity!r}, not self, guardian or estate", where=where)
    for name in ("is_minor", "is_training_allowed"):
        if not isinstance(getattr(record, name), bool):
            raise DataError(f"field '{name}' is neither true nor false", where=where, remedy=_REMEDY)
    if record.is_minor and record.capacity != "guardian":
        raise DataError("is about a minor, and no guardian consents", where=where, remedy="Have a guardian consent")
    if not isinstance(record.asset_sha256, dict) or "clip" not in record.asset_sha256:
        raise DataError("names no clip in 'asset_sha256'", where=where, remedy=_REMEDY)
    for role, digest in record.asset_sha256.items():
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise DataError(f"the hash of '{role}' is no SHA-256", where=where, remedy=_REMEDY)
    if _time(record, "not_before", where) >= _time(record, "not_after", where):
        raise DataError("ends before it begins", where=where, remedy=_REMEDY)
    _time(record, "created", where)


def _check_texts(record: ConsentRecord, where: Path | str) -> None:
    for name in ("id", "subject"):
        value = getattr(record, name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise DataError(
                f"field '{name}' is {str(value)[:80]!r}",
                where=where,
                remedy="Give a pseudonym of letters, digits, points and dashes, not a name with spaces",
            )
    if not record.uses or not all(isinstance(use, str) and use for use in record.uses):
        raise DataError("allows no use", where=where, remedy="Say in plain words what may be made")
    texts = (record.project, record.certificate, record.signature, *record.uses, *record.forbidden)
    if not all(isinstance(text, str) for text in texts) or max(map(len, texts)) > _LONGEST_TEXT:
        raise DataError(f"holds a text that is none, or longer than {_LONGEST_TEXT} letters", where=where)


def _time(record: ConsentRecord, name: str, where: Path | str) -> datetime:
    value = getattr(record, name)
    try:
        return datetime.strptime(value, _TIME_FORM).replace(tzinfo=UTC)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"field '{name}' is {str(value)[:80]!r}, no time like 2026-01-31T12:00:00Z", where=where
        ) from error


def _check_signature(record: ConsentRecord, path: Path | str) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(record.certificate.encode())
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise DataError("is signed with a key of another kind than ECDSA", where=path, remedy=_REMEDY)
        key.verify(base64.b64decode(record.signature, validate=True), _signed_part(record), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise DataError(
            "was changed after it was signed, or its signature is broken", where=path, remedy=_REMEDY
        ) from error


def is_signer_known(record: ConsentRecord, *, root_pem: bytes | None = None) -> bool:
    """Tell whether the signer's certificate was issued by a known root.

    Args:
        record: A record that was read with `read_consent`.
        root_pem: Root certificate; by default this installation's own.
    """
    root_pem = root_pem or local_root_pem()
    if root_pem is None:
        return False
    certificate = x509.load_pem_x509_certificate(record.certificate.encode())
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root_pem))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def refusal(record: ConsentRecord, *, sha256_of_clip: str | None = None, now: datetime | None = None) -> str | None:
    """Return why a record does not allow work on a clip now, or None where it does.

    Args:
        record: A record that was read with `read_consent`.
        sha256_of_clip: Hash of the clip to be worked on; None where it is not known.
        now: The time that counts; by default the clock's.
    """
    moment = now or datetime.now(UTC)
    if moment < _time(record, "not_before", record.id):
        return f"the consent begins only on {record.not_before}"
    if moment > _time(record, "not_after", record.id):
        return f"the consent ended on {record.not_after}"
    if sha256_of_clip is not None and sha256_of_clip != record.asset_sha256["clip"]:
        return "the consent was given for another clip"
    return None
