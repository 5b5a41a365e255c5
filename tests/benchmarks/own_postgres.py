"""A durable PostgreSQL of a benchmark's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def running_postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL in a folder, durable as in production."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()
