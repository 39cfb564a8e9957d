"""`dvp farm user` over the token file, as typed; what a running head does with it is in test_head.py."""

import json
import multiprocessing

import pytest

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from farm.tokens import add_user, read_users, user_of_token


@pytest.fixture
def dvp_user(tmp_path, capsys):
    """Return a function that runs `dvp farm user ... --json` and gives exit code and what came out."""

    def call(*words):
        code = run(["farm", "user", *words, "--state", str(tmp_path / "state"), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


def test_user_is_added_listed_and_removed(dvp_user, tmp_path):
    code, added = dvp_user("add", "anna", "--role", "operate")
    assert code == 0
    path = tmp_path / "state" / "tokens.json"
    assert user_of_token(read_users(path), added["token"]).role == "operate"
    assert added["token"] not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert dvp_user("list") == (0, {"users": [{"name": "anna", "role": "operate"}]})
    assert dvp_user("remove", "anna")[0] == 0
    assert user_of_token(read_users(path), added["token"]) is None
    assert dvp_user("list") == (0, {"users": []})


def test_known_user_keeps_the_token_unless_it_is_renewed(dvp_user, tmp_path):
    first = dvp_user("add", "anna")[1]["token"]
    code, refused = dvp_user("add", "anna")
    assert code == 1
    assert "--renew" in refused["error"]
    users = read_users(tmp_path / "state" / "tokens.json")
    assert user_of_token(users, first).name == "anna"
    second = dvp_user("add", "anna", "--renew")[1]["token"]
    users = read_users(tmp_path / "state" / "tokens.json")
    assert user_of_token(users, first) is None
    assert user_of_token(users, second).role == "submit"


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "x" * 65, "ä", "a\n"])
def test_bad_name_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="user name"):
        add_user(tmp_path / "tokens.json", name=name, role="submit")
    assert list(tmp_path.iterdir()) == []


def test_unknown_user_cannot_be_removed(dvp_user):
    assert "no users yet" in dvp_user("remove", "nobody")[1]["error"]
    dvp_user("add", "anna")
    assert "no user 'nobody'" in dvp_user("remove", "nobody")[1]["error"]


def _add_some(path, start):
    for number in range(start, start + 10):
        add_user(path, name=f"user{number}", role="submit")


def test_no_user_is_lost_where_several_are_added_at_once(tmp_path):
    path = tmp_path / "tokens.json"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_some, args=(path, start)) for start in (0, 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(read_users(path)) == 20


def test_group_names_its_commands(capsys):
    with pytest.raises(SystemExit) as left:
        run(["farm", "user"])
    assert left.value.code == 2
    assert "dvp farm user remove" in capsys.readouterr().out
