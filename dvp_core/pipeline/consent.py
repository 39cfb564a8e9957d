"""Consent records on the way through the pipeline: made once, asked before any work, named in every output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dvp_core.data.files import sha256_of_file
from dvp_core.data.generator_header import read_generator_sources
from dvp_core.data.take import Take, read_take
from dvp_core.trust import (
    ConsentRecord,
    ConsentTerms,
    Revocation,
    Work,
    admit,
    new_consent,
    read_consent,
    revocation_of,
    revoke,
    write_consent,
)
from dvp_core.trust.consent_gate import Action
from dvp_core.video import clip_sha256


def admitted_sha256(path: Path | str | None, work: Work) -> str | None:
    """Return the hash that outputs carry for a consent record which allows this work, or None where none is given.

    Raises:
        ConsentRefusedError: The record does not allow it, or is none; see `dvp_core.trust.admit`.
    """
    return None if path is None else admit(path, work).sha256


def work_with_generator(action: Action, generator: Path | str, generator_sha256: str | None = None) -> Work:
    """Return a piece of work with a generator, which binds it to the clips and takes that it was trained on."""
    sources = read_generator_sources(generator)
    return Work(
        action,
        clips_sha256=sources.clips_sha256,
        takes_sha256=sources.takes_sha256,
        generator_sha256=generator_sha256,
        face_model_sha256=sources.face_model_sha256,
    )


def work_on_takes(action: Action, takes: Iterable[Take], *, begins_with_generator: bool = False) -> Work:
    """Return a piece of work on takes and the clips that they were tracked from."""
    takes = list(takes)
    return Work(
        action,
        clips_sha256=tuple(take.clip.sha256 for take in takes),
        takes_sha256=tuple(take.sha256 for take in takes),
        face_model_sha256=takes[0].face_model_sha256,
        begins_with_generator=begins_with_generator,
    )


def record_consent(
    clips: Sequence[Path | str],
    output: Path | str,
    *,
    take: Path | None = None,
    generator: Path | None = None,
    evidence: Path | None = None,
    dialogue: Path | None = None,
    validity_days: int = 365,
    **terms: Any,
) -> ConsentRecord:
    """Sign and write a record about clips of one person.

    Args:
        clips: Movies, folders or `####` patterns.
        output: The record to write.
        take: The record then holds for this take alone.
        generator: The record then holds for this generator alone.
        evidence: The paper that shows that guardian or estate may consent; its hash is recorded.
        dialogue: The script that may be spoken; its hash is recorded.
        validity_days: Days until it ends.
        terms: What was agreed upon, see `dvp_core.trust.ConsentTerms`; what is None stays as it is there.
    """
    files = {"evidence_sha256": evidence, "dialogue_sha256": dialogue}
    given: dict[str, Any] = {name: sha256_of_file(path) for name, path in files.items() if path is not None}
    given |= {name: value for name, value in terms.items() if value is not None}
    tied = {} if take is None else {"take": read_take(take).sha256}
    tied |= {} if generator is None else {"generator": sha256_of_file(generator)}
    record = new_consent(clips, ConsentTerms(**given), validity_days=validity_days, tied_sha256=tied)
    write_consent(output, record)
    return record


def check_consent(
    path: Path | str,
    action: Action,
    *,
    clips: Sequence[Path | str] = (),
    take: Path | None = None,
    generator: Path | None = None,
    use: str | None = None,
    project: str | None = None,
    dialogue: Path | None = None,
) -> ConsentRecord:
    """Return a record that allows a piece of work now, told by its files.

    Args:
        path: The record.
        action: What is to be done.
        clips: Clips that it works on.
        take: Take that it works on.
        generator: Generator that it uses, with the clips and takes that this was trained on.
        use: Code of what is made.
        project: For which project.
        dialogue: The script that is spoken.

    Raises:
        ConsentRefusedError: It does not allow it.
    """
    takes = [] if take is None else [read_take(take)]
    work = Work(action) if not takes else work_on_takes(action, takes)
    if generator is not None:
        work = work_with_generator(action, generator, sha256_of_file(generator))
    work = replace(
        work,
        clips_sha256=(*work.clips_sha256, *map(clip_sha256, clips)),
        use=use,
        project=project,
        dialogue_sha256=None if dialogue is None else sha256_of_file(dialogue),
    )
    return admit(path, work)


def show_consent(path: Path | str) -> tuple[ConsentRecord, Revocation | None]:
    """Return a record, every field and its signature checked, and its revocation where it was taken back."""
    record = read_consent(path)
    return record, revocation_of(record, path)


def revoke_consent(path: Path | str, *, reason: str = "") -> Revocation:
    """Take a consent back; see `dvp_core.trust.revoke`."""
    return revoke(read_consent(path), path, reason=reason)
