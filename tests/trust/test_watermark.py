"""The invisible mark: unseen, found again after what careless people do, and not found where it is not."""

import stat
from fractions import Fraction

import cv2
import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.trust import (
    Label,
    Mark,
    mark_id,
    publish_frame,
    publish_frame_list,
    publish_layers,
    publish_movie,
    verify,
)
from dvp_core.trust.keys import stored_watermark_key, watermark_key
from dvp_core.trust.watermark import id_of_symbols, key_fingerprint, symbols_of, sync_pattern
from dvp_core.trust.watermark_reader import read_mark, residue_of
from dvp_core.video import EncodeOptions, encode_movie, open_clip

KEY, ID = b"k" * 32, "deadbe0f"
SIDE, COUNT = 384, 24


def textured(count=COUNT, side=SIDE, seed=4):
    """Pictures of blobs of many sizes that wander, with the noise of a camera."""
    random = np.random.default_rng(seed)
    ground = sum(
        cv2.resize(random.normal(size=(size, size)).astype(np.float32), (side + 64, side + 64)) * 160 / size**0.6
        for size in (4, 12, 40, 120)
    )
    for index in range(count):
        row, column = 32 + int(20 * np.sin(index / 5)), 2 * index % 64
        seen = 128 + ground[row : row + side, column : column + side] + random.normal(size=(side, side)) * 2
        yield np.repeat(np.clip(seen, 0, 255)[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def plain():
    return list(textured())


@pytest.fixture(scope="module")
def marked(plain):
    return [Mark(KEY, ID).on_levels(picture) for picture in plain]


def psnr_db(first, second):
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return 10 * np.log10(255**2 / error)


def encoded(frames, path, crf):
    encode_movie(path, frames, fps=Fraction(25), options=EncodeOptions(crf=crf, preset="veryfast"))
    return open_clip(path).iterate()


def test_the_mark_is_weak_and_the_same_again(plain, marked):
    assert all(psnr_db(one, other) >= 40 for one, other in zip(plain, marked, strict=True))
    assert not np.array_equal(plain[0], marked[0])
    np.testing.assert_array_equal(Mark(KEY, ID).on_levels(plain[0]), marked[0])
    assert not np.array_equal(Mark(KEY, "00000000").on_levels(plain[0]), marked[0])
    assert not np.array_equal(Mark(b"j" * 32, ID).on_levels(plain[0]), marked[0])


def test_a_part_is_marked_as_within_the_whole(plain):
    flat = np.full((300, 300, 3), 0.5, np.float32)
    whole = Mark(KEY, ID).on(flat)
    part = Mark(KEY, ID).on(flat[130:250, 70:200], top_px=130, left_px=70)
    np.testing.assert_allclose(part, whole[130:250, 70:200], atol=1e-6)


def test_the_limit_holds_where_the_picture_is_seen():
    random = np.random.default_rng(8)
    picture = np.full((256, 256, 3), 0.5, np.float32)
    picture[:128] = random.uniform(0, 1, (128, 256, 3))
    weight = np.zeros((256, 256), np.float32)
    weight[:128] = 1
    marked = np.rint(255 * Mark(KEY, ID).on(picture, weight=weight))
    assert psnr_db(marked[:120], np.rint(255 * picture)[:120]) >= 40


@pytest.mark.parametrize("crf", [18, 23])
def test_found_after_encoding(marked, tmp_path, crf):
    reading = read_mark(residue_of(encoded(marked, tmp_path / "m.mp4", crf)), KEY)
    assert (reading.is_found, reading.id) == (True, ID)


def test_found_after_resizing_and_cropping(marked, tmp_path):
    side = SIDE * 3 // 4
    small = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in marked]
    reading = read_mark(residue_of(encoded(small, tmp_path / "s.mp4", 23)), KEY, is_searching=True)
    assert reading.id == ID
    assert abs(reading.scale - 0.75) < 0.01
    cut = [np.ascontiguousarray(picture[22:-16, 30:-8]) for picture in marked]
    assert read_mark(residue_of(encoded(cut, tmp_path / "c.mp4", 23)), KEY, is_searching=True).id == ID


def test_not_found_where_it_is_not(plain, marked):
    residue = residue_of(plain)
    z = [read_mark(residue, bytes([number]) * 32).z for number in range(100)]
    assert max(z) < 6
    assert 0.7 < np.std(z) < 1.4
    assert not read_mark(residue_of(marked), b"j" * 32).is_found
    assert not read_mark(residue, KEY, is_searching=True).is_found
    assert not read_mark(residue_of([]), KEY).is_found


def test_symbols_and_ids():
    for text in ("00000000", "ffffffff", ID, "807f01fe"):
        assert id_of_symbols(list(symbols_of(text))) == text
    with pytest.raises(DataError, match="eight hexadecimal"):
        symbols_of("abc")
    assert mark_id("a", None) == mark_id("a", None) != mark_id(None, "a")
    assert abs(sync_pattern(KEY).std() - 1) < 1e-5
    assert len({key_fingerprint(bytes([number]) * 32) for number in range(9)}) == 9


def test_the_secret_is_private_and_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "keys"))
    assert stored_watermark_key() is None
    key = watermark_key()
    path = tmp_path / "keys" / "watermark_key.bin"
    assert watermark_key() == key == stored_watermark_key() == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [entry for entry in (tmp_path / "keys").iterdir() if entry.name.startswith(".")]
    path.write_bytes(key[:7])
    with pytest.raises(DataError, match="7 bytes"):
        watermark_key()


def test_verify_reports_the_mark_of_movies_and_sequences(plain, tmp_path):
    mark = Mark(watermark_key(), ID)
    marked = [mark.on_levels(picture) for picture in plain]
    label = Label(is_plate_kept=False, watermark_id=ID)
    publish_movie(tmp_path / "m.mp4", marked, fps=Fraction(25), label=label)
    verdict = verify(tmp_path / "m.mp4", watermark="plain")
    assert (verdict.code, verdict.named_watermark, verdict.watermark.id) == (0, ID, ID)
    assert f"watermark: {ID}" in verdict.as_text()
    assert verdict.as_json()["watermark"]["id"] == ID
    assert verify(tmp_path / "m.mp4").watermark is None
    encode_movie(tmp_path / "again.mp4", open_clip(tmp_path / "m.mp4").iterate(), fps=Fraction(25))
    assert (verify(tmp_path / "again.mp4", watermark="plain").code) == 2
    assert verify(tmp_path / "again.mp4", watermark="plain").watermark.id == ID
    for suffix in (".png", ".exr"):
        folder = tmp_path / suffix[1:]
        paths = [folder / f"f.{number:04d}{suffix}" for number in range(8)]
        for path, picture in zip(paths, marked, strict=False):
            if suffix == ".png":
                publish_frame(path, picture, key="k")
            else:
                linear = (((picture / 255 + 0.055) / 1.055) ** 2.4).astype(np.float16)
                publish_layers(path, {"final": linear}, key="k")
        publish_frame_list(folder, paths, label=label)
        for asked in (folder, folder / f"f.####{suffix}", folder / "frames.label.json"):
            verdict = verify(asked, watermark="plain")
            assert (verdict.code, verdict.named_watermark, verdict.watermark.id) == (0, ID, ID), asked


def test_one_picture_or_no_secret_gives_no_reading(plain, tmp_path, monkeypatch):
    publish_frame(tmp_path / "f.0001.png", plain[0], key="k")
    assert verify(tmp_path / "f.0001.png", watermark="search").watermark is None
    assert verify(tmp_path, watermark="search").watermark is None
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "none"))
    assert verify(tmp_path, watermark="plain").watermark is None
