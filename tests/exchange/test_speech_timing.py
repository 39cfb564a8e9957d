"""Timings of speech from other tools: both forms of TextGrid, three alphabets, Rhubarb."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvp_core.data.errors import DataError
from dvp_core.exchange.speech_symbols import lips_of
from dvp_core.exchange.speech_timing import read_speech
from dvp_core.exchange.text_grid import read_text_grid

PHONES = [(0.0, 0.25, ""), (0.25, 0.4, "P"), (0.4, 0.6, "AH0"), (0.6, 0.7, "V"), (0.7, 1.0, "sil"), (1.0, 1.5, "UW1")]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def long_form(tiers, end_s):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end_s} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f"        name = {quoted(name)} "]
        lines += ["        xmin = 0 ", f"        xmax = {end_s} ", f"        intervals: size = {len(intervals)} "]
        for index, (begin, end, label) in enumerate(intervals, start=1):
            lines += [f"        intervals [{index}]:", f"            xmin = {begin} ", f"            xmax = {end} "]
            lines += [f"            text = {quoted(label)} "]
    return "\n".join(lines) + "\n"


def short_form(tiers, end_s):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end_s), "<exists>", str(len(tiers))]
    for name, intervals in tiers:
        lines += ['"IntervalTier"', quoted(name), "0", str(end_s), str(len(intervals))]
        lines += [f"{begin}\n{end}\n{quoted(label)}" for begin, end, label in intervals]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_both_forms_and_encodings_tell_sounds_and_lips(tmp_path, form, encoding):
    path = tmp_path / "dub.TextGrid"
    path.write_text(form([("words", [(0.25, 0.7, 'pu"v')]), ("anna - phones", PHONES)], 1.5), encoding=encoding)
    sounds = read_speech(path).sounds
    assert [(s.start_s, s.end_s, s.symbol, s.lips) for s in sounds] == [
        (0.25, 0.4, "P", "closed"),
        (0.4, 0.6, "AH0", None),
        (0.6, 0.7, "V", "teeth"),
        (1.0, 1.5, "UW1", "round"),
    ]


label_texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(label_texts, label_texts), min_size=1, max_size=6))
def test_any_label_comes_back_from_both_forms(tmp_path_factory, labels):
    """Labels with quotes, numbers, brackets or flags in them are labels and nothing else."""
    intervals = [(float(index), index + 1.0, label) for index, (label, _) in enumerate(labels)]
    path = tmp_path_factory.mktemp("grid") / "any.TextGrid"
    for form in (long_form, short_form):
        path.write_text(form([(labels[0][1], intervals)], len(labels)), encoding="utf-8")
        (tier,) = read_text_grid(path)
        assert (tier.name, list(tier.intervals)) == (labels[0][1], intervals)


def test_points_are_passed_over_and_words_alone_have_no_lips(tmp_path):
    path = tmp_path / "w.TextGrid"
    text = short_form([("words", [(0, 1, ""), (1, 2, "papa")])], 2).replace("\n1\n", "\n2\n", 1)
    path.write_text(text.replace('"IntervalTier"', '"TextTier"\n"bells"\n0\n2\n1\n0.5\n"ding"\n"IntervalTier"', 1))
    (sound,) = read_speech(path).sounds
    assert (sound.start_s, sound.symbol, sound.lips) == (1.0, "papa", None)


@pytest.mark.parametrize(
    ("symbols", "lips"),
    [
        ("P B M EH1 F V W UW0 T", "closed closed closed - teeth teeth round round -"),  # ARPAbet
        ("pcl p uw ih v", "closed closed round - teeth"),  # TIMIT's lower case
        ("pʰ b̥ ˈm ə f ʌ ʋa w uː", "closed closed closed - teeth - - round round"),  # IPA  # noqa: RUF001
        ("p b m @ f v V w u: {", "closed closed closed - teeth teeth - round round -"),  # SAMPA: V is a vowel
        ("y: pf ts", "round closed -"),
    ],
)
def test_alphabets(symbols, lips):
    assert [shape or "-" for shape in lips_of(symbols.split())] == lips.split()


def test_rhubarbs_shapes(tmp_path):
    cues = [(0, 0.2, "X"), (0.2, 0.3, "A"), (0.3, 0.5, "D"), (0.5, 0.6, "G"), (0.6, 0.8, "F")]
    path = tmp_path / "dub.json"
    path.write_text(json.dumps({"mouthCues": [{"start": a, "end": b, "value": v} for a, b, v in cues]}))
    assert [(s.symbol, s.lips) for s in read_speech(path).sounds] == [
        ("A", "closed"),
        ("D", None),
        ("G", "teeth"),
        ("F", "round"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.TextGrid", b"File type = hello", "no TextGrid"),
        ("a.TextGrid", short_form([("phones", PHONES)], 1)[:-12].encode(), "ends early"),
        ("a.TextGrid", short_form([("tones", PHONES)], 1).encode(), "no tier of phones or words.*'tones'"),
        ("a.TextGrid", short_form([("phones", [(0, 1, "a"), (0.5, 0.4, "b")])], 1).encode(), "out of order"),
        ("a.TextGrid", b"\xff\xfe\x00", "UTF-16"),
        ("a.json", b"{}", "no list of mouth cues"),
        ("a.json", b'{"mouthCues": [{"start": 0, "end": 1, "value": "Q"}]}', "'Q' is no mouth shape"),
        ("a.srt", b"", "no timings"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_speech(tmp_path / name)
    assert caught.value.where is not None
    with pytest.raises(DataError, match="Check the path"):
        read_speech(tmp_path / "missing.TextGrid")
