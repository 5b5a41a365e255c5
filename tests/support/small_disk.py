"""A disk that gets full: a real one of some megabytes, on which a test has the database keep some of its tables."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

MEGABYTES = 8


@contextmanager
def full_disk(db: psycopg.Connection, *tables: str) -> Iterator[None]:
    """
    Have some tables lie on a disk that is full.

    :raises pytest.skip.Exception: where no disk may be mounted.
    """
    space = f"small_disk_{db.info.dbname}"
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0777", "tmpfs", folder], check=False
        )
        if mounted.returncode:
            pytest.skip("no disk may be mounted here")
        try:
            db.execute(
                sql.SQL("create tablespace {} location {}").format(sql.Identifier(space), sql.Literal(folder))
            )
            _move(db, tables, space)
            _fill(Path(folder))
            yield
            Path(folder, "ballast").unlink()
            _move(db, tables, "pg_default")
            db.execute(sql.SQL("drop tablespace {}").format(sql.Identifier(space)))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _move(db: psycopg.Connection, tables: tuple[str, ...], space: str) -> None:
    for table in tables:
        move = sql.SQL("alter table {} set tablespace {}")
        db.execute(move.format(sql.Identifier(*table.split(".")), sql.Identifier(space)))


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
