"""Event files, read back by the format's own rules, not by the writer's code."""

import struct

import pytest
from disc_scene import DiscPasses, make_take, plate_crops
from test_training import Interruption, options, stop_at

from dvp_core.data.files import read_json
from dvp_core.generator import run, train, work_folder
from dvp_core.generator.curves import Event, Picture, crc32c, write_events


def slow_crc32c(content):
    """Bit by bit, as long division."""
    remainder = 0xFFFFFFFF
    for byte in content:
        for place in range(8):
            is_odd = (remainder ^ byte >> place) & 1
            remainder = remainder >> 1 ^ (0x82F63B78 if is_odd else 0)
    return remainder ^ 0xFFFFFFFF


def records_of(content):
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        for part, stored in ((content[:8], content[8:12]), (content[12:][:length], content[12 + length :][:4])):
            masked = (struct.unpack("<I", stored)[0] - 0xA282EAD8) & 0xFFFFFFFF
            assert (masked >> 17 | masked << 15) & 0xFFFFFFFF == slow_crc32c(part)
        yield content[12 : 12 + length]
        content = content[16 + length :]


def varint(content):
    value = 0
    for place, byte in enumerate(content):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, content[place + 1 :]
    raise AssertionError("a number without an end")


def fields_of(message):
    while message:
        key, message = varint(message)
        if key & 7 == 0:
            value, message = varint(message)
        else:
            size, message = {1: (8, message), 5: (4, message)}.get(key & 7) or varint(message)
            value, message = message[:size], message[size:]
            assert len(value) == size
        yield key >> 3, value


def events_in(path):
    """Step, measurements and pictures of every event of a file."""
    first, *others = records_of(path.read_bytes())
    assert dict(fields_of(first))[3] == b"brain.Event:2"
    for message in others:
        event = dict(fields_of(message))
        parts = [dict(fields_of(part)) for _, part in fields_of(event[5])]
        values = {part[1].decode(): struct.unpack("<f", part[2])[0] for part in parts if 2 in part}
        yield event[2], values, {part[1].decode(): dict(fields_of(part[4])) for part in parts if 4 in part}


@pytest.mark.parametrize("content", [b"", b"123456789", bytes(range(256))])
def test_the_checksum_is_castagnolis(content):
    assert crc32c(content) == slow_crc32c(content)
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogue of parametrised CRC algorithms


def test_events_come_back_as_they_were_written(tmp_path):
    picture = Picture(b"\x89PNG...", width_px=640, height_px=130)
    events = [
        Event(0, 1e9, {"loss": 0.5}, {}),
        Event(70_000, 1e9 + 60, {"l1": -2.0, "watched": 3e8}, {"shown": picture}),
    ]
    path = write_events(tmp_path, events)
    assert path.name == "events.out.tfevents.0000070000"
    first, second = events_in(path)
    assert first == (0, {"loss": 0.5}, {})
    assert second == (70_000, {"l1": -2.0, "watched": 3e8}, {"shown": {1: 130, 2: 640, 3: 3, 4: picture.png}})


def test_without_events_there_is_no_file(tmp_path):
    assert write_events(tmp_path / "curves", []) is None
    assert not (tmp_path / "curves").exists()


def test_a_run_that_was_stopped_draws_one_whole_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_RECORD_STEPS", 1)
    take, output = make_take(), tmp_path / "g.safetensors"
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, output, options=options(), progress=stop_at(3))
    path = train(take, DiscPasses(take), plate_crops, output, options=options())
    files = sorted((work_folder(path) / "curves").iterdir())
    events = [event for file in files for event in events_in(file)]
    record = read_json(work_folder(path) / "record.json")["measurements"]
    assert [step for step, values, _ in events if values] == [entry["step"] for entry in record] == [1, 2, 3, 4, 5, 6]
    drawn = [values["loss"] for _, values, _ in events if values]
    assert drawn == pytest.approx([entry["loss"] for entry in record], rel=1e-6)
    shown = [pictures["preview"] for _, _, pictures in events if pictures]
    assert shown[-1][4] == (work_folder(path) / "previews" / "step_000006.png").read_bytes()


def test_a_long_run_leaves_some_hundred_pictures_and_not_one_for_every_saved_state(tmp_path):
    take, output, asked = make_take(), tmp_path / "g.safetensors", options(steps=950, checkpoint_seconds=0.0)
    with pytest.raises(Interruption):
        train(take, DiscPasses(take), plate_crops, output, options=asked, progress=stop_at(25))
    previews = sorted(path.name for path in (work_folder(output) / "previews").iterdir())
    assert previews == ["step_000001.png", "step_000011.png", "step_000021.png"]  # the tenth is 9.5 steps on
    assert read_json(work_folder(output) / "record.json")["steps"] == 25
