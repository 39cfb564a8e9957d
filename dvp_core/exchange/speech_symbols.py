"""What lips must do in a sound, by its symbol: ARPAbet, IPA, SAMPA, and Rhubarb's mouth shapes.

Only sounds whose lips nobody may get wrong are listed; everything else leaves the lips to the performance. ARPAbet and
SAMPA disagree on capital letters ("V" is a consonant in one and a vowel in the other), so an alphabet is told by all
symbols of a tier together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dvp_core.data.speech import LipShape

SILENCES = frozenset(
    ("", "sil", "sp", "pau", "<eps>", "<sil>", "<p>", "<p:>", "<usb>", "h#", "epi", "_", "#", "(.)", "(...)", "...")
)
"""Labels, in lower case, in which nobody speaks."""

RHUBARB_LIPS: dict[str, LipShape] = {"A": "closed", "G": "teeth", "F": "round"}
RHUBARB_SILENCE = "X"
RHUBARB_SHAPES = frozenset("ABCDEFGHX")

_ARPABET_VOWELS = "AA AE AH AO AW AX AXR AY EH ER EY IH IX IY OW OY UH UW UX"
_ARPABET_CONSONANTS = (
    "B CH D DH DX EL EM EN ENG F G HH HV H JH K L M N NG NX P Q R S SH T TH V W WH Y Z ZH BCL DCL GCL KCL PCL TCL"
)
_ARPABET = frozenset((*_ARPABET_VOWELS.split(), *_ARPABET_CONSONANTS.split(), "SPN"))
_ARPABET_LIPS: dict[str, LipShape] = {
    **dict.fromkeys(("P", "B", "M", "EM", "PCL", "BCL"), "closed"),
    **dict.fromkeys(("F", "V"), "teeth"),
    **dict.fromkeys(("W", "WH", "UW", "UX"), "round"),
}
_IPA_LIPS: dict[str, LipShape] = {
    **dict.fromkeys("pbmʙɓ", "closed"),
    **dict.fromkeys("fvɱⱱ", "teeth"),
    **dict.fromkeys("wuyʍɥʉ", "round"),
}
_SAMPA_LIPS: dict[str, LipShape] = {"F": "teeth", "W": "round", "H": "round", "}": "round"}
_MARKS = "ˈˌ'\"%.=_|‿͜͡"
"""Stress, syllables and ties that may stand before a sound's own letter."""


def is_silence(label: str) -> bool:
    """Return whether a label says that nobody speaks."""
    return label.strip().lower() in SILENCES


def lips_of(symbols: Iterable[str]) -> tuple[LipShape | None, ...]:
    """Return what the lips must do in each sound of one tier.

    ARPAbet is taken where every symbol is one of it (with or without stress digits), IPA and SAMPA otherwise. A sound
    written with several letters (affricates, diphthongs, length, aspiration) counts by its first.
    """
    plain = [symbol.strip() for symbol in symbols]
    if all(_arpabet(symbol) in _ARPABET for symbol in plain):
        return tuple(_ARPABET_LIPS.get(_arpabet(symbol)) for symbol in plain)
    is_ipa = any(ord(letter) > 127 for symbol in plain for letter in symbol)
    return tuple(_lips_of_letter(_first_letter(symbol), is_ipa=is_ipa) for symbol in plain)


def _arpabet(symbol: str) -> str:
    return symbol.rstrip("0123456789").upper()


def _first_letter(symbol: str) -> str:
    letters = unicodedata.normalize("NFD", symbol).lstrip(_MARKS)
    return letters[:1]


def _lips_of_letter(letter: str, *, is_ipa: bool) -> LipShape | None:
    return _IPA_LIPS.get(letter) or (None if is_ipa else _SAMPA_LIPS.get(letter))
