from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from local.errors import LocalError
from local.ports import Ports, free_port, is_free

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listener(host: str = "127.0.0.1") -> Iterator[int]:
    with socket.socket() as server:
        server.bind((host, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_a_program_listens_on_is_not_free():
    with listener() as port:
        assert not is_free(port)
    assert is_free(port)


def test_a_port_taken_on_all_interfaces_is_not_free():
    with listener("0.0.0.0") as port:
        assert not is_free(port)


def test_the_default_is_used_and_kept(tmp_path):
    default = free_port()
    assert Ports(tmp_path / "ports", {}, pytest.fail).choose("A_PORT", default) == default
    assert json.loads((tmp_path / "ports").read_text()) == {"A_PORT": default}


def test_a_taken_default_is_replaced_and_said_so(tmp_path):
    said = []
    with listener() as taken:
        port = Ports(tmp_path / "ports", {}, said.append).choose("A_PORT", taken)
    assert port != taken
    assert len(said) == 1
    assert all(word in said[0] for word in (str(taken), str(port), "A_PORT"))


def test_the_replacement_is_kept_for_later_starts(tmp_path):
    with listener() as taken:
        port = Ports(tmp_path / "ports", {}, str).choose("A_PORT", taken)
    assert Ports(tmp_path / "ports", {}, pytest.fail).choose("A_PORT", taken) == port


def test_a_port_that_the_user_names_goes_before_the_kept_one(tmp_path):
    wanted = free_port()
    Ports(tmp_path / "ports", {}, str).choose("A_PORT", free_port())
    assert Ports(tmp_path / "ports", {"A_PORT": str(wanted)}, pytest.fail).choose("A_PORT", 1) == wanted


def test_a_taken_port_that_the_user_names_is_an_error_and_not_kept(tmp_path):
    with listener() as taken, pytest.raises(LocalError, match=rf"Port {taken} \(A_PORT\) is in use"):
        Ports(tmp_path / "ports", {"A_PORT": str(taken)}, str).choose("A_PORT", 1)
    assert not (tmp_path / "ports").exists()


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5"])
def test_what_is_no_port_is_an_error(tmp_path, text):
    with pytest.raises(LocalError, match="is not a port"):
        Ports(tmp_path / "ports", {"A_PORT": text}, str).choose("A_PORT", 1)
