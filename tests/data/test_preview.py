"""A preview's request on the wire: what was sent comes out, and what nobody may send is refused with its reason."""

import io
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.camera import Crop
from dvp_core.data.errors import DataError
from dvp_core.data.files import arrays_to_bytes, canonical_json
from dvp_core.data.passes import PassFrame
from dvp_core.data.preview import (
    REQUEST_LIMIT_BYTES,
    PreviewRequest,
    check_window,
    pack_pass_frame,
    request_from_bytes,
    request_to_bytes,
    unpack_pass_frame,
)

SIZE = 16
HEADER = {
    "schema_version": 1,
    "frame": 7,
    "crop": [3, 4, 20, SIZE],
    "take_sha256": "a" * 64,
    "face_model_sha256": "b" * 64,
}


def pass_frame(frame=7):
    random = np.random.default_rng(frame)
    images = {name: random.normal(size=(SIZE, SIZE, 3)).astype(np.float32) for name in ("color", "corr", "gaze")}
    plain = np.ones((SIZE, SIZE), np.float32)
    return PassFrame(frame, **images, mask=plain, depth=plain, crop=Crop(3, 4, 20, SIZE), take_sha256="a" * 64,
                     face_model_sha256="b" * 64)  # fmt: skip


def images(**changes):
    return {name: np.zeros((SIZE, SIZE, 3), np.float32) for name in ("color", "corr", "gaze")} | changes


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_frame_comes_out_as_the_generator_sees_it():
    sent = pass_frame()
    came = unpack_pass_frame(pack_pass_frame(sent))
    np.testing.assert_array_equal(came.network_channels(), sent.network_channels())
    assert (came.frame, came.crop, came.take_sha256, came.face_model_sha256) == (7, sent.crop, "a" * 64, "b" * 64)
    assert pack_pass_frame(sent) == pack_pass_frame(pass_frame())


def test_request_comes_out_as_it_was_sent():
    sent = PreviewRequest("shots:a.safetensors", tuple(pack_pass_frame(pass_frame(n)) for n in (5, 6, 7)), "shots:c")
    assert request_from_bytes(request_to_bytes(sent)) == sent
    assert [frame.frame for frame in map(unpack_pass_frame, sent.frames)] == [5, 6, 7]
    bare = replace(sent, consent=None)
    assert request_from_bytes(request_to_bytes(bare)) == bare


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was run')",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Evil()), "archive of arrays"),
        (b"", "archive of arrays"),
        (arrays_to_bytes(images(color=np.zeros((SIZE, 8, 3), np.float32)), header=HEADER), "'color' has shape"),
        (arrays_to_bytes(images(gaze=np.zeros((SIZE, SIZE, 3))), header=HEADER), "'gaze' has dtype float64"),
        (arrays_to_bytes(images(corr=np.full((SIZE, SIZE, 3), np.nan, np.float32)), header=HEADER), "NaN"),
        (arrays_to_bytes({}, header=HEADER), "'color' is missing"),
        (arrays_to_bytes(images(), header=HEADER | {"crop": [0, 0, 20, 4096]}), "a crop of 4096 px"),
        (arrays_to_bytes(images(), header=HEADER | {"frame": True}), "'frame' holds 'True'"),
        (arrays_to_bytes(images(), header=HEADER | {"command": "x"}), "no request of version 1"),
        (arrays_to_bytes({"color": np.zeros(1 << 25, np.float32)}, header=HEADER), "more than the limit"),
    ],
)
def test_frame_that_is_none_is_refused(content, reason):
    with pytest.raises(DataError, match=reason):
        unpack_pass_frame(content)


def test_python_objects_in_an_array_are_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    frame = zipped({"header.json": canonical_json(HEADER), "color.npy": buffer.getvalue()})
    with pytest.raises(DataError, match="claims shape"):
        unpack_pass_frame(frame)


GOOD = {"schema_version": 1, "generator": "shots:a.safetensors", "consent": None}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"header.json": canonical_json(GOOD)}, "no window"),
        ({"header.json": canonical_json(GOOD), "../frames/00.zip": b"x"}, "no window"),
        ({"header.json": canonical_json(GOOD)} | {f"frames/{n:02d}.zip": b"x" for n in range(65)}, "no window"),
        ({"frames/00.zip": b"x"}, "no header.json"),
        ({"header.json": canonical_json(GOOD | {"generator": 7}), "frames/00.zip": b"x"}, "'generator' is no text"),
        ({"header.json": b"[]", "frames/00.zip": b"x"}, "no request of version 1"),
        ({"header.json": canonical_json(GOOD), "frames/00.zip": bytes(REQUEST_LIMIT_BYTES)}, "more than the limit"),
    ],
)
def test_request_that_is_none_is_refused(members, reason):
    with pytest.raises(DataError, match=reason):
        request_from_bytes(zipped(members))


def test_window_with_a_gap_or_of_two_crops_is_refused():
    with pytest.raises(DataError, match="frame 7 does not follow"):
        check_window([pass_frame(5), pass_frame(7)])
    moved = replace(pass_frame(8), crop=Crop(0, 0, 20, SIZE))
    with pytest.raises(DataError, match="frame 8 is of another crop"):
        check_window([pass_frame(7), moved])
