"""
Real records with one thing wrong in each, many at once: no run fails, each is named in a problem or is taken in exactly
as its JSON says, and what is answered beside them is as it would be without.

``MUTATIONS`` says how many; ``MUTATION_SEED`` begins the rounds elsewhere, such as at one that failed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter, defaultdict
from math import ceil
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from include.quickbooks.records import NO_ID
from include.receivables.inbound import jobs
from tests.support import truth
from tests.support.asking import Asking
from tests.support.mutations import mutate
from tests.support.strict_reading import UnclearError, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench

Json = dict[str, Any]
Name = tuple[str, str]  # entity and Id
Known = dict[Name, Json]

AT_ONCE = 120
FIRST = int(os.environ.get("MUTATION_SEED", "1"))
ROUNDS = ceil(int(os.environ.get("MUTATIONS", "240")) / AT_ONCE)
TABLES = {
    "Account": ("account", "account"),
    "Customer": ("customer", "customer"),
    "Invoice": ("invoice", "invoice"),
    "CreditMemo": ("credit_note", "credit_memo"),
    "Payment": ("payment", "payment"),
    "TaxRate": ("tax_rate", "tax_rate"),
    "TaxCode": ("tax_code", "tax_code"),
    "Term": ("", "term"),
    "PaymentMethod": ("", "payment_method"),
    "CompanyInfo": ("", "company_info"),
    "Preferences": ("", "preferences"),
    "JournalEntry": ("", "journal_entry"),
}
# Those of which a bookkeeper writes new versions; the others are read whole by each refresh.
WRITTEN = ("Account", "Customer", "Invoice", "CreditMemo", "Payment", "JournalEntry")
PARTS = {
    "Invoice": """
        select invoice.source_id, line.total_amount from peakflo.invoice_line as line
        join peakflo.invoice on invoice.id = line.invoice_id order by line.position
    """,
    "Payment": """
        select payment.source_id, allocation.target_id, allocation.target_source_id, allocation.amount
        from peakflo.payment_allocation as allocation
        join peakflo.payment on payment.id = allocation.payment_id order by allocation.position
    """,
}
# What a bookkeeper writes into a record so that it has a new version.
REMARKS = {"Account": "Description", "Customer": "Notes"}


class MutatedBooks:
    """Books of which records are answered wrong, and what became of them."""

    def __init__(self, bench: Workbench, company: Company, books: Bookkeeper) -> None:
        self._bench, self._company, self._books = bench, company, books
        self.outcomes: Counter[str] = Counter()

    def play(self, seed: int) -> list[str]:
        """Answer many records with one thing wrong in each, then the truth again; return all that came out wrong."""
        rng = random.Random(seed)
        names = [name for name, record in sorted(self._true().items()) if _is_writable(name, record)]
        names = rng.sample(names, min(AT_ONCE, len(names)))
        self._touch(names, f"before {seed}")
        texts = {name: json.dumps(record).encode() for name, record in self._true().items()}
        said = self._mutate(rng, names)
        self._read()
        wrong = self._compare(texts | {name: text for name, (_, text) in said.items()}, said)
        wrong += self._judge()
        self._bench.sandbox.serve_truth(self._company.realm_id)
        self._touch(names, f"after {seed}")
        self._read()
        return [f"seed {seed}: {each}" for each in wrong + self._left()]

    def _read(self) -> None:
        """Read what changed, and the lists that tell nobody when they do."""
        self._bench.sync(self._company)
        jobs.refresh(self._bench.access, self._company.company_id, self._bench.run_context())

    def _judge(self) -> list[str]:
        """Ask about all invoices; return what is wrong with the verdicts."""
        ask = Asking(self._bench, self._company)
        ids = {ask.id("invoice", qbo_id): qbo_id for entity, qbo_id in self._true() if entity == "Invoice"}
        judgement = ask.judgement(*ids.values())
        wrong = [] if judgement.cause == "" else [f"no verdicts: {judgement.error}"]
        reminded = [ids[each.invoice_id] for each in judgement.verdicts if each.verdict == "send"]
        problems = self._problems()
        wrong += [
            f"a reminder of Invoice {each}: {problems['Invoice', each]}"
            for each in reminded
            if problems["Invoice", each]
        ]
        return wrong if len(judgement.verdicts) == len(ids) else [*wrong, "not all invoices are judged"]

    def close_all(self) -> list[str]:
        """Read everything, which alone can tell that no record is without an Id any more; return what is left."""
        self._bench.import_all(self._company)
        self._read()
        return self._left(but="")

    def _true(self) -> Known:
        records = self._bench.sandbox.truth(self._company.realm_id, records=True)["records"]
        return {(entity, record["Id"]): record for entity in TABLES for record in records[entity]}

    def _touch(self, names: Iterable[Name], remark: str) -> None:
        """Write something harmless into records, so that QuickBooks has new versions to tell of."""
        true = self._true()
        changes: dict[str, list[Json]] = defaultdict(list)
        for entity, qbo_id in names:
            if entity not in WRITTEN:
                continue
            field = REMARKS.get(entity, "PrivateNote")
            key = {"Id": qbo_id, "SyncToken": true[entity, qbo_id]["SyncToken"], "sparse": True}
            changes[entity].append(key | {field: remark})
        for entity, records in changes.items():
            self._books.batch("update", entity, records)

    def _mutate(self, rng: random.Random, names: Iterable[Name]) -> dict[Name, tuple[str, bytes]]:
        """Let records be answered otherwise; return what is wrong with each, and its text."""
        true = self._true()
        ids = sorted({qbo_id for _, qbo_id in true})
        said = {name: mutate(true[name], rng, rng.sample(ids, 2)) for name in names}
        # A later time would outrank the truth of what nobody writes anew.
        said = {
            name: change
            for name, change in said.items()
            if name[0] in WRITTEN or not change[0].startswith("MetaData")
        }
        for (entity, qbo_id), (_, text) in said.items():
            self._bench.sandbox.serve(self._company.realm_id, entity, qbo_id, raw=text)
        return said

    def _compare(self, texts: dict[Name, bytes], said: dict[Name, tuple[str, bytes]]) -> list[str]:
        problems, rows = self._problems(), self._rows()
        wrong = [f"{name}, not changed: {problems[name]}" for name in texts.keys() - said if problems[name]]
        for name, text in texts.items():
            change = said[name][0] if name in said else "not changed"
            named = _without_id(name, text) if change.startswith("Id ") else name
            outcome = "taken in"
            if len(problems[named]) == 1:
                outcome = "named"
            elif named != name:
                wrong.append(f"{name}, {change}: not told")
            else:
                found = problems[name] or self._differences(name, text, rows)
                wrong += [f"{name}, {change}: {each}" for each in found]
            if name in said:
                self.outcomes[outcome] += 1
        return wrong

    def _differences(self, name: Name, text: bytes, rows: Known) -> list[str]:
        """Return in what Peakflo's row differs from what a record says."""
        try:
            expected = read(name[0], self._company.realm_id, text)
        except UnclearError as error:
            return [f"{error}, and is in no problem"]
        ids = {row["id"] for row in rows.values()}
        # What points at a parent or a transaction that QuickBooks does not have points at nothing.
        if expected.get("parent_id") not in ids:
            expected.pop("parent_id", None)
        if name[0] == "Payment":
            expected["parts"] = [
                (target if target in ids else None, *rest) for target, *rest in expected["parts"]
            ]
        row = rows.get(name, {})
        return [
            f"{field} is {row.get(field)!r} instead of {value!r}"
            for field, value in expected.items()
            if row.get(field) != value
        ]

    def _problems(self) -> dict[Name, list[str]]:
        """Return the messages of open problems by record."""
        entities = {staged: entity for entity, (_, staged) in TABLES.items()}
        found: dict[Name, list[str]] = defaultdict(list)
        statement = """
            select entity, qbo_id, message from sync.problem
            where direction = 'inbound' and state = 'open'
        """
        for entity, qbo_id, message in self._bench.db.execute(statement):
            found[entities.get(entity, entity), qbo_id].append(message)
        return found

    def _rows(self) -> Known:
        rows: Known = {}
        for entity, table in ((entity, table) for entity, (table, _) in TABLES.items() if table):
            statement = SQL("select * from {}").format(Identifier("peakflo", table))
            with self._bench.db.cursor(row_factory=dict_row) as cursor:
                rows |= {
                    (entity, row["source_id"]): {**row, "parts": []} for row in cursor.execute(statement)
                }
        for entity, parts in PARTS.items():
            for qbo_id, *part in self._bench.db.execute(parts):
                rows[entity, qbo_id]["parts"].append(tuple(part))
        return rows

    def _left(self, but: str = NO_ID) -> list[str]:
        """Return what is still wrong after the truth was answered again."""
        open_problems = [
            f"open after the truth: {name} {messages}"
            for name, messages in self._problems().items()
            if not (but and name[1].startswith(but))
        ]
        return open_problems + truth.differences(self._bench.db, self._bench.sandbox, self._company)


def _without_id(name: Name, text: bytes) -> Name:
    """Return what a record is called in problems that has no Id."""
    kept = text.replace(rb"\ud83d", rb"\ufffd")
    return name[0], NO_ID + hashlib.sha256(kept).hexdigest()[:16]


def _is_writable(name: Name, record: Json) -> bool:
    """Tell whether a bookkeeper can write a record: a voided payment cannot be."""
    return name[0] != "Payment" or bool(record["TotalAmt"])


def test_each_mutated_record_is_named_or_taken_in_as_it_says(
    bench: Workbench, keep_books: Callable[[Company], Bookkeeper]
):
    company = bench.imported("demo")
    books = keep_books(company)
    # A payment that was deposited cannot be written any more.
    for deposit in bench.sandbox.truth(company.realm_id, records=True)["records"]["Deposit"]:
        books.delete("Deposit", deposit["Id"])
    mutated = MutatedBooks(bench, company, books)
    wrong = [each for seed in range(FIRST, FIRST + ROUNDS) for each in mutated.play(seed)]
    print(dict(mutated.outcomes), *wrong, sep="\n")
    assert wrong == []
    assert mutated.close_all() == []
