"""The account mapping as a form: what has to be mapped, which accounts may serve, what is likely, and what waits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.errors import ConfigurationError
from include.receivables.outbound.account_mapping import (
    PURPOSES,
    Account,
    Mapping,
    check_purpose,
    currency_of,
    read_mapping,
)
from include.receivables.views.mapping_layout import KIND_OF, LAYOUT, TELLING, Layout
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Mapping as Choices

    from psycopg import Connection

    from include.receivables.company.companies import Company

# A purpose and its detail.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """
    One account to choose.

    :param help: what it is for.
    :param is_mandatory: whether payments wait, or would wait, without it.
    :param choices: the accounts that can serve.
    :param chosen: QuickBooks' id of the one that is mapped, else of a likely one; empty without either.
    :param is_saved: whether it is mapped, and not only likely or just chosen.
    :param fault: what is wrong with it, or that it is missing although it was to be chosen.
    :param waiting: how many payments wait for it.
    """

    purpose: str
    detail: str
    label: str
    help: str
    is_mandatory: bool
    choices: tuple[Account, ...]
    chosen: str
    is_saved: bool
    fault: str | None
    waiting: int

    @property
    def key(self) -> Key:
        """The purpose and the detail."""
        return self.purpose, self.detail

    @property
    def account(self) -> Account | None:
        """The chosen account, if it can serve."""
        return next((account for account in self.choices if account.qbo_id == self.chosen), None)


@dataclass(frozen=True, slots=True)
class Group:
    """
    Accounts that belong together.

    :param kind: the kind of detail of which more may be added, such as ``wallet``; empty if there is none.
    """

    title: str
    help: str
    rows: tuple[Row, ...]
    kind: str = ""


def read_form(
    db: Connection,
    company: Company,
    *,
    added: Collection[Key] = (),
    chosen: Choices[Key, str] | None = None,
    is_draft: bool = False,
) -> list[Group]:
    """
    Read what there is to map for the books that a company is connected to.

    :param added: kinds of detail and details to show beside those that are known, such as ``("wallet", "GrabPay")``.
    :param chosen: QuickBooks' ids of the accounts that somebody chose just now; each row then says what is wrong.
    :param is_draft: whether more is about to be chosen: what is missing is not wrong yet.
    :raises ConfigurationError: when something is chosen for a purpose that cannot be.
    """
    chosen_details = _details_of(chosen or {})
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    with db.cursor(row_factory=class_row(Account)) as cursor:
        accounts = cursor.execute(load("sync/list_accounts"), keys).fetchall()
    known: list[Key] = db.execute(load("sync/list_mapping_details"), keys).fetchall()
    needs = {
        (purpose, detail): payments
        for purpose, detail, payments in db.execute(load("sync/count_mapping_needs"), keys)
    }
    form = _Form(read_mapping(db, company), accounts, needs, chosen, is_draft=is_draft)
    return form.fill(sorted({*known, *added, *chosen_details}))


def save_all(db: Connection, company: Company, chosen: Choices[Key, str], *, mapped_by: str) -> None:
    """
    Save all choices at once; payments that waited for them go on.

    :param chosen: QuickBooks' ids of accounts; an empty one maps nothing.
    :raises ConfigurationError: when one of them cannot be saved; then none is.
    """
    faults = [row.fault for group in read_form(db, company, chosen=chosen) for row in group.rows if row.fault]
    if faults:
        raise ConfigurationError(" ".join(faults))
    keys = {"company_id": company.company_id, "realm_id": company.realm_id, "mapped_by": mapped_by}
    with db.transaction():
        for (purpose, detail), qbo_id in sorted(chosen.items()):
            row = keys | {"purpose": purpose, "detail": detail, "account_qbo_id": qbo_id}
            db.execute(load("sync/save_account_mapping" if qbo_id else "sync/remove_account_mapping"), row)


def list_unmapped(db: Connection, company: Company) -> list[Row]:
    """List the accounts that are mandatory, or that payments wait for, and that are not mapped or cannot serve."""
    rows = (row for group in read_form(db, company) for row in group.rows)
    return [row for row in rows if row.fault or (row.is_mandatory and not row.is_saved)]


class _Form:
    """
    Fills groups with rows.

    :param needs: how many payments wait for an account.
    """

    def __init__(
        self,
        mapping: Mapping,
        accounts: Sequence[Account],
        needs: Choices[Key, int],
        chosen: Choices[Key, str] | None,
        *,
        is_draft: bool,
    ) -> None:
        self._mapping = mapping
        self._accounts = {account.qbo_id: account for account in accounts}
        self._needs = needs
        self._chosen = chosen
        self._is_draft = is_draft

    def fill(self, details: Sequence[Key]) -> list[Group]:
        """Fill all groups that have rows, or of which rows may be added."""
        groups = [
            self._group(layout, [detail for kind, detail in details if kind == layout.kind])
            for layout in LAYOUT
        ]
        return [group for group in groups if group.rows or group.kind]

    def _group(self, layout: Layout, details: Sequence[str]) -> Group:
        listed = ["", *details] if layout.has_any else list(details)
        rows = [self._row(layout, purpose, detail) for detail in listed for purpose in layout.purposes]
        if layout.is_where_several:
            rows = [row for row in rows if len(row.choices) > 1 or row.chosen]
        return Group(layout.title, layout.help, tuple(rows), "" if layout.is_where_several else layout.kind)

    def _row(self, layout: Layout, purpose: tuple[str, str, str], detail: str) -> Row:
        name, label, help_ = purpose
        key = (name, detail)
        choices = tuple(each for each in self._accounts.values() if self._fault(key, each.qbo_id) is None)
        mapped = self._mapping.find_exactly(*key)
        saved = mapped.qbo_id if mapped else ""
        waiting = self._needs.get(key, 0)
        is_mandatory = PURPOSES[name].is_mandatory or (waiting > 0 and self._mapping.find(*key) is None)
        chosen, fault = saved, self._fault(key, saved) if saved else None
        if self._chosen is not None:
            chosen = self._chosen.get(key, saved)
            fault = self._fault(key, chosen) if chosen else None
            if is_mandatory and not chosen and not self._is_draft:
                fault = "Choose an account: payments would wait without it."
        elif not saved and not layout.is_where_several:
            chosen = _likely(name, detail, choices)
        return Row(
            purpose=name,
            detail=detail,
            label=f"{detail or layout.any_label}: {label}" if detail or layout.any_label else label,
            help=help_,
            is_mandatory=is_mandatory,
            choices=choices,
            chosen=chosen,
            is_saved=bool(saved) and chosen == saved,
            fault=fault,
            waiting=waiting,
        )

    def _fault(self, key: Key, qbo_id: str) -> str | None:
        account = self._accounts.get(qbo_id) or Account(qbo_id, None, None, None, None)
        return self._mapping.fault_of(account, key[0], currency_of(*key))


def _likely(purpose: str, detail: str, choices: Sequence[Account]) -> str:
    """Return the account that is most likely meant; empty if none is likely."""
    telling = TELLING.get(purpose, ())
    if purpose == "deposit_wallet":
        telling = (re.escape(detail),)
    if purpose == "deposit_currency":
        # Banks before other accounts, and those of the very currency before the company's own.
        choices = sorted(choices, key=lambda each: (each.currency != detail, each.type != "Bank"))
        choices = [
            each for each in choices if (each.currency, each.type) == (choices[0].currency, choices[0].type)
        ]
    for pattern in telling:
        for each in choices:
            if re.search(pattern, each.name or "", re.IGNORECASE):
                return each.qbo_id
    return ""


def _details_of(chosen: Choices[Key, str]) -> set[Key]:
    """Return the kinds of detail and details that choices are about."""
    for purpose, detail in chosen:
        check_purpose(purpose, detail)
    return {(KIND_OF[purpose], detail) for purpose, detail in chosen if detail}
