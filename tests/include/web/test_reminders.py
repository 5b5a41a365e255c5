"""The verdicts of reminder runs as the reminder service reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.support.fixtures_web import Web

RUN = "reminders:2026-11-25+acme"
MOST = 1000


@pytest.fixture
def acme(add_company: Callable[..., str]) -> str:
    return add_company("acme")


def check(
    db: psycopg.Connection,
    total: int,
    *,
    company_id: str = "acme",
    dag_id: str = "refresh_before_reminder",
    state: str = "success",
    verdict: str = "send",
) -> None:
    """Keep a check of as many invoices as a task would have kept it."""
    run = """
        insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, is_exclusive)
        values (%s, '9130001', %s, %s, %s, false) returning run_id
    """
    row = db.execute(run, [company_id, dag_id, RUN, state]).fetchone()
    assert row is not None
    verdicts = """
        insert into peakflo.reminder_verdict (
            company_id, reminder_run_id, invoice_id, run_id, verdict, reasons, amount_due, read_at, expires_at,
            rules_version
        )
        select
            %(company_id)s, %(reminder_run_id)s, lpad(number::text, 32, '0')::uuid, %(run_id)s, %(verdict)s,
            '[{"code": "paid"}]', 69.9900, '2026-11-25 09:00+00', '2026-11-25 09:10+00', 1
        from generate_series(1, %(total)s) as number
    """
    keys = {"company_id": company_id, "reminder_run_id": RUN, "run_id": row[0]}
    db.execute(verdicts, keys | {"verdict": verdict, "total": total})


def read(web: Web, company_id: str = "acme", user: str = "reminder", **query: Any) -> Any:
    return web.as_(user).get(f"companies/{company_id}/reminders/{RUN}", params=query)


def test_a_verdict_says_what_the_runs_own_answer_says(web: Web, db: psycopg.Connection, acme: str):
    check(db, 1, verdict="hold")

    assert read(web).json() == {
        "reminder_run_id": RUN,
        "company_id": "acme",
        "state": "success",
        "send": 0,
        "hold": 1,
        "unknown": 0,
        "error": None,
        "verdicts": [
            {
                "invoice_id": "00000000-0000-0000-0000-000000000001",
                "verdict": "hold",
                "reasons": ["paid"],
                "amount_due": "69.99",
                "currency": None,
                "due_date": None,
                "due_date_basis": None,
                "customer_total_due": None,
                "customer_total_overdue": None,
                "expires_at": "2026-11-25T09:10:00+00:00",
            }
        ],
        "next": None,
    }


@pytest.mark.parametrize("total", [0, 1, MOST, MOST + 1, 2 * MOST + 1])
def test_each_verdict_is_on_one_page(web: Web, db: psycopg.Connection, acme: str, total: int):
    check(db, total)

    pages = [read(web).json()]
    while pages[-1]["next"]:
        pages.append(read(web, after=pages[-1]["next"]).json())

    ids = [verdict["invoice_id"] for page in pages for verdict in page["verdicts"]]
    assert (len(ids), len(set(ids))) == (total, total)
    assert all(page["send"] == total and len(page["verdicts"]) <= MOST for page in pages)


def test_an_unknown_never_was_good(web: Web, db: psycopg.Connection, acme: str):
    check(db, 1, verdict="unknown", state="failed")

    [verdict] = read(web).json()["verdicts"]
    assert (verdict["verdict"], verdict["expires_at"]) == ("unknown", None)


def test_of_a_run_that_was_cleared_the_last_check_counts(web: Web, db: psycopg.Connection, acme: str):
    check(db, 3)
    check(db, 0, state="running")

    answer = read(web).json()
    assert (answer["state"], answer["send"], answer["verdicts"]) == ("running", 0, [])


def test_runs_of_another_dag_or_company_are_not_the_one_asked_for(
    web: Web, db: psycopg.Connection, acme: str, add_company: Callable[..., str]
):
    add_company("other", realm_id="9130002")
    check(db, 0, dag_id="quickbooks_to_peakflo")
    check(db, 1, company_id="other")

    assert read(web).status_code == 404
    assert read(web, "other").status_code == 200


@pytest.mark.parametrize("after", ["7", "x" * 40, "\0"])
def test_what_is_no_invoice_is_refused(web: Web, acme: str, after: str):
    assert read(web, after=after).json() == {"detail": "Not filled in, or not as it should be: after."}
