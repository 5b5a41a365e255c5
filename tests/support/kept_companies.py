"""Companies that were imported once, and are put back as they were for each test that begins with one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.databases import list_filled

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from sandbox.control import SandboxControl

# Tokens live for an hour, and QuickBooks tells of the changes since the import.
LASTING_SECONDS = 900

SEQUENCES = """
select format('%I.%I', schemaname, sequencename), last_value
from pg_sequences
where last_value is not null
"""


@dataclass(frozen=True)
class Rows:
    """
    What a database held.

    :param tables: rows by table, in COPY's binary form.
    """

    tables: list[tuple[str, bytes]]
    sequences: list[tuple[str, int]]

    @classmethod
    def read(cls, db: psycopg.Connection) -> Rows:
        tables = []
        for table in list_filled(db):
            with db.cursor().copy(f"copy {table} to stdout (format binary)") as copy:
                tables.append((table, b"".join(copy)))
        return cls(tables, db.execute(SEQUENCES).fetchall())

    def write(self, db: psycopg.Connection) -> None:
        """Put the rows into tables that are empty."""
        with db.transaction():
            # The rows are as triggers have left them.
            db.execute("set local session_replication_role = replica")
            for table, rows in self.tables:
                with db.cursor().copy(f"copy {table} from stdin (format binary)") as copy:
                    copy.write(rows)
            for sequence, value in self.sequences:
                db.execute("select setval(%s, %s)", [sequence, value])

    def restore(self, db: psycopg.Connection, *, but: str) -> None:
        """
        Put the rows in the place of those that there are.

        :param but: the table that stays as it is.
        """
        with db.transaction():
            db.execute("set local session_replication_role = replica")
            for table in set(list_filled(db)) - {but}:
                db.execute(f"delete from {table}")
            Rows([each for each in self.tables if each[0] != but], self.sequences).write(db)


@dataclass(frozen=True)
class KeptCompany:
    """A company that was imported, with what the database then held."""

    company: Company
    rows: Rows
    kept_at: float = field(default_factory=time.monotonic)

    @property
    def is_lasting(self) -> bool:
        """Whether it is still as good as new."""
        return time.monotonic() - self.kept_at < LASTING_SECONDS

    def put_back(self, db: psycopg.Connection, sandbox: SandboxControl) -> Company:
        """Put it into an empty database, and back as it was in the sandbox."""
        sandbox.put_back(self.company.realm_id)
        self.rows.write(db)
        return self.company


class KeptCompanies:
    """What the tests of a session have imported, by what tells it apart, such as its books."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptCompany] = {}

    def find(self, how: str) -> KeptCompany | None:
        """Find a company that can be put back."""
        kept = self._kept.get(how)
        return kept if kept is not None and kept.is_lasting else None

    def keep(self, how: str, company: Company, db: psycopg.Connection, sandbox: SandboxControl) -> None:
        """Keep the only company of a database."""
        sandbox.keep(company.realm_id)
        self._kept[how] = KeptCompany(company, Rows.read(db))
