from __future__ import annotations

import dataclasses
import io
import logging
import os
import subprocess
import sys

import pytest

from include.receivables.company.tokens import TokenCipher
from tests.support.airflow_settings import FERNET_KEY, ROOT, define_connections
from tests.support.command_line import Answer


@pytest.fixture
def access(access, sandbox, db_url, monkeypatch):
    """Access to what Airflow's connections name, with Airflow's key."""
    define_connections(monkeypatch, sandbox, db_url)
    return dataclasses.replace(access, cipher=TokenCipher(FERNET_KEY))


@pytest.fixture
def cli(access, capsys, monkeypatch):
    """Run a command of bin/receivables in this process."""
    from include.cli.__main__ import main

    root = logging.getLogger()
    before = root.level, root.handlers[:]

    def run(*arguments: str, words: str = "") -> Answer:
        monkeypatch.setattr("sys.stdin", io.StringIO(words))
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = exit_.code
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    yield run
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def start_cli(access):
    """Start a command of bin/receivables in a process of its own."""
    processes = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "include.cli", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
