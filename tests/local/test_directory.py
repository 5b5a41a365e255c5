from __future__ import annotations

import json
from pathlib import Path

from cryptography.fernet import Fernet

from local.directory import ROLES, ROOT, LocalDirectory


def test_the_environment_can_move_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RECEIVABLES_LOCAL_DIR", str(tmp_path / "elsewhere"))
    assert LocalDirectory().path == tmp_path / "elsewhere"
    monkeypatch.setenv("RECEIVABLES_LOCAL_DIR", "")
    assert LocalDirectory().path == ROOT / ".local"


def test_each_user_gets_a_password_of_its_own_that_stays(tmp_path):
    directory = LocalDirectory(tmp_path)
    directory.make()
    passwords = json.loads(directory.passwords.read_text())
    assert passwords.keys() == ROLES.keys()
    assert len(set(passwords.values())) == len(ROLES)
    directory.make()
    assert json.loads(directory.passwords.read_text()) == passwords


def test_two_installations_share_no_secret(tmp_path):
    first, second = LocalDirectory(tmp_path / "1"), LocalDirectory(tmp_path / "2")
    first.make()
    second.make()
    secrets = [json.loads(directory.secrets.read_text()) for directory in (first, second)]
    assert not set(secrets[0].values()) & set(secrets[1].values())


def test_the_fernet_key_encrypts(tmp_path):
    directory = LocalDirectory(tmp_path)
    directory.make()
    fernet = Fernet(json.loads(directory.secrets.read_text())["fernet_key"])
    assert fernet.decrypt(fernet.encrypt(b"token")) == b"token"


def test_a_user_that_is_missing_is_added_and_the_others_are_kept(tmp_path):
    directory = LocalDirectory(tmp_path)
    directory.passwords.write_text('{"admin": "mine"}')
    directory.make()
    assert json.loads(directory.passwords.read_text())["admin"] == "mine"
    assert json.loads(directory.passwords.read_text()).keys() == ROLES.keys()


def test_secrets_are_readable_by_their_owner_only(tmp_path):
    directory = LocalDirectory(Path(tmp_path) / "local")
    directory.make()
    modes = {path.stat().st_mode & 0o077 for path in (directory.path, directory.passwords, directory.secrets)}
    assert modes == {0}
