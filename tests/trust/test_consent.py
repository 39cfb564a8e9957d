"""Consent records: what is written comes back, and what was changed is refused."""

import json
from dataclasses import replace

import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json, read_json, sha256_of_bytes
from dvp_core.trust import ConsentTerms, is_signer_known, new_consent, read_consent, write_consent
from dvp_core.trust.keys import make_local_chain
from dvp_core.video import clip_sha256

TERMS = ConsentTerms(uses=("Dub two lines into German",), use_codes=("dub:de",), project="short film")


@pytest.fixture
def record(movie):
    return new_consent(movie, TERMS)


def test_round_trip(record, movie, tmp_path):
    write_consent(tmp_path / "c.json", record)
    assert read_consent(tmp_path / "c.json") == record
    assert sha256_of_bytes(canonical_json(read_json(tmp_path / "c.json"))) == record.sha256
    assert record.clips_sha256 == {clip_sha256(movie)}
    assert is_signer_known(record)


def test_several_clips_and_ties(movie, still, tmp_path):
    record = new_consent([movie, movie], TERMS, tied_sha256={"take": "a" * 64})
    assert sorted(record.asset_sha256) == ["clip", "clip 2", "take"]
    write_consent(tmp_path / "c.json", record)
    assert read_consent(tmp_path / "c.json") == record


def test_no_name_is_needed_and_names_with_spaces_are_refused(record, movie):
    assert record.terms.subject.startswith("subject-")
    with pytest.raises(DataError, match="pseudonym"):
        new_consent(movie, replace(TERMS, subject="Jane Doe"))


def test_a_strangers_record_holds_but_its_signer_is_unknown(movie, tmp_path):
    record = new_consent(movie, TERMS, keys=make_local_chain())
    write_consent(tmp_path / "c.json", record)
    assert not is_signer_known(read_consent(tmp_path / "c.json"))


def changed(record, change):
    """The record's JSON with fields changed, in the terms where they stand there."""
    document = json.loads(record.to_bytes())
    for name, value in change.items():
        (document["terms"] if name in document["terms"] else document)[name] = value
    return canonical_json(document)


CHANGES = {
    "uses": ["Anything at all"],
    "use_codes": ["dub:fr"],
    "not_after": "2099-01-01T00:00:00Z",
    "is_training_allowed": False,
    "is_watermark_waived": True,
    "asset_sha256": {"clip": "0" * 64},
    "subject": "someone-else",
    "project": "another",
    "capacity": "estate",
    "forbidden": [],
    "signature": "AAAA",
}


@pytest.mark.parametrize("field", CHANGES)
def test_every_change_breaks_the_signature(record, tmp_path, field):
    (tmp_path / "c.json").write_bytes(changed(record, {field: CHANGES[field]}))
    with pytest.raises(DataError, match="changed after it was signed"):
        read_consent(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "recipe"}, "no consent record"),
        ({"version": 9}, "version 9"),
        ({"extra": 1}, "'extra' that no record has"),
        ({"terms": {"uses": ["x"]}}, "lacks the field 'capacity'"),
        ({"terms": []}, "'terms' is no object"),
        ({"uses": []}, "allows no use"),
        ({"uses": "all"}, "no list"),
        ({"uses": [3]}, "allows no use"),
        ({"use_codes": ["Dub German"]}, "code of a use"),
        ({"forbidden": ["x" * 90]}, "code of a use"),
        ({"capacity": "friend"}, "'capacity'"),
        ({"is_minor": True}, "no guardian"),
        ({"is_deceased": True}, "no estate"),
        ({"is_minor": "no"}, "neither true nor false"),
        ({"asset_sha256": {}}, "names no clip"),
        ({"asset_sha256": {"clip": "abc"}}, "no SHA-256"),
        ({"evidence_sha256": "abc"}, "no SHA-256"),
        ({"not_before": "yesterday"}, "no time"),
        ({"retention_until": "never"}, "no time"),
        ({"not_before": "2100-01-01T00:00:00Z"}, "ends before"),
        ({"id": "../x"}, "'id'"),
        ({"certificate": "x"}, "changed after"),
    ],
)
def test_records_that_make_no_sense(record, tmp_path, change, message):
    (tmp_path / "c.json").write_bytes(changed(record, change))
    with pytest.raises(DataError, match=message):
        read_consent(tmp_path / "c.json")


def test_missing_field_and_no_json(record, tmp_path):
    document = json.loads(record.to_bytes())
    del document["terms"]
    (tmp_path / "c.json").write_bytes(canonical_json(document))
    with pytest.raises(DataError, match="lacks the field 'terms'"):
        read_consent(tmp_path / "c.json")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        read_consent(tmp_path / "c.json")


def test_consent_for_no_clip(tmp_path):
    with pytest.raises(DataError):
        new_consent(tmp_path / "none.mp4", TERMS)
