"""Timings of speech from other tools: Praat's TextGrid (as forced aligners write it), and Rhubarb Lip Sync's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvp_core.data.errors import DataError
from dvp_core.data.speech import Speech, SpeechSound
from dvp_core.exchange.speech_symbols import RHUBARB_LIPS, RHUBARB_SHAPES, RHUBARB_SILENCE, is_silence, lips_of
from dvp_core.exchange.text_grid import Tier, decoded, read_text_grid

_PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "segments", "mau", "sounds")
_WORD_TIERS = ("words", "word", "ort-mau", "ort")


def read_speech(path: Path | str) -> Speech:
    """Return what is spoken when: `*.TextGrid`, or a `*.json` of Rhubarb Lip Sync.

    A TextGrid's tier of phones tells sounds and lips; one that has words alone tells when somebody speaks. A tier's
    name may carry its speaker ("anna - phones"); of several speakers the first counts.

    Raises:
        DataError: No such file, another kind of file, no tier by such a name, or times out of order.
    """
    suffix = Path(path).suffix.lower()
    readers = {".textgrid": _from_text_grid, ".json": _from_rhubarb}
    if suffix not in readers:
        raise DataError(
            f"'{suffix}' holds no timings that can be read",
            where=path,
            remedy="Give a Praat *.TextGrid or the *.json of Rhubarb Lip Sync",
        )
    try:
        return Speech(readers[suffix](path))
    except DataError as error:
        raise DataError(error.what, where=error.where or path, remedy=error.remedy) from error


def _from_text_grid(path: Path | str) -> tuple[SpeechSound, ...]:
    tiers = read_text_grid(path)
    phones, words = _named(tiers, _PHONE_TIERS), _named(tiers, _WORD_TIERS)
    chosen = phones or words
    if chosen is None:
        names = ", ".join(f"'{tier.name}'" for tier in tiers) or "none"
        raise DataError(
            f"has no tier of phones or words (its tiers of intervals: {names})",
            where=path,
            remedy="Name a tier 'phones' or 'words'",
        )
    spoken = [interval for interval in chosen.intervals if not is_silence(interval[2])]
    labels = [label for _, _, label in spoken]
    lips = lips_of(labels) if phones else [None] * len(labels)
    return tuple(
        SpeechSound(begin, end, label.strip(), shape) for (begin, end, label), shape in zip(spoken, lips, strict=True)
    )


def _named(tiers: Sequence[Tier], names: Sequence[str]) -> Tier | None:
    for name in names:
        for tier in tiers:
            own = tier.name.strip().lower()
            if own == name or own.endswith((f" - {name}", f"/{name}", f"_{name}")):
                return tier
    return None


def _from_rhubarb(path: Path | str) -> tuple[SpeechSound, ...]:
    try:
        cues: list[dict[str, Any]] = json.loads(decoded(path))["mouthCues"]
        read = [(float(cue["start"]), float(cue["end"]), str(cue["value"])) for cue in cues]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"is no list of mouth cues ({error!r})",
            where=path,
            remedy="Write it with 'rhubarb -f json'",
        ) from error
    for _, _, shape in read:
        if shape not in RHUBARB_SHAPES:
            raise DataError(f"'{shape}' is no mouth shape", where=path, remedy="Rhubarb's shapes are A to H and X")
    return tuple(
        SpeechSound(start, end, shape, RHUBARB_LIPS.get(shape))
        for start, end, shape in read
        if shape != RHUBARB_SILENCE
    )
