"""One odd event of a webhook delivery must not cost the others: Intuit would repeat it and hold back what follows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.intuit import deliver
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    import psycopg
    from fastapi import FastAPI

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench


@pytest.fixture
def company(bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


def cloud(company: Company, number: int, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": "qbo.invoice.updated.v1",
        "datacontenttype": "application/json",
        "time": "2025-09-10T21:31:25.179851517Z",
        "intuitentityid": str(number),
        "intuitaccountid": company.realm_id,
        "data": {},
    } | changes


def old(number: int, **changes: Any) -> dict[str, Any]:
    entity = {"name": "Invoice", "id": str(number), "operation": "Update"}
    return {**entity, "lastUpdated": "2025-09-08T20:52:31.657Z", **changes}


def legacy(company: Company, *entities: Any) -> dict[str, Any]:
    notification = {"realmId": company.realm_id, "dataChangeEvent": {"entities": list(entities)}}
    return {"eventNotifications": [notification]}


def take(app: FastAPI, content: Any) -> None:
    answer = deliver(app, body=json.dumps(content).encode())

    assert (answer.status_code, answer.content) == (200, b"")


def stored(db: psycopg.Connection) -> list[str]:
    return [row[0] for row in db.execute("select qbo_id from sync.webhook_event order by qbo_id::numeric")]


def odd(db: psycopg.Connection) -> int:
    return sum(row[0] for row in db.execute("select total from sync.webhook_count where outcome = 'odd'"))


@pytest.mark.parametrize(
    "changes",
    [
        {"intuitentityid": 2},
        {"data": []},
        {"data": None},
        {"data": "text"},
        {"data": {"DisplayName": "\ud83d"}},
        {"time": "2025-09-10T21:31:25"},
        {"time": None},
        {"time": "soon"},
        {"type": "qbo.invoice.paused.v1"},
        {"type": "qbo.invoice.void.v1"},
        {"id": "event-1"},
        {"id": None},
    ],
    ids=str,
)
def test_an_event_that_still_names_its_record_is_stored(
    webhook_app: FastAPI, db: psycopg.Connection, company: Company, changes: dict[str, Any]
):
    take(webhook_app, [cloud(company, 1), cloud(company, 2, **changes), cloud(company, 3)])

    assert stored(db) == ["1", "2", "3"]
    assert odd(db) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 2},
        {"lastUpdated": None},
        {"lastUpdated": "2025-09-08"},
        {"operation": "Void"},
        {"operation": 5},
    ],
    ids=str,
)
def test_an_event_of_the_old_format_that_still_names_its_record_is_stored(
    webhook_app: FastAPI, db: psycopg.Connection, company: Company, changes: dict[str, Any]
):
    take(webhook_app, legacy(company, old(1), old(2, **changes), old(3)))

    assert stored(db) == ["1", "2", "3"]
    assert odd(db) == 0


def test_events_of_the_old_format_without_a_time_are_new_whenever_they_come(
    webhook_app: FastAPI, db: psycopg.Connection, company: Company
):
    for others in ([], [old(2)]):
        take(webhook_app, legacy(company, old(1, lastUpdated=None), *others))
        take(webhook_app, legacy(company, old(1, lastUpdated=None), *others))

    assert stored(db) == ["1", "1", "2"]


@pytest.mark.parametrize("item", [None, 12, "text", [], {}, {"type": "qbo.invoice.updated.v1"}], ids=str)
def test_what_names_no_record_is_counted_and_the_others_are_stored(
    webhook_app: FastAPI, db: psycopg.Connection, company: Company, item: Any
):
    take(webhook_app, [cloud(company, 1), item, cloud(company, 2)])
    take(webhook_app, legacy(company, old(3), item, old(4)))

    assert stored(db) == ["1", "2", "3", "4"]
    assert odd(db) == 2


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        ["", "7", "12\n", "\ud83d", "a\0b", "Invoice", "qbo.invoice.void.v1", "0001-01-01T00:00:00+14:00"]
    ),
    st.just([]),
    st.just({"deletedid": 5}),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(VALUES, st.dictionaries(st.sampled_from(sorted({*old(1), "id"})), VALUES)), max_size=5
    ),
    st.lists(
        st.dictionaries(st.sampled_from(["id", "type", "time", "intuitentityid", "data"]), VALUES), max_size=5
    ),
)
def test_whatever_is_odd_the_good_ones_are_stored(
    webhook_app: FastAPI, db: psycopg.Connection, company: Company, old_ones: list[Any], new_ones: list[Any]
):
    db.execute("delete from sync.webhook_event")
    made_odd = [{**old(5), **item} if isinstance(item, dict) else item for item in old_ones]
    cloud_events = [cloud(company, 5, **changes) for changes in new_ones]

    take(webhook_app, [*old_ones, cloud(company, 1), *cloud_events, cloud(company, 2)])
    take(webhook_app, legacy(company, old(3), *made_odd, old(4)))

    assert {"1", "2", "3", "4"} <= set(stored(db))
