"""The gate: no work on a person's clip but what the record of consent allows, and the reason as code and sentence.

Dubbing into another language is work like any other. Who works asks `admit` before anything is read or written for it;
what is not known of a piece of work (the take, where a movie is made of pictures) is not held against the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from dvp_core.data.errors import DataError
from dvp_core.trust.consent import ConsentRecord, read_consent
from dvp_core.trust.ledger import last_entry_time
from dvp_core.trust.revocation import revocation_of

Action = Literal["track", "train", "render", "compose", "preview"]
RefusalCode = Literal[
    "missing", "unreadable", "clock", "early", "expired", "revoked", "training", "reuse", "clip", "take", "generator",
    "face-model", "use", "forbidden", "project", "dialogue",
]  # fmt: skip
_REMEDY = "Ask the person, then make a record of what was agreed: dvp consent new --clip CLIP --use TEXT -o FILE"
_OTHER_REMEDIES: dict[RefusalCode, str] = {"clock": "Set this machine's clock"}
_CLOCKS_MAY_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class Work:
    """What is about to be done, as far as it is known.

    Attributes:
        action: What.
        clips_sha256: The clips it works on or that its generator was trained on.
        takes_sha256: Likewise the takes.
        generator_sha256: The generator it uses.
        face_model_sha256: The face model.
        use: Code of what is made, as `dub:de`.
        project: For which project.
        dialogue_sha256: Hash of the script that is spoken.
        begins_with_generator: Whether a training goes on from another generator's weights.
    """

    action: Action
    clips_sha256: tuple[str, ...] = ()
    takes_sha256: tuple[str, ...] = ()
    generator_sha256: str | None = None
    face_model_sha256: str | None = None
    use: str | None = None
    project: str | None = None
    dialogue_sha256: str | None = None
    begins_with_generator: bool = False


class ConsentRefusedError(DataError):
    """Work that no consent covers.

    Attributes:
        code: Which rule refuses it.
    """

    def __init__(self, code: RefusalCode, what: str, *, where: str | Path | None) -> None:
        self.code: RefusalCode = code
        super().__init__(what, where=where, remedy=_OTHER_REMEDIES.get(code, _REMEDY))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between processes with the code intact."""
        return (_rebuild, (self.code, self.what, self.where))


def _rebuild(code: RefusalCode, what: str, where: str | None) -> ConsentRefusedError:
    return ConsentRefusedError(code, what, where=where)


def admit(path: Path | str | None, work: Work, *, now: datetime | None = None) -> ConsentRecord:
    """Return the record that allows a piece of work now.

    Args:
        path: The record's file.
        work: What is about to be done.
        now: The time that counts; by default the clock's.

    Raises:
        ConsentRefusedError: There is no record, it cannot be read, or it does not allow this.
    """
    if path is None:
        raise ConsentRefusedError("missing", f"no record of consent is given to {work.action}", where=None)
    try:
        record = read_consent(path)
    except DataError as error:
        raise ConsentRefusedError("unreadable", error.what, where=path) from error
    for code, sentence in _objections(record, path, work, now or datetime.now(UTC)):
        raise ConsentRefusedError(code, sentence, where=path)
    return record


def _objections(
    record: ConsentRecord, path: Path | str, work: Work, now: datetime
) -> Iterator[tuple[RefusalCode, str]]:
    yield from _objections_of_time(record, now)
    try:
        revocation = revocation_of(record, path)
    except DataError as error:
        yield "revoked", f"what lies at the place of its revocation cannot be read ({error})"
    else:
        if revocation is not None:
            yield "revoked", f"the consent was taken back on {revocation.revoked}"
    yield from _objections_of_assets(record, work)
    yield from _objections_of_purpose(record, work)


def _objections_of_time(record: ConsentRecord, now: datetime) -> Iterator[tuple[RefusalCode, str]]:
    last = last_entry_time()
    if last is not None and now < last - _CLOCKS_MAY_DIFFER:
        yield "clock", f"the clock says {now:%Y-%m-%d %H:%M} UTC, before the last output that the ledger knows"
    if now < record.begins:
        yield "early", f"the consent begins only on {record.not_before}"
    if now > record.ends:
        yield "expired", f"the consent ended on {record.not_after}"


def _objections_of_assets(record: ConsentRecord, work: Work) -> Iterator[tuple[RefusalCode, str]]:
    if not set(work.clips_sha256) <= record.clips_sha256:
        yield "clip", "the consent was given for another clip"
    ties: tuple[tuple[RefusalCode, str, tuple[str | None, ...]], ...] = (
        ("take", "take", work.takes_sha256),
        ("generator", "generator", (work.generator_sha256,)),
        ("face-model", "face_model", (work.face_model_sha256,)),
    )
    for code, role, used in ties:
        tied = record.asset_sha256.get(role)
        if tied is not None and any(digest not in (tied, None) for digest in used):
            yield code, f"the consent was given for another {role.replace('_', ' ')}"


def _objections_of_purpose(record: ConsentRecord, work: Work) -> Iterator[tuple[RefusalCode, str]]:
    terms = record.terms
    if work.action == "train" and not terms.is_training_allowed:
        yield "training", "the consent does not allow to train a generator"
    if work.begins_with_generator and not terms.is_model_reuse_allowed:
        yield "reuse", "the consent does not allow to begin with another training's generator"
    if work.use is not None and work.use in terms.forbidden:
        yield "forbidden", f"the consent forbids '{work.use}'"
    if work.use is not None and terms.use_codes and work.use not in terms.use_codes:
        yield "use", f"the consent allows {', '.join(terms.use_codes)}, not '{work.use}'"
    if work.project is not None and terms.project and work.project != terms.project:
        yield "project", f"the consent was given for the project '{terms.project}'"
    if work.dialogue_sha256 is not None and terms.dialogue_sha256 not in (None, work.dialogue_sha256):
        yield "dialogue", "the consent was given for another dialogue"
