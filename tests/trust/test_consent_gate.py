"""The gate: each reason to refuse has its code, and what is allowed passes; every way into the work asks it."""

import pickle
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dvp_core.trust import ConsentRefusedError, ConsentTerms, Work, admit, enter, new_consent, revoke, write_consent
from dvp_core.trust.keys import make_local_chain
from dvp_core.video import clip_sha256

TERMS = ConsentTerms(uses=("Dub two lines into German",))


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "state"))


@pytest.fixture
def given(movie, tmp_path):
    """Write a record about the movie and return its path."""

    def write(name="c.json", **terms):
        options = {name: terms.pop(name) for name in ("tied_sha256", "not_before", "validity_days") if name in terms}
        write_consent(tmp_path / name, new_consent(movie, replace(TERMS, **terms), **options))
        return tmp_path / name

    return write


@pytest.fixture
def work(movie):
    return Work("render", clips_sha256=(clip_sha256(movie),), takes_sha256=("a" * 64,), generator_sha256="b" * 64)


def code_of(path, work, **options):
    with pytest.raises(ConsentRefusedError) as refused:
        admit(path, work, **options)
    return refused.value.code


def test_what_is_allowed_passes_and_names_the_record(given, work):
    path = given(use_codes=("dub:de",), project="film", tied_sha256={"take": "a" * 64, "generator": "b" * 64})
    record = admit(path, replace(work, use="dub:de", project="film"))
    assert record.terms.project == "film"
    assert admit(path, work) == record  # what is not known of the work is not held against it


TERMS_THAT_REFUSE = [
    ("training", {"is_training_allowed": False}, {"action": "train"}),
    ("reuse", {"is_model_reuse_allowed": False}, {"action": "train", "begins_with_generator": True}),
    ("use", {"use_codes": ("dub:de",)}, {"use": "dub:fr"}),
    ("use", {"use_codes": ("dub:de",)}, {"use": "performance-edit"}),
    ("forbidden", {}, {"use": "political"}),
    ("forbidden", {"use_codes": ("nudity",)}, {"use": "nudity"}),
    ("project", {"project": "film"}, {"project": "another film"}),
    ("dialogue", {"dialogue_sha256": "e" * 64}, {"dialogue_sha256": "f" * 64}),
    ("clip", {}, {"clips_sha256": ("0" * 64,)}),
    ("take", {"tied_sha256": {"take": "c" * 64}}, {}),
    ("generator", {"tied_sha256": {"generator": "c" * 64}}, {}),
    ("face-model", {"tied_sha256": {"face_model": "c" * 64}}, {"face_model_sha256": "d" * 64}),
    ("early", {"not_before": datetime(2090, 1, 1, tzinfo=UTC)}, {}),
    ("expired", {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "validity_days": 10}, {}),
]


@pytest.mark.parametrize(("code", "terms", "asked"), TERMS_THAT_REFUSE)
def test_terms_that_refuse(given, work, code, terms, asked):
    assert code_of(given(**terms), replace(work, **asked)) == code


def test_one_of_several_clips_is_enough_to_refuse(given, work):
    assert code_of(given(), replace(work, clips_sha256=(*work.clips_sha256, "0" * 64))) == "clip"


def test_no_record_and_records_that_are_none(given, work, tmp_path):
    assert code_of(None, work) == "missing"
    assert code_of(tmp_path / "none.json", work) == "unreadable"
    path = given()
    path.write_bytes(path.read_bytes().replace(b"German", b"French"))
    assert code_of(path, work) == "unreadable"


def test_the_last_and_the_first_second(given, work):
    path = given(not_before=datetime(2030, 1, 1, tzinfo=UTC), validity_days=1)
    admit(path, work, now=datetime(2030, 1, 1, tzinfo=UTC))
    admit(path, work, now=datetime(2030, 1, 2, tzinfo=UTC))
    assert code_of(path, work, now=datetime(2029, 12, 31, 23, 59, 59, tzinfo=UTC)) == "early"
    assert code_of(path, work, now=datetime(2030, 1, 2, 0, 0, 1, tzinfo=UTC)) == "expired"


def test_revoked_here_and_wherever_the_record_was_copied_to(given, work, tmp_path):
    path = given()
    revoke(admit(path, work), path, reason="changed my mind")
    assert code_of(path, work) == "revoked"
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(path, tmp_path / "elsewhere" / "renamed.json")
    assert code_of(copy, work) == "revoked"


def test_revocation_travels_beside_its_record(given, work, tmp_path, monkeypatch):
    path = given()
    revoke(admit(path, work), path)
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "another machine"))
    assert code_of(path, work) == "revoked"


def test_a_broken_or_foreign_revocation_refuses_too(given, work, tmp_path, monkeypatch):
    path, other = given(), given("d.json")
    revoke(admit(other, work), other)
    shutil.copy(tmp_path / "d.revoked.json", tmp_path / "c.revoked.json")
    assert code_of(path, work) == "revoked"
    (tmp_path / "c.revoked.json").write_text("{}")
    assert code_of(path, work) == "revoked"


def test_clock_set_back_does_not_bring_a_consent_back_to_life(given, work, tmp_path, monkeypatch):
    path = given(not_before=datetime(2020, 1, 1, tzinfo=UTC), validity_days=10)
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "of a new installation"))
    within = datetime(2020, 1, 5, tzinfo=UTC)
    admit(path, work, now=within)  # nothing was published here yet, so the clock is believed
    enter("movie", "0" * 64, consent_sha256=None)
    assert code_of(path, work, now=within) == "clock"
    assert code_of(path, work, now=datetime.now(UTC) - timedelta(minutes=30)) == "expired"  # clocks may differ a little


def test_a_strangers_record_is_asked_like_any_other(movie, work, tmp_path):
    write_consent(tmp_path / "c.json", new_consent(movie, TERMS, keys=make_local_chain()))
    admit(tmp_path / "c.json", work)


def test_refusals_travel_between_processes(given, work):
    with pytest.raises(ConsentRefusedError) as refused:
        admit(given(), replace(work, use="political"))
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301
    assert (again.code, str(again)) == ("forbidden", str(refused.value))
