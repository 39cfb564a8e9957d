import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.render_settings import (
    FILE_NAME,
    RenderSettings,
    RenderWishes,
    claim_render_settings,
    read_render_settings,
)


def test_the_first_claim_stands_for_everybody(tmp_path):
    folder = tmp_path / "frames"
    assert read_render_settings(folder) is None
    first = RenderSettings(4, 2, "bfloat16")
    assert claim_render_settings(folder, first) == first
    assert claim_render_settings(folder, RenderSettings()) == first
    assert read_render_settings(folder) == first
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_a_disk_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    assert claim_render_settings(tmp_path, RenderSettings(2, 3)) == RenderSettings(2, 3)
    assert claim_render_settings(tmp_path, RenderSettings()) == RenderSettings(2, 3)


def test_many_claims_at_once_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda n: claim_render_settings(tmp_path / "f", RenderSettings(threads=n)), range(1, 33))
        standing = set(claims)
    assert len(standing) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 0}, "'batch_size': is 0"),
        ({"threads": 1.0}, "'threads': is 1.0"),
        ({"threads": True}, "'threads': is True"),
        ({"precision": "float16"}, "'precision': is 'float16'"),
    ],
)
def test_what_cannot_be_is_refused(changes, reason):
    with pytest.raises(DataError, match=reason):
        RenderSettings(**changes)


@pytest.mark.parametrize(
    "content", [[], {}, {"schema_version": 2, "batch_size": 1, "threads": 1, "precision": "float32"}]
)
def test_a_damaged_record_is_refused(tmp_path, content):
    (tmp_path / FILE_NAME).write_text(json.dumps(content))
    with pytest.raises(DataError, match="no render settings of version 1"):
        read_render_settings(tmp_path)


def test_wishes_replace_what_was_chosen():
    assert RenderSettings(4, 2).changed_by(RenderWishes(threads=1)) == RenderSettings(4, 1)
