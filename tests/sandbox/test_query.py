from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import query
from sandbox.clock import record_time
from sandbox.faults import Fault
from sandbox.json_text import decode
from sandbox.scribe import Scribe

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.sandbox import Sandbox


class Asking:
    def __init__(self, books: Books) -> None:
        self.books = books
        self.cache = query.ResultCache()

    def __call__(self, statement: str) -> dict[str, Any]:
        answer: dict[str, Any] = decode(query.run(self.books, self.cache, statement).json)
        return answer

    def ids(self, statement: str) -> list[str]:
        answer = self(statement)
        return [row["Id"] for rows in answer.values() if isinstance(rows, list) for row in rows]


@pytest.fixture
def ask(books: Books) -> Asking:
    return Asking(books)


@pytest.fixture
def invoices(scribe: Scribe, state: Sandbox) -> list[str]:
    """Twelve invoices, made a minute apart; every third shares its second with the one before."""
    customer = scribe.customer("Ada")
    made = []
    for number in range(12):
        state.clock.offset_seconds += 0 if number % 3 == 2 else 60
        made.append(scribe.invoice(customer, ("3", "1", str(100 - number))))
    return made


def test_an_empty_answer_has_no_entity(ask: Asking) -> None:
    assert ask("SELECT * FROM Invoice") == {}
    assert ask("SELECT count(*) FROM Invoice") == {"totalCount": 0}


def test_invoices_have_a_total_count_of_the_rows_returned(ask: Asking, invoices: list[str]) -> None:
    answer = ask("SELECT * FROM Invoice STARTPOSITION 11 MAXRESULTS 5")
    assert (answer["startPosition"], answer["maxResults"], answer["totalCount"]) == (11, 2, 2)
    assert ask("SELECT count(*) FROM Invoice WHERE Balance > '0'") == {"totalCount": len(invoices)}


BY_ID = "SELECT * FROM Invoice ORDERBY Id"
BY_TIME = "SELECT * FROM Invoice ORDERBY MetaData.CreateTime"


def test_id_is_not_sortable_or_without_effect(ask: Asking, state: Sandbox, invoices: list[str]) -> None:
    assert ask.ids(BY_ID) == invoices
    state.change_settings({"order_by_id": "refuse"}, ask.books.realm_id)
    with pytest.raises(Fault, match=r"4001 .*property 'Id' is not sortable"):
        ask(BY_ID)
    assert ask.ids(BY_TIME) == invoices
    assert len(ask.ids("SELECT * FROM Invoice WHERE Id > '0'")) == 12
    state.change_settings({"order_by_id": "ignore"}, ask.books.realm_id)
    assert ask.ids(BY_ID) == ask.ids("SELECT * FROM Invoice") != invoices
    assert ask.ids(f"{BY_TIME}, Id") == invoices


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "="])
def test_rows_in_their_order_are_bounded_as_rows_in_any_order(
    ask: Asking, invoices: list[str], operator: str
) -> None:
    for row in ask("SELECT * FROM Invoice")["Invoice"]:
        within = f"MetaData.CreateTime {operator} '{row['MetaData']['CreateTime']}'"
        bounded = f"{within} AND MetaData.CreateTime > '2000-01-01'"
        expected = sorted(ask.ids(f"SELECT * FROM Invoice WHERE {bounded}"), key=int)
        assert ask.ids(BY_TIME.replace("ORDERBY", f"WHERE {bounded} ORDERBY")) == expected


@pytest.mark.parametrize(
    ("order_by", "is_stable"), [("ignore", True), ("shuffle", True), ("shuffle_anew", False)]
)
def test_no_order_is_heeded(
    ask: Asking, state: Sandbox, invoices: list[str], order_by: str, *, is_stable: bool
) -> None:
    state.change_settings({"order_by": order_by}, ask.books.realm_id)
    first = ask.ids(BY_TIME)
    assert first != invoices
    assert sorted(first, key=int) == invoices
    assert (ask.ids(BY_TIME) == first) is is_stable
    page = f"{BY_TIME} STARTPOSITION {{}} MAXRESULTS 4"
    paged = [record_id for start in (1, 5, 9) for record_id in ask.ids(page.format(start))]
    assert (paged == first) is is_stable
    default = ask.ids("SELECT * FROM Invoice")
    assert (default == first) is (order_by == "ignore")


def test_times_fall_while_versions_rise(
    ask: Asking, scribe: Scribe, state: Sandbox, invoices: list[str]
) -> None:
    before = scribe.books.get("Invoice", invoices[0])
    state.change_settings({"falling_times": 5}, ask.books.realm_id)
    scribe.pay("1", "100", ("Invoice", invoices[0], Decimal(100)))
    after = scribe.books.get("Invoice", invoices[0])
    assert (after.sync_token, after.updated) == (before.sync_token + 1, before.updated - 5)
    assert ask.ids(
        f"SELECT * FROM Invoice WHERE MetaData.LastUpdatedTime < '{record_time(before.updated)}'"
    ) == [invoices[0]]


@pytest.mark.parametrize("entity", ["Account", "Customer", "Item", "PaymentMethod", "Term"])
def test_some_lists_have_none(ask: Asking, entity: str, invoices: list[str]) -> None:
    assert invoices
    assert "totalCount" not in ask(f"SELECT * FROM {entity}")


def test_single_records_have_only_max_results(ask: Asking) -> None:
    assert set(ask("SELECT * FROM CompanyInfo")) == {"CompanyInfo", "maxResults"}


def test_transactions_come_newest_first_and_lists_by_name(ask: Asking, invoices: list[str]) -> None:
    assert ask.ids("SELECT * FROM Invoice") == invoices[::-1]
    names = [row["FullyQualifiedName"] for row in ask("SELECT * FROM Account")["Account"]]
    assert names == sorted(names, key=str.lower)


def test_ids_are_compared_as_numbers(ask: Asking, invoices: list[str]) -> None:
    assert ask.ids("SELECT * FROM Invoice WHERE Id > '9' ORDERBY Id") == invoices[9:]
    assert ask.ids("SELECT * FROM Invoice WHERE Id IN ('10', '2') ORDERBY Id") == ["2", "10"]
    assert ask.ids("SELECT * FROM Invoice ORDERBY Id DESC MAXRESULTS 2") == invoices[:-3:-1]


def test_times_select_and_order_in_either_casing(ask: Asking, books: Books, invoices: list[str]) -> None:
    fifth = books.get("Invoice", invoices[4])
    for name in ("MetaData.LastUpdatedTime", "Metadata.LastUpdatedTime"):
        found = ask.ids(
            f"SELECT * FROM Invoice WHERE {name} >= '{fifth.fields()['MetaData']['LastUpdatedTime']}' ORDERBY {name}"
        )
        assert found == invoices[4:]


def test_a_time_may_be_written_in_several_ways(ask: Asking, invoices: list[str]) -> None:
    for literal in (
        "2020-01-01",
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00-08:00",
        "2020-01-01T00:00:00.000+00:00",
    ):
        assert len(ask.ids(f"SELECT * FROM Invoice WHERE MetaData.CreateTime > '{literal}'")) == len(invoices)
    # What becomes of a plus sign that a client did not encode.
    with pytest.raises(Fault, match=r"4001 .*not a valid date time"):
        ask("SELECT * FROM Invoice WHERE MetaData.CreateTime > '2020-01-01T00:00:00 00:00'")


def test_amounts_compare_as_numbers(ask: Asking, invoices: list[str]) -> None:
    assert ask.ids("SELECT * FROM Invoice WHERE TotalAmt >= '100.00'") == invoices[:1]
    assert ask.ids("SELECT * FROM Invoice WHERE TotalAmt < '90' ORDERBY TotalAmt") == ["12"]
    assert ask.ids("SELECT * FROM Invoice WHERE Balance IN ('95', '96.0') ORDERBY Id") == ["5", "6"]


def test_texts_compare_without_regard_to_case(ask: Asking) -> None:
    assert len(ask.ids("SELECT * FROM Account WHERE Name = 'checking'")) == 1
    assert len(ask.ids("SELECT * FROM Account WHERE Name LIKE 'accounts%'")) == 2
    assert len(ask.ids("SELECT * FROM Account WHERE Name LIKE '%(A/R)'")) == 1
    assert (
        len(ask.ids("SELECT * FROM Account WHERE AccountType != 'Bank'"))
        == len(ask.ids("SELECT * FROM Account")) - 2
    )


def test_references_compare_by_id(ask: Asking, scribe: Scribe, invoices: list[str]) -> None:
    other = scribe.invoice(scribe.customer("Bob"), ("3", "1", "5"))
    assert ask.ids("SELECT * FROM Invoice WHERE CustomerRef = '2'") == [other]


def test_payments_are_found_by_their_reference_number(ask: Asking, scribe: Scribe) -> None:
    customer = scribe.customer("Ada")
    payment = scribe.pay(customer, "5", PaymentRefNum="PF-1")
    scribe.pay(customer, "5")
    assert ask.ids("SELECT * FROM Payment WHERE PaymentRefNum = 'PF-1'") == [payment]
    assert len(ask.ids("SELECT * FROM Payment WHERE PaymentRefNum != 'PF-1'")) == 1


def test_inactive_records_show_only_when_asked_for(ask: Asking, scribe: Scribe) -> None:
    active, inactive = scribe.customer("Ada"), scribe.customer("Bob")
    scribe.change("Customer", inactive, Active=False)
    assert ask.ids("SELECT * FROM Customer") == [active]
    assert ask.ids("SELECT * FROM Customer WHERE Active = false") == [inactive]
    assert ask.ids("SELECT * FROM Customer WHERE Active IN (true, false)") == [active, inactive]
    assert ask("SELECT count(*) FROM Customer") == {"totalCount": 1}


def test_the_pseudo_tax_codes_come_on_top_of_max_results(ask: Asking) -> None:
    assert ask.ids("SELECT * FROM TaxCode MAXRESULTS 1") == ["TAX", "NON", "CustomSalesTax", "1"]
    assert ask.ids("SELECT * FROM TaxCode WHERE Name = 'Tucson'") == ["2"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT * FROM Invoices", "Metadata not found for Entity: Invoices"),
        ("SELECT * FROM invoice", "Metadata not found for Entity: invoice"),
        ("SELECT * FROM Invoice WHERE PrivateNote = 'x'", "property 'PrivateNote' is not queryable"),
        ("SELECT * FROM Invoice ORDERBY Line", "property 'Line' is not queryable"),
        ("SELECT * FROM Payment WHERE DocNumber = 'x'", "property 'DocNumber' is not queryable"),
        ("SELECT * FROM Customer WHERE Active = 'perhaps'", "is not a boolean"),
    ],
)
def test_what_cannot_be_asked_is_refused(ask: Asking, statement: str, words: str) -> None:
    with pytest.raises(Fault, match=words) as refused:
        ask(statement)
    assert refused.value.code == "4001"


def test_a_kept_result_is_dropped_when_the_entity_changes(
    ask: Asking, scribe: Scribe, invoices: list[str]
) -> None:
    statement = "SELECT count(*) FROM Invoice WHERE Balance > '0'"
    assert ask(statement) == {"totalCount": 12}
    scribe.drop("Invoice", invoices[0])
    assert ask(statement) == {"totalCount": 11}


def test_a_change_to_one_company_does_not_show_in_another(state: Sandbox, ask: Asking) -> None:
    other = state.open_company("Other", realm_id="2")
    Scribe(other.books).customer("Ada")
    assert ask("SELECT * FROM Customer") == {}
