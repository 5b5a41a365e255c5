from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.receivables.reminders.verdict_replay import replay
from tests.support.asking import Asking
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.workbench import Workbench


@pytest.fixture
def acme(bench: Workbench, keep_books: Callable[[Company], Bookkeeper]) -> Company:
    """A company of whose invoices some are to be sent, some held, and one is not to be found."""
    company = connect_as_imported(bench, "acme")
    books = keep_books(company)
    ada, grace = books.customer("Ada"), books.customer("Grace")
    owed, covered, gone = books.invoice(ada, "10"), books.invoice(grace, "20"), books.invoice(ada, "30")
    books.pay(grace, "25")
    bench.sync(company)
    ask = Asking(bench, company)
    ask.judgement(owed, covered, "4711")
    books.delete("Invoice", gone)
    books.pay(ada, "4", ("Invoice", owed, "4"))
    ask.judgement(owed, gone)
    return company


def test_verdicts_are_the_same_when_they_are_judged_again(bench: Workbench, acme: Company):
    done = replay(bench.db, acme.company_id)

    assert (done.counts, done.differences) == ({"same": 4, "without_evidence": 1}, [])
    assert replay(bench.db).counts == done.counts
    assert replay(bench.db, "globex").counts == {}


@pytest.mark.parametrize(
    ("forged", "judged"),
    [
        (
            "verdict = 'send', reasons = '[]'",
            "hold (covered_by_payment): due 20.00, in all 20.00, overdue 0.00",
        ),
        (
            "evidence = jsonb_set(evidence, '{payers,0,payments}', '[]')",
            "hold (covered_by_other): due 20.00, in all 20.00, overdue 0.00",
        ),
        ("evidence = jsonb_set(evidence, '{amount_due}', '\"19\"')", "QuickBooks had said 20"),
        ("evidence = evidence - 'payers'", "cannot be judged by today's rules"),
    ],
)
def test_a_verdict_that_does_not_follow_from_its_evidence_is_shown(
    bench: Workbench, acme: Company, forged: str, judged: str
):
    bench.db.execute(
        f'update peakflo.reminder_verdict set {forged} where reasons @> \'[{{"code": "covered_by_payment"}}]\''  # type: ignore[arg-type]
    )

    done = replay(bench.db)

    assert done.counts["different"] == 1
    [difference] = done.differences
    assert difference.judged.startswith(judged)
