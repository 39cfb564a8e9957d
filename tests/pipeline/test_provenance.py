"""The story of an output: what was made here is found in the ledger, with its generator and its consent."""

from fractions import Fraction

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import canonical_json
from dvp_core.pipeline.provenance import explain
from dvp_core.trust import (
    ConsentTerms,
    Label,
    enter,
    new_consent,
    publish_frame,
    publish_frame_list,
    publish_movie,
    write_consent,
)

GENERATOR = "a" * 64


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_STATE", str(tmp_path / "state"))


@pytest.fixture
def consent(actor_source, tmp_path):
    from dvp_core.actor import actor_clip_path

    write_consent(tmp_path / "c.json", new_consent(actor_clip_path(), ConsentTerms(uses=("Dub into German",))))
    return tmp_path / "c.json"


@pytest.fixture
def label(consent):
    from dvp_core.trust import read_consent

    digest = read_consent(consent).sha256
    return Label(is_plate_kept=False, consent_sha256=digest, inputs_sha256={"generator": GENERATOR})


def picture(number=0):
    return np.full((32, 48, 3), 40 + number, np.uint8)


def test_a_frame_of_a_sequence(tmp_path, label, consent):
    enter("generator", GENERATOR, consent_sha256=label.consent_sha256)
    paths = [tmp_path / "frames" / f"frame.{number:04d}.png" for number in (101, 102)]
    for path in paths:
        publish_frame(path, picture(), key="k")
    publish_frame_list(tmp_path / "frames", paths, label=label)
    row = {"frame": 102, "key": "k", "worker": "worker-0001", "seconds": 0.5, "file": paths[1].name, "sha256": ""}
    (tmp_path / "frames" / "manifest.json").write_bytes(canonical_json({"frames": [row]}))
    story = explain(paths[1], consent=consent)
    assert story.verdict.code == 0
    assert (story.entry.kind, story.generator_entry.kind) == ("frames", "generator")
    assert story.frame["worker"] == "worker-0001"
    text = story.as_text()
    assert "line 2 of the ledger" in text
    assert "Dub into German" in text
    assert text.count(label.consent_sha256[:12]) >= 2
    assert explain(tmp_path / "frames").entry == story.entry


def test_a_movie_and_a_strangers_copy(tmp_path, label):
    movie = tmp_path / "a.mp4"
    publish_movie(movie, [picture(), picture(1)], fps=Fraction(25), label=label)
    assert explain(movie).entry.kind == "movie"
    assert explain(movie).generator_entry is None
    changed = tmp_path / "b.mp4"
    changed.write_bytes(movie.read_bytes() + b"x")
    assert explain(changed).entry is None
    assert "is not among the 1 outputs" in explain(changed).as_text()


def test_another_record_than_the_output_names(tmp_path, consent):
    movie = tmp_path / "a.mp4"
    publish_movie(movie, [picture()], fps=Fraction(25), label=Label(is_plate_kept=False))
    assert "without a record of consent" in explain(movie).as_text()
    with pytest.raises(DataError, match="not the record"):
        explain(movie, consent=consent)
