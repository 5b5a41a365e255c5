from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from include.receivables.company import problems
from include.receivables.company.companies import get_company
from include.receivables.views import company_status, lineage
from include.receivables.views.company_status import RunFilter
from tests.support.payment_steps import delivered, forget_requests
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    import psycopg

    from include.receivables.company.companies import Company
    from tests.support.cashier import Cashier
    from tests.support.workbench import Workbench

MINUTE = timedelta(minutes=1)
SYNC = "quickbooks_to_peakflo"


@pytest.fixture
def company(db: psycopg.Connection) -> Company:
    """A company that is connected, as far as the database knows."""
    return known(db, "acme", "111")


def known(db: psycopg.Connection, company_id: str, realm_id: str) -> Company:
    db.execute(
        "insert into peakflo.company (company_id, realm_id, name) values (%s, %s, 'Acme')",
        [company_id, realm_id],
    )
    db.execute(
        "insert into sync.connection (company_id, realm_id, status, connected_by) "
        "values (%s, %s, 'connected', 'ada')",
        [company_id, realm_id],
    )
    return get_company(db, company_id)


def log_run(db: psycopg.Connection, company: Company, *, ago: timedelta = MINUTE, **columns: Any) -> int:
    """Log a run that began some time ago."""
    started_at = datetime.now(UTC) - ago
    counts = columns.pop("counts", {"payment": {"read": 0, "changed": 0, "merged": 0, "deleted": 0}})
    row = {
        "company_id": company.company_id,
        "realm_id": company.realm_id,
        "dag_id": SYNC,
        "dag_run_id": "scheduled",
        "state": "success",
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=5),
        "counts": Jsonb(counts),
        **columns,
    }
    names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    [(run_id,)] = db.execute(
        f"insert into sync.run ({names}) values ({values}) returning run_id",  # type: ignore[arg-type]
        row,
    ).fetchall()
    return int(run_id)


def ids(page: company_status.Page) -> list[int]:
    return [row["run_id"] for row in page.rows]


def test_the_status_tells_who_connected_and_when_tokens_end_but_no_token(bench: Workbench):
    company = bench.connect(company_id="acme")
    status = company_status.read_status(bench.db, company)
    assert (status["status"], status["connected_by"], status["auto_sync"]) == ("connected", "test", True)
    assert status["read_at"] < status["access_token_expires_at"] < status["refresh_token_expires_at"]
    assert status["refresh_token_expires_at"] < status["refresh_token_hard_expires_at"]
    assert not {"access_token", "refresh_token"} & set(status)


def test_the_log_is_listed_in_bounded_pages_that_neither_repeat_nor_skip(
    db: psycopg.Connection, company: Company
):
    logged = [log_run(db, company, ago=age * MINUTE) for age in (9, 7, 5, 3, 1)]
    first = company_status.list_runs(db, company, most=2)
    second = company_status.list_runs(db, company, RunFilter(before=ids(first)[-1]), most=2)
    log_run(db, company, ago=timedelta(0))
    third = company_status.list_runs(db, company, RunFilter(before=ids(second)[-1]), most=2)
    assert ids(first) + ids(second) + ids(third) == logged[::-1]
    assert [page.has_more for page in (first, second, third)] == [True, True, False]


def test_the_log_is_filtered_by_dag_state_entity_and_day(db: psycopg.Connection, company: Company):
    plain = log_run(db, company)
    delivery = log_run(db, company, dag_id="peakflo_to_quickbooks", counts={"journal_entry": {"merged": 1}})
    failed = log_run(db, company, state="failed", error="TypeError: no", counts={})
    old = log_run(db, company, ago=timedelta(days=3))
    for chosen, expected in (
        (RunFilter(), {plain, delivery, failed, old}),
        (RunFilter(dag_id="peakflo_to_quickbooks"), {delivery}),
        (RunFilter(state="failed"), {failed}),
        (RunFilter(entity="payment"), {plain, old}),
        (RunFilter(day=(datetime.now(UTC) - timedelta(days=3)).date()), {old}),
        (RunFilter(day=date(2020, 1, 1)), set()),
        (RunFilter(dag_id=SYNC, state="success", entity="payment"), {plain, old}),
    ):
        assert set(ids(company_status.list_runs(db, company, chosen))) == expected, chosen


def test_another_companys_runs_problems_and_deliveries_are_not_listed(
    db: psycopg.Connection, company: Company
):
    other = known(db, "globex", "222")
    theirs = log_run(db, other)
    problems.report_record(db, other, "invoice", "7", "unreadable", "No.")
    assert company_status.list_runs(db, company).rows == []
    assert company_status.list_runs(db, company, RunFilter(before=theirs)).rows == []
    assert company_status.list_problems(db, company).rows == []
    assert company_status.count_problems(db, company).states == {"open": 0, "ignored": 0, "resolved": 0}
    assert company_status.count_deliveries(db, company) == {}


def test_what_was_read_of_another_quickbooks_company_is_not_shown(db: psycopg.Connection, company: Company):
    log_run(db, company)
    problems.report_record(db, company, "invoice", "7", "unreadable", "No.")
    db.execute("update sync.connection set realm_id = '333'")
    moved = get_company(db, "acme")
    assert company_status.list_runs(db, moved).rows == []
    assert company_status.list_problems(db, moved).rows == []
    assert company_status.read_status(db, moved)["last_sync_at"] is None
    assert {each.seconds for each in company_status.list_freshness(db, moved)["payment"]} == {None}


def test_problems_are_listed_with_their_cure_and_who_acts(db: psycopg.Connection, company: Company):
    for number in range(3):
        problems.report_record(db, company, "invoice", str(number), "unreadable", "It cannot be read.")
    page = company_status.list_problems(db, company, most=2)
    assert page.has_more
    assert not company_status.list_problems(db, company, skipped=2, most=2).has_more
    [newest, _] = page.rows
    assert (newest["qbo_id"], newest["actor"]) == ("2", "bookkeeper")
    assert (newest["delivery_id"], newest["doubt"]) == (None, None)
    assert newest["cure"].startswith("Correct the record in QuickBooks")
    counted = company_status.count_problems(db, company)
    assert (counted.states, counted.actors) == ({"open": 3, "ignored": 0, "resolved": 0}, {"bookkeeper": 3})


def test_a_payments_problem_names_the_payment_that_waits_for_a_person(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "98.50", processing_fee="3.20", rounding_amount="1.50")
    realm_id = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("reset", realm=realm_id, path="journalentry", method="POST", count=1)
    cashier.push(settled_after=2 * MINUTE)
    forget_requests(cashier)
    cashier.push()
    [problem] = company_status.list_problems(cashier.bench.db, cashier.company).rows
    assert (problem["delivery_id"], problem["code"], problem["doubt"]) == (
        cashier.delivery(payment_id)["delivery_id"],
        "possible_orphan",
        "may_be_there",
    )
    assert company_status.count_deliveries(cashier.bench.db, cashier.company) == {"differs": 1}


def test_a_payments_problem_that_may_be_tried_again_leaves_no_doubt(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    cashier.take(invoice, currency="EUR")
    cashier.push()
    [problem] = company_status.list_problems(cashier.bench.db, cashier.company).rows
    assert (problem["direction"], problem["doubt"]) == ("outbound", None)


def test_an_entity_grows_older_until_the_next_run_has_ended(db: psycopg.Connection, company: Company):
    log_run(db, company, ago=timedelta(days=2))
    for minutes in (600, 595, 590):
        log_run(db, company, ago=minutes * MINUTE)
    log_run(db, company, ago=300 * MINUTE, state="failed")
    log_run(db, company, ago=300 * MINUTE, dag_id="refresh_before_reminder")
    log_run(db, company, ago=300 * MINUTE, dag_id="bin/receivables", dag_run_id="push__1")
    log_run(db, company, ago=60 * MINUTE, dag_id="bin/receivables", dag_run_id="sync__1")

    freshness = company_status.list_freshness(db, company)["payment"]
    worst = {round((datetime.now(UTC) - each.begins_at) / MINUTE): each.seconds for each in freshness}

    def minutes(begun_ago: int) -> int:
        return round((worst[begun_ago] or 0) / 60)

    assert len(freshness) == company_status.SLICES
    assert minutes(1440) == 24 * 60 + 15  # the last run before the day was two days ago
    assert minutes(600) == 24 * 60 * 2 - 600
    assert minutes(585) == 590 - 570
    assert minutes(300) == 590 - 285
    assert minutes(60) == 590 - 60
    assert minutes(15) == 60


def test_an_entity_that_was_never_read_has_no_age(db: psycopg.Connection, company: Company):
    log_run(db, company)
    assert {each.seconds for each in company_status.list_freshness(db, company)["invoice"]} == {None}
    assert company_status.list_freshness(db, company)["payment"][-1].seconds == 60


def test_a_cycle_in_which_nothing_changed_keeps_every_entity_fresh(bench: Workbench):
    company = connect_as_imported(bench, "acme")
    bench.sync(company)
    bench.db.execute("update sync.run set dag_id = %s", [SYNC])
    freshness = company_status.list_freshness(bench.db, company)
    assert len(freshness) == 5
    assert all(slices[-1].seconds is not None for slices in freshness.values())
    assert set(freshness) <= set(company_status.read_cursors(bench.db, company))


def test_records_are_counted_per_hour_and_direction(db: psycopg.Connection, company: Company):
    read = {"invoice": {"merged": 4, "deleted": 1}, "payment": {"merged": 2, "deleted": 0}}
    log_run(db, company, ago=timedelta(0), counts=read, ended_at=datetime.now(UTC))
    log_run(
        db,
        company,
        dag_id="peakflo_to_quickbooks",
        counts={"payment": {"merged": 3, "deleted": 0}},
        ended_at=datetime.now(UTC),
    )
    log_run(db, company, ago=timedelta(hours=30), counts=read)
    hours = company_status.count_hourly(db, company)
    assert len(hours) == 24
    assert [(each["inbound"], each["outbound"]) for each in hours] == [(0, 0)] * 23 + [(7, 3)]


def test_a_payment_is_followed_to_its_records_their_moves_versions_and_runs(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "98.50", processing_fee="3.20", rounding_amount="1.50")
    cashier.push()
    cashier.bench.sync(cashier.company)
    made = cashier.record(payment_id)
    cashier.books.change("Payment", made["qbo_id"], PrivateNote="seen")
    cashier.bench.sync(cashier.company)

    followed = lineage.follow(cashier.bench.db, cashier.company, cashier.delivery(payment_id)["delivery_id"])

    assert [each["document"] for each in followed] == ["payment", "journal_entry"]
    [payment, _] = followed
    assert (payment["qbo_id"], payment["state"]) == (made["qbo_id"], "made")
    assert [(move["from_state"], move["to_state"]) for move in payment["moves"]] == [
        ("intended", "sent"),
        ("sent", "made"),
    ]
    [sent, answered] = payment["moves"]
    assert sent["request_id"] == made["request_id"]
    assert answered["intuit_tid"]
    assert sent["why"] == "Peakflo took the payment."
    assert sent["moved_at"] < answered["moved_at"]
    assert [version["sync_token"] for version in payment["versions"]] == [0, 1]
    runs = {row["run_id"]: row["dag_run_id"] for row in cashier.rows("sync.run")}
    for step in (*payment["moves"], *payment["versions"]):
        assert step["dag_run_id"] == runs[step["run_id"]]
    assert payment["versions"][0]["read_at"] < payment["versions"][1]["read_at"]


def test_a_run_that_only_took_in_what_was_read_is_logged_as_ended(cashier: Cashier):
    payment_id = delivered(cashier)
    cashier.books.delete("Payment", cashier.record(payment_id)["qbo_id"])
    cashier.bench.sync(cashier.company)
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["gone"]}
    last = cashier.rows("outbox.move")[-1]
    [run] = cashier.rows("sync.run", run_id=last["run_id"])
    assert (run["state"], run["calls"]) == ("success", 0)
    before = cashier.rows("sync.run")
    cashier.push()
    assert cashier.rows("sync.run") == before


def test_another_companys_delivery_leads_nowhere(cashier: Cashier):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    cashier.push()
    other = known(cashier.bench.db, "globex", "222")
    assert lineage.follow(cashier.bench.db, other, cashier.delivery(payment_id)["delivery_id"]) == []
