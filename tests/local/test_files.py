from __future__ import annotations

from local.files import private_directory, read_json, write_json, write_private


def test_a_private_file_is_readable_by_its_owner_only(tmp_path):
    write_private(tmp_path / "secret", "x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_open_to_others_is_closed_when_it_is_replaced(tmp_path):
    file = tmp_path / "secret"
    file.touch(mode=0o644)
    write_private(file, "x")
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_but_the_file_is_left(tmp_path):
    write_json(tmp_path / "value.json", {"a": 1})
    write_json(tmp_path / "value.json", {"a": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]
    assert read_json(tmp_path / "value.json") == {"a": 2}


def test_a_missing_or_damaged_file_reads_as_empty(tmp_path):
    (tmp_path / "damaged").write_text('{"a": ')
    assert read_json(tmp_path / "missing") == {}
    assert read_json(tmp_path / "damaged") == {}


def test_only_the_owner_may_enter_a_private_directory(tmp_path):
    assert private_directory(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
