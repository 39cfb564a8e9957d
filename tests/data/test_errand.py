"""Jobs of a farm that render nothing: strict forms, a kind each."""

import json
from fractions import Fraction

import pytest

from dvp_core.data.errand import (
    PassesJob,
    TrackJob,
    TrainJob,
    any_job_from_dict,
    any_job_to_dict,
    read_any_job,
)
from dvp_core.data.errors import DataError
from dvp_core.data.job import Job

HEAD = {"id": "a", "name": "A"}
PASSES = HEAD | {"task": "passes", "take": "s:a.take", "output": "s:passes"}
TRACK = HEAD | {"task": "track", "clip": "s:a.mp4", "output": "s:a.take"}
TRAIN = HEAD | {"task": "train", "take": "s:a.take", "clip": "s:a.mp4", "output": "s:a.safetensors"}
RENDER = HEAD | {"frames": "1-3", "passes": "s:p", "generator": "s:g.safetensors", "output": "s:f.####.png"}


@pytest.mark.parametrize(
    ("content", "kind"), [(PASSES, PassesJob), (TRACK, TrackJob), (TRAIN, TrainJob), (RENDER, Job)]
)
def test_a_job_of_every_kind_survives_its_file(content, kind, tmp_path):
    job = any_job_from_dict(content | {"after": ["b", "c"], "priority": 7})
    assert type(job) is kind
    assert job.after == ("b", "c")
    (tmp_path / "job.json").write_text(json.dumps(any_job_to_dict(job)))
    assert read_any_job(tmp_path / "job.json") == job


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PASSES | {"command": "rm"}, "unknown field 'command'"),
        (PASSES | {"clip": "s:a.mp4"}, "unknown field 'clip'"),
        ({name: value for name, value in PASSES.items() if name != "take"}, "lacks field 'take'"),
        (PASSES | {"take": "/etc/passwd"}, "field 'take'"),
        (PASSES | {"output": "s:../x"}, "field 'output'"),
        (PASSES | {"output": None}, "field 'output'"),
        (PASSES | {"frames": "5-1"}, "runs backwards"),
        (PASSES | {"priority": 101}, "field 'priority'"),
        (PASSES | {"after": "b"}, "field 'after'"),
        (PASSES | {"after": ["../b"]}, "field 'after'"),
        (PASSES | {"max_retries": -1}, "field 'max_retries'"),
        (TRACK | {"output": "s:a.mp4"}, "must end in .take"),
        (TRACK | {"detector": "mine"}, "field 'detector'"),
        (TRACK | {"fps": "25/0"}, "field 'fps'"),
        (TRACK | {"focal_px": "1000"}, "field 'focal_px'"),
        (TRACK | {"smoothing": 2}, "field 'smoothing'"),
        (TRACK | {"subject": ""}, "field 'subject'"),
        (TRAIN | {"output": "s:a.pt"}, "must end in .safetensors"),
        (TRAIN | {"preset": "huge"}, "field 'preset'"),
        (TRAIN | {"steps": 0}, "field 'steps'"),
        (TRAIN | {"minutes": True}, "field 'minutes'"),
        (RENDER | {"task": "shell"}, "field 'task'"),
        (RENDER | {"after": ["x"] * 101}, "field 'after'"),
        ({"task": ["passes"]}, "lacks field"),
        ("text", "no JSON object"),
    ],
)
def test_what_is_not_in_the_form_is_refused(content, reason):
    with pytest.raises(DataError, match=reason):
        any_job_from_dict(content)


def test_a_rate_is_a_fraction():
    job = any_job_from_dict(TRACK | {"fps": "30000/1001"})
    assert isinstance(job, TrackJob)
    assert job.rate == Fraction(30000, 1001)
