"""The ledger: every output has its line, and a line that was changed, exchanged, put in or dropped is found."""

import json
import multiprocessing
from fractions import Fraction

import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import sha256_of_file
from dvp_core.trust import enter, ledger_path, publish_movie, publish_still, read_ledger
from tests.trust.conftest import picture


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "state"))


@pytest.fixture
def filled():
    for number in range(6):
        enter("still", f"{number:064d}", consent_sha256="c" * 64)
    return ledger_path()


def test_outputs_have_their_line(tmp_path, label):
    publish_still(tmp_path / "a.png", picture(), label=label)
    publish_movie(tmp_path / "b.mkv", map(picture, range(3)), fps=Fraction(25), label=label)
    publish_still(tmp_path / "preview.png", picture(), label=label, is_kept=False)
    entries = read_ledger()[-2:]  # the label's plate is an output too
    assert [entry.kind for entry in entries] == ["still", "movie"]
    assert [entry.output_sha256 for entry in entries] == [
        sha256_of_file(tmp_path / name) for name in ("a.png", "b.mkv")
    ]
    assert {entry.consent_sha256 for entry in entries} == {label.consent_sha256}
    assert entries[0].inputs_sha256 == label.inputs_sha256
    assert entries[0].source_type == label.source_type


def test_there_is_none_at_first():
    assert read_ledger() == []


def tampered(lines, kind):
    if kind == "changed":
        entry = json.loads(lines[2]) | {"consent_sha256": None}
        return [*lines[:2], json.dumps(entry, sort_keys=True, separators=(",", ":")), *lines[3:]]
    if kind == "dropped":
        return [*lines[:3], *lines[4:]]
    if kind == "exchanged":
        return [lines[0], lines[2], lines[1], *lines[3:]]
    if kind == "put in":
        return [*lines[:3], lines[2], *lines[3:]]
    if kind == "last dropped":
        return lines[:-1]
    if kind == "last changed":
        return [*lines[:-1], lines[-1].replace("c" * 64, "d" * 64)]
    return []


KINDS = ("changed", "dropped", "exchanged", "put in", "last dropped", "last changed", "emptied")


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_is_found(filled, kind):
    lines = filled.read_text().splitlines()
    filled.write_text("".join(f"{line}\n" for line in tampered(lines, kind)))
    with pytest.raises(DataError):
        read_ledger()


@pytest.mark.parametrize("kind", ["last dropped", "last changed", "emptied"])
def test_nothing_is_published_after_a_tampered_end(filled, kind):
    lines = filled.read_text().splitlines()
    filled.write_text("".join(f"{line}\n" for line in tampered(lines, kind)))
    with pytest.raises(DataError):
        enter("still", "0" * 64, consent_sha256=None)


def test_the_ledgers_end_is_signed(filled):
    end = filled.with_name("ledger.end.json")
    end.write_text(end.read_text().replace('"count":6', '"count":5'))
    with pytest.raises(DataError, match="changed after it was signed"):
        read_ledger()


def test_a_pulled_plug_between_line_and_end_is_mended(filled):
    end = filled.with_name("ledger.end.json")
    before = end.read_bytes()
    enter("still", "7" * 64, consent_sha256=None)
    end.write_bytes(before)
    assert len(read_ledger()) == 7
    enter("still", "8" * 64, consent_sha256=None)
    assert [entry.number for entry in read_ledger()] == list(range(1, 9))


def test_half_a_line_is_cut_off(filled):
    with filled.open("ab") as stream:
        stream.write(b'{"number":7,"bef')
    assert len(read_ledger()) == 6
    enter("still", "7" * 64, consent_sha256=None)
    assert len(read_ledger()) == 7


def _enter_many(number):
    for _ in range(10):
        enter("still", f"{number:064d}", consent_sha256=None)


def test_several_processes_write_one_chain():
    enter("still", "0" * 64, consent_sha256=None)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_enter_many, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(read_ledger()) == 31


def test_where_the_ledger_cannot_be_written_nothing_appears(tmp_path, label, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="DVP_STATE"):
        publish_still(tmp_path / "a.png", picture(), label=label)
    assert not (tmp_path / "a.png").exists()
