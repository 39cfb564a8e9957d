"""`dvp consent`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dvp_core.cli.arguments import Input, Output
from dvp_core.pipeline.consent import check_consent, record_consent, revoke_consent, show_consent

_Texts = Annotated[tuple[str, ...], tyro.conf.arg(metavar="TEXT"), tyro.conf.UseAppendAction]
_Clips = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH"), tyro.conf.UseAppendAction]


def new(
    *,
    clip: _Clips,
    use: _Texts,
    output: Output,
    code: _Texts = (),
    forbid: _Texts = (),
    subject: str | None = None,
    capacity: Literal["self", "guardian", "estate"] = "self",
    minor: bool = False,
    deceased: bool = False,
    evidence: Path | None = None,
    grantee: str | None = None,
    project: str | None = None,
    dialogue: Path | None = None,
    territory: _Texts = (),
    medium: _Texts = (),
    training: bool = True,
    model_reuse: bool = True,
    waive_watermark: bool = False,
    days: int = 365,
    take: Path | None = None,
    generator: Path | None = None,
) -> dict[str, Any]:
    """Record a person's consent for clips and uses.

    Args:
        clip: The clip that the consent is for; given again for further ones of the same person.
        use: What may be made of it, in plain words; given again for more.
        output: The record to write.
        code: The same as a code that is compared, as dub:de; given again for more. None allows every use.
        forbid: Code of what may never be made; by default nudity, intimate, political and endorsement.
        subject: Pseudonym of the person; the record must not hold names.
        capacity: Who consents.
        minor: The person is under age; then a guardian must consent.
        deceased: The person is dead; then the estate must consent.
        evidence: Paper that shows that guardian or estate may consent; its hash is recorded.
        grantee: Who may make it.
        project: What it is for.
        dialogue: Script that may be spoken; its hash is recorded.
        territory: Where it may be shown.
        medium: In what it may be shown.
        training: Whether a generator may be trained on the clip.
        model_reuse: Whether that generator may begin another training.
        waive_watermark: Outputs may go without the invisible mark.
        days: Days until it ends.
        take: The record holds for this take alone.
        generator: The record holds for this generator alone.
    """
    record = record_consent(
        clip,
        output,
        take=take,
        generator=generator,
        evidence=evidence,
        dialogue=dialogue,
        validity_days=days,
        uses=use,
        use_codes=code,
        forbidden=forbid or None,
        subject=subject,
        capacity=capacity,
        is_minor=minor,
        is_deceased=deceased,
        grantee=grantee,
        project=project,
        territories=territory,
        media=medium,
        is_training_allowed=training,
        is_model_reuse_allowed=model_reuse,
        is_watermark_waived=waive_watermark,
    )
    return {"consent": str(output), "sha256": record.sha256, "not_after": record.not_after}


def show(record: Input) -> dict[str, Any]:
    """Show a consent record, after checking its signature.

    Args:
        record: The record.
    """
    content, revocation = show_consent(record)
    document = asdict(content)
    lines = {"sha256": content.sha256} | document.pop("terms")
    lines |= {name: value for name, value in document.items() if name not in _LONG}
    lines["revoked"] = None if revocation is None else revocation.revoked
    for name, value in lines.items():
        sys.stderr.write(f"{name:<22} {', '.join(value) if isinstance(value, tuple) else value}\n")
    return lines


_LONG = ("certificate", "signature")


def check(
    record: Input,
    *,
    action: Literal["track", "train", "render", "compose", "preview"] = "render",
    clip: _Clips = (),
    take: Path | None = None,
    generator: Path | None = None,
    use: str | None = None,
    project: str | None = None,
    dialogue: Path | None = None,
) -> dict[str, Any]:
    """Say whether a record allows a piece of work now, and why not.

    Args:
        record: The record.
        action: What is to be done.
        clip: Clip that is worked on; given again for more.
        take: Take that is worked on.
        generator: Generator that is used.
        use: Code of what is made, as dub:de.
        project: For which project.
        dialogue: Script that is spoken.
    """
    allowed = check_consent(
        record,
        action,
        clips=clip,
        take=take,
        generator=generator,
        use=use,
        project=project,
        dialogue=dialogue,
    )
    sys.stderr.write(f"{action} is allowed until {allowed.not_after}\n")
    return {"consent": str(record), "sha256": allowed.sha256, "action": action, "not_after": allowed.not_after}


def revoke(record: Input, *, reason: str = "") -> dict[str, Any]:
    """Take a consent back: nothing new is made under this record from now on.

    Args:
        record: The record.
        reason: Why, in plain words without names.
    """
    revocation = revoke_consent(record, reason=reason)
    sys.stderr.write(f"{record} is revoked; `dvp explain` tells what was made under it\n")
    return {"consent": str(record), "sha256": revocation.record_sha256, "revoked": revocation.revoked}
