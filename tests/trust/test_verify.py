"""The six states, each by files that are what they say."""

import json
import shutil
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from c2pa import C2paError, Reader

from dvp_core.data.errors import DataError
from dvp_core.trust import EXIT_CODES, Label, publish_frame_list, publish_layers, publish_movie, publish_still, verify
from dvp_core.trust import publish as publishing
from dvp_core.trust.c2pa_files import read_manifest, sidecar_of
from dvp_core.trust.keys import make_local_chain, signing_keys
from dvp_core.trust.label import TRAINED
from dvp_core.video import encode_movie, open_clip, read_image, write_png
from tests.trust.conftest import picture
from tests.trust.forgeries import remux, sign_as


def test_signed_and_known(movie, still, sequence):
    for path in (movie, still, sequence, sequence / "frame.0100.png", sequence / "frames.label.json"):
        verdict = verify(path)
        assert (verdict.code, verdict.state) == (0, "known"), verdict.reason
    assert verify(sequence / "frame.####.png").frame_count == 5
    assert verify(still).consent_sha256 == "c" * 64
    assert verify(movie).source_type == "compositeWithTrainedAlgorithmicMedia"


def test_verdict_in_words_and_json(movie):
    verdict = verify(movie)
    assert json.loads(json.dumps(verdict.as_json()))["code"] == 0
    assert "result.mp4 intact, and signed by someone you trust." in verdict.as_text()
    assert "compositeWithTrainedAlgorithmicMedia" in verdict.as_text()
    assert sorted(EXIT_CODES.values()) == [0, 1, 2, 3, 4, 5]


def test_unknown_signer_until_his_root_is_given(still, tmp_path):
    stranger = make_local_chain()
    write_png(tmp_path / "bare.png", read_image(still))
    forged = sign_as(
        tmp_path / "bare.png", tmp_path / "forged.png", stranger,
        source_type="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
    )  # fmt: skip
    assert verify(forged).code == 1
    (tmp_path / "root.pem").write_bytes(stranger.root_pem)
    assert verify(forged, trusted_roots=[tmp_path / "root.pem"]).code == 0


def test_our_own_outputs_are_unknown_elsewhere(movie, sequence, tmp_path, monkeypatch):
    root = tmp_path / "ours.pem"
    root.write_bytes(signing_keys().root_pem)
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "elsewhere"))
    assert verify(movie).code == verify(sequence).code == 1
    assert verify(movie, trusted_roots=[root]).code == verify(sequence, trusted_roots=[root]).code == 0


def test_root_that_is_none(movie, tmp_path):
    (tmp_path / "r.pem").write_text("no certificate")
    with pytest.raises(DataError, match="no root certificate"):
        verify(movie, trusted_roots=[tmp_path / "r.pem"])


def test_no_label_after_re_encoding_and_remuxing(movie, tmp_path):
    encode_movie(tmp_path / "again.mp4", open_clip(movie).iterate(), fps=open_clip(movie).clip.fps)
    remux(movie, tmp_path / "remuxed.mkv")
    assert verify(tmp_path / "again.mp4").code == verify(tmp_path / "remuxed.mkv").code == 2


def test_no_label_on_bare_files(still, sequence, tmp_path):
    write_png(tmp_path / "bare.png", read_image(still))
    (tmp_path / "text.txt").write_text("hello")
    assert verify(tmp_path / "bare.png").code == verify(tmp_path / "text.txt").code == 2
    sidecar_of(sequence / "frames.label.json").unlink()
    assert verify(sequence).code == 2
    (sequence / "frames.label.json").unlink()
    assert verify(sequence).code == verify(sequence / "frame.0100.png").code == 2


@pytest.mark.parametrize("name", ["movie", "still"])
def test_no_changed_byte_of_the_content_goes_unseen(request, name, tmp_path):
    """Every 41st byte outside the label: in the label itself padding may change, its claims may not."""
    path = request.getfixturevalue(name)
    content = path.read_bytes()
    start, end = content.index(b"jumb"), content.rindex(b"urn:c2pa:") + 3000
    changed = tmp_path / f"changed{path.suffix}"
    first = 40 if name == "movie" else 8  # C2PA leaves out the file type box, which is no content.
    for place in [*range(first, start - 40, 5), *range(end, len(content), 41)]:
        damaged = bytearray(content)
        damaged[place] ^= 1
        changed.write_bytes(damaged)
        assert verify(changed).code in (3, 4), place


def test_a_changed_byte_of_the_picture_data_is_altered(movie, tmp_path):
    content = bytearray(movie.read_bytes())
    content[content.index(b"mdat") + 2000] ^= 1
    (tmp_path / "changed.mp4").write_bytes(content)
    verdict = verify(tmp_path / "changed.mp4")
    assert (verdict.code, verdict.reason) == (3, "its content is not what was signed")


def test_changed_claims_are_seen(movie, tmp_path):
    content = movie.read_bytes()
    (tmp_path / "m.mp4").write_bytes(content.replace(b"compositeWithTrained", b"compositeWithTrainee"))
    assert verify(tmp_path / "m.mp4").code == 3


def test_altered_sequences(sequence):
    frame = sequence / "frame.0100.png"
    whole = frame.read_bytes()
    write_png(frame, picture(77))
    assert verify(sequence).code == verify(frame).code == 3
    assert verify(sequence / "frame.0099.png").code == 0
    frame.unlink()
    assert "frame.0100.png is missing" in verify(sequence).reason
    frame.write_bytes(whole)
    shutil.copy(frame, sequence / "frame.0200.png")
    assert verify(sequence).code == 3
    assert verify(sequence / "frame.0200.png").code == 2
    (sequence / "frame.0200.png").unlink()
    shutil.copy(sequence / "frame.0098.png", sequence / "contact.png")
    assert verify(sequence).code == 0


def test_a_changed_list_is_altered(sequence):
    path = sequence / "frames.label.json"
    path.write_bytes(path.read_bytes().replace(b'"frame":98', b'"frame":97'))
    assert verify(sequence).code == 3


def test_transplanted_and_damaged_sidecars(sequence, movie, tmp_path):
    source = sidecar_of(sequence / "frames.label.json")
    bare = tmp_path / "bare.png"
    write_png(bare, picture(5))
    shutil.copy(source, sidecar_of(bare))
    assert verify(bare).code == 3
    sidecar_of(bare).write_bytes(source.read_bytes()[:900])
    assert verify(bare).code == 3


def test_expired_certificate_without_time_stamp(tmp_path):
    old = make_local_chain(validity_days=30)
    write_png(tmp_path / "bare.png", picture())
    signed = sign_as(tmp_path / "bare.png", tmp_path / "s.png", old, source_type=TRAINED)
    assert verify(signed).code == 1
    expired = make_local_chain(now=datetime(2020, 1, 1, tzinfo=UTC), validity_days=30)
    with pytest.raises(C2paError, match=r"expired|credential|certificate"):
        sign_as(tmp_path / "bare.png", tmp_path / "e.png", expired, source_type=TRAINED)


@pytest.mark.parametrize("part", [0.01, 0.5, 0.98])
def test_cut_files(movie, still, tmp_path, part):
    for path, codes in ((movie, (3, 4)), (still, (4,))):
        content = path.read_bytes()
        (tmp_path / f"cut{path.suffix}").write_bytes(content[: int(len(content) * part)])
        assert verify(tmp_path / f"cut{path.suffix}").code in codes


def test_unreadable(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(3000))
    (tmp_path / "folder").mkdir()
    for name in ("empty.png", "noise.mp4", "folder", "none.mp4"):
        assert verify(tmp_path / name).code == 4, name


@pytest.mark.parametrize(
    ("source_type", "tool"),
    [
        ("http://example.org/x", "Stranger"),
        ("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", "Deep Video Portraits"),
    ],
)
def test_contradictions_in_a_label(tmp_path, source_type, tool):
    write_png(tmp_path / "bare.png", picture())
    path = sign_as(tmp_path / "bare.png", tmp_path / "s.png", signing_keys(), source_type=source_type, tool=tool)
    assert verify(path).code == 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"/trainedAlgorithmicMedia", b"/compositeWithTrainedAlgorithmicMedia"),
        (b'"frame_count":5', b'"frame_count":4'),
        (b'"consent_sha256":null', b'"consent_sha256":"x"'),
        (b'"key":"key3"', b'"key":"key9"'),
        (b'"file":"frame.0100.png"', b'"file":"../frame.0100.png"'),
    ],
)
def test_lists_that_contradict_their_label(sequence, monkeypatch, old, new):
    """Signed by the right key, but saying what cannot be true: a broken or dishonest writer."""
    paths = sorted(sequence.glob("frame.*.png"))
    honest = publishing.FrameList.to_bytes

    def dishonest(frames):
        assert old in honest(frames)
        return honest(frames).replace(old, new)

    monkeypatch.setattr(publishing.FrameList, "to_bytes", dishonest)
    publish_frame_list(sequence, paths, label=Label(is_plate_kept=False))
    assert verify(sequence).code == 5


def test_three_generations_stay_in_the_label(tmp_path):
    plate = None
    for generation in range(3):
        path = tmp_path / f"g{generation}.png"
        publish_still(path, picture(generation), label=Label(is_plate_kept=True, plate=plate))
        plate = path
    assert verify(plate).code == 0
    assert plate.read_bytes().count(b"c2pa.claim.v2") >= 3


def test_a_layered_frame_is_judged_by_its_list(tmp_path):
    paths = [tmp_path / f"frame.{number:04d}.exr" for number in (1, 2)]
    for path in paths:
        publish_layers(path, {"final": picture().astype(np.float16)}, key="k")
    publish_frame_list(tmp_path, paths, label=Label(is_plate_kept=False))
    assert verify(paths[0]).code == verify(tmp_path).code == 0
    paths[0].write_bytes(paths[1].read_bytes()[:-1] + b"\0\0")
    assert (verify(paths[0]).code, verify(paths[1]).code) == (3, 0)
    (tmp_path / "frames.label.json").unlink()
    assert verify(paths[1]).code == verify(tmp_path).code == 2


def test_a_damaged_label_is_judged_and_never_raises(still, tmp_path):
    """Padding in a label may change unseen, what it claims may not."""
    content, honest = still.read_bytes(), verify(still)
    start = content.index(b"caBX")
    changed, codes = tmp_path / "changed.png", set()
    for place in range(start + 4, start + 3500, 11):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        changed.write_bytes(damaged)
        verdict = verify(changed)
        codes.add(verdict.code)
        if verdict.code <= 1:
            assert (verdict.source_type, verdict.edits) == (honest.source_type, honest.edits)
    assert codes <= {0, 1, 3, 4, 5}
    assert 3 in codes


def test_a_label_that_names_a_missing_manifest_is_altered(movie, monkeypatch):
    def missing(reader):
        raise KeyError("Active manifest not found in manifest store")

    monkeypatch.setattr(Reader, "get_active_manifest", missing)
    verdict = verify(movie)
    assert (verdict.code, "is not there" in verdict.reason) == (3, True)


def test_a_label_beside_the_plate_is_kept_where_it_still_fits(tmp_path):
    plate, label = tmp_path / "plate.mkv", Label(is_plate_kept=False)
    publish_movie(plate, map(picture, range(3)), fps=Fraction(25), label=label)
    name = read_manifest(plate, root_pems=(), sidecar=sidecar_of(plate)).manifest["label"].encode()
    publish_still(tmp_path / "s.png", picture(), label=Label(is_plate_kept=True, plate=plate))
    assert verify(tmp_path / "s.png").code == 0
    assert name in (tmp_path / "s.png").read_bytes()
    plate.write_bytes(plate.read_bytes() + b"\0")
    publish_still(tmp_path / "s.png", picture(), label=Label(is_plate_kept=True, plate=plate))
    assert name not in (tmp_path / "s.png").read_bytes()
