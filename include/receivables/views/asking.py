"""How a question looks that only a person can answer, and what an answer to it is about."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from include.receivables.alerts.model import tell_amounts, tell_moment
from include.receivables.outbound.case import ORPHAN
from include.receivables.outbound.decisions import choices_of
from include.receivables.views.offers import DELETION_OFFERS, offers_of

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from include.receivables.company.companies import Company
    from include.receivables.outbound.model import Situation, Standing
    from include.receivables.views.offers import Offer

Kind = Literal["payment", "deletions"]

# Of which a run asks each question.
ASKING_DAG = "ask_for_decision"

MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")


@dataclass(frozen=True, slots=True)
class Asking:
    """
    How questions are asked.

    :param ops: the ids of those who may act, administrators among them.
    :param admins: of those who administer.
    :param pages_url: the address of our pages.
    """

    ops: tuple[str, ...]
    admins: tuple[str, ...]
    pages_url: str


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Which question is meant.

    :param asked_id: the number of the delivery, or of the problem.
    :param key: of all that is shown.
    """

    company_id: str
    kind: Kind
    asked_id: int
    key: str

    @property
    def run_id(self) -> str:
        """The id of the run that asks it: one question is asked once."""
        return f"{run_prefix(self.company_id, self.kind, self.asked_id)}{self.key}"


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question, as it is shown.

    :param body: in Markdown.
    :param answerers: the ids of those who may answer.
    :param bound_to: what else an answer is about, without being shown.
    """

    company_id: str
    kind: Kind
    asked_id: int
    headline: str
    body: str
    offers: tuple[Offer, ...]
    answerers: tuple[str, ...]
    bound_to: Any

    @property
    def asked(self) -> Asked:
        """Which question it is."""
        shown = json.dumps(asdict(self), default=str).encode()
        return Asked(self.company_id, self.kind, self.asked_id, hashlib.sha256(shown).hexdigest()[:16])

    @property
    def labels(self) -> list[str]:
        """What may be answered."""
        return [offer.label for offer in self.offers]


@dataclass(frozen=True, slots=True)
class Row:
    """What a question may be about; of deletions without a payment."""

    company_id: str
    kind: Kind
    asked_id: int
    payment_id: UUID | None
    message: str | None
    decided_at: datetime | None
    since: datetime
    amount: Decimal | None
    currency: str | None
    payment_date: date | None
    customer: str | None


def run_prefix(company_id: str, kind: Kind, asked_id: int) -> str:
    """Return what the ids of all runs begin with that ask about one thing."""
    return f"{company_id}__{kind}_{asked_id}__"


def ask_about_deletions(asking: Asking, company: Company, row: Row) -> Question:
    """Ask whether records were deleted on purpose."""
    page = f"{asking.pages_url}companies/{company.company_id}#problems"
    return Question(
        company.company_id,
        row.kind,
        row.asked_id,
        headline=f"{company.name}: were so many records deleted in QuickBooks on purpose?",
        body=_lay_out(
            f"**{plain(company.name)}** ({plain(company.company_id)}), since {tell_moment(row.since)}: "
            f"{plain(row.message or '')}",
            "If they were not deleted on purpose, customers are reminded of what they paid, or are not reminded at "
            "all. Look into QuickBooks first: its audit log names who deleted what.",
            DELETION_OFFERS,
            f"[The company's page]({page})",
        ),
        offers=DELETION_OFFERS,
        answerers=asking.ops,
        bound_to=(row.since, row.decided_at),
    )


def ask_about_payment(
    asking: Asking, company: Company, row: Row, situation: Situation, standing: Standing
) -> Question | None:
    """Ask what only a person can tell of a payment; nothing where it goes on by itself, or needs something else."""
    asks = _asks(standing)
    if asks is None or row.amount is None:
        return None
    amount = tell_amounts({row.currency or "": row.amount})
    customer = row.customer or "a customer"
    offers = tuple(offers_of(standing))
    page = f"{asking.pages_url}companies/{company.company_id}/deliveries/{row.asked_id}"
    return Question(
        company.company_id,
        row.kind,
        row.asked_id,
        headline=f"{company.name}: {amount} from {customer}. {asks}",
        body=_lay_out(
            f"**{plain(company.name)}** ({plain(company.company_id)}): a payment of **{amount}** from "
            f"{plain(customer)} on {row.payment_date}, which stands so since {tell_moment(row.since)}.",
            plain(_say(standing)),
            offers,
            f"[The payment's page]({page})",
        ),
        offers=offers,
        answerers=asking.admins if _takes_an_admin(offers) else asking.ops,
        bound_to=(
            row.since,
            situation.snapshot,
            [(each.fingerprint, each.candidate) for each in standing.differences],
            max((each.decided_at for each in situation.decisions), default=None),
        ),
    )


def _asks(standing: Standing) -> str | None:
    """Say in a few words what a person has to tell, if there is something."""
    choices = choices_of(standing)
    if choices.may_approve:
        return "Approve so large a payment?"
    if choices.candidate is not None:
        return "Apply it to the new invoice?"
    is_lost = any(each.code == ORPHAN for each in standing.open_differences)
    return "Is it in QuickBooks?" if is_lost else None


def _say(standing: Standing) -> str:
    if standing.open_differences:
        return " ".join(f"{each.message} {each.remedy}" for each in standing.open_differences)
    return standing.waits.sentence if standing.waits else ""


def _takes_an_admin(offers: tuple[Offer, ...]) -> bool:
    """Tell whether a question offers what only an administrator may decide on the page."""
    return any(offer.action == "approve" for offer in offers)


def _lay_out(facts: str, sentence: str, offers: tuple[Offer, ...], link: str) -> str:
    choices = "\n".join(f"* **{offer.label}**: {offer.hint}" for offer in offers)
    return "\n\n".join((facts, sentence, choices, link))


def plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is, in one line."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))
