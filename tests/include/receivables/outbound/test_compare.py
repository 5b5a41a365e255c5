"""The one comparison of what QuickBooks was sent, answered, holds and should hold."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.quickbooks.writing import encode
from include.receivables.outbound.compare import compare, is_void
from include.receivables.outbound.payloads import parse

Json = dict[str, object]

CENTS = st.integers(1, 10**7).map(lambda cents: Decimal(cents) / 100)
IDS = st.integers(1, 9).map(str)
DATES = st.dates().map(lambda day: day.isoformat())
RATES = st.integers(1, 10**6).map(lambda rate: Decimal(rate) / 1000)
NOTES = st.text("ab ·", max_size=8)


def reference(qbo_id: str) -> Json:
    return {"value": qbo_id}


PAYMENT_LINES = st.builds(
    lambda amount, entity, qbo_id: {
        "Amount": amount,
        "LinkedTxn": [{"TxnId": qbo_id, "TxnType": entity}],
    },
    CENTS,
    st.sampled_from(["Invoice", "CreditMemo", "JournalEntry"]),
    IDS,
)
PAYMENTS = st.fixed_dictionaries(
    {
        "TotalAmt": CENTS,
        "CustomerRef": st.builds(reference, IDS),
        "TxnDate": DATES,
        "DepositToAccountRef": st.builds(reference, IDS),
        "ExchangeRate": RATES,
        "PrivateNote": NOTES,
        "Line": st.lists(PAYMENT_LINES, max_size=3),
    }
)


def entry_line(amount: Decimal, side: str, account: str, customer: str | None) -> Json:
    detail: Json = {"PostingType": side, "AccountRef": reference(account)}
    if customer:
        detail["Entity"] = {"Type": "Customer", "EntityRef": reference(customer)}
    return {"Amount": amount, "JournalEntryLineDetail": detail}


ENTRY_LINES = st.builds(entry_line, CENTS, st.sampled_from(["Debit", "Credit"]), IDS, st.none() | IDS)
ENTRIES = st.fixed_dictionaries(
    {
        "TxnDate": DATES,
        "ExchangeRate": RATES,
        "PrivateNote": NOTES,
        "Line": st.lists(ENTRY_LINES, max_size=3),
    }
)
RECORDS = st.tuples(st.just("payment"), PAYMENTS) | st.tuples(st.just("journal_entry"), ENTRIES)
# QuickBooks leaves these out where they are the usual ones or nothing was said of them.
OMISSIBLE = ("TotalAmt", "CustomerRef", "TxnDate", "DepositToAccountRef", "ExchangeRate")


def without(record: Json, *names: str) -> Json:
    return {name: value for name, value in record.items() if name not in names}


@given(RECORDS)
def test_a_record_says_the_same_as_itself_however_it_is_written(of_document):
    document, record = of_document
    answered = {
        **parse(encode(record)),
        "Id": "7",
        "SyncToken": "3",
        "MetaData": {},
        "Line": [None, *reversed(record["Line"])],
        "PrivateNote": f" {'  '.join(record['PrivateNote'].split(' '))} ",
    }
    assert compare(document, record, answered, {}) == compare(document, answered, record, {}) == ""


@given(RECORDS, st.sets(st.sampled_from(OMISSIBLE)))
def test_what_either_leaves_out_does_not_tell_them_apart(of_document, omitted):
    document, record = of_document
    assert compare(document, record, without(record, *omitted), {}) == ""
    assert compare(document, without(record, *omitted), record, {}) == ""


NAMES = ("amount", "customer", "date", "account", "rate", "lines", "note")
FACTS = {
    "amount": ("TotalAmt", CENTS),
    "customer": ("CustomerRef", st.builds(reference, IDS)),
    "date": ("TxnDate", DATES),
    "account": ("DepositToAccountRef", st.builds(reference, IDS)),
    "rate": ("ExchangeRate", RATES),
    "note": ("PrivateNote", st.text("abc", max_size=8)),
}


def named(differences: str) -> list[str]:
    return [each.split(" ")[0] for each in differences.split(", ") if each]


@given(RECORDS, st.data())
def test_each_fact_that_was_changed_is_named_and_no_other(of_document, data):
    document, record = of_document
    names = [each for each in FACTS if FACTS[each][0] in record]
    changed = data.draw(st.sets(st.sampled_from(names)))
    other = dict(record)
    for name in changed:
        member, values = FACTS[name]
        same = " ".join(record[member].split()) if name == "note" else record[member]
        other[member] = data.draw(values.filter(lambda value, same=same: value != same))
    expected = [name for name in NAMES if name in changed]
    assert named(compare(document, record, other, {})) == expected
    assert named(compare(document, other, record, {})) == expected


def paths(value: object, *above: object):
    """Go through all that a line says."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, *above, key)
    else:
        yield above, value


@given(RECORDS.filter(lambda each: each[1]["Line"]), st.data())
def test_each_line_that_was_changed_added_or_removed_is_named(of_document, data):
    document, record = of_document
    [number, how] = data.draw(
        st.tuples(st.integers(0, len(record["Line"]) - 1), st.sampled_from(["change", "add", "remove"]))
    )
    lines = copy.deepcopy(record["Line"])
    if how == "change":
        said = [(keys, value) for keys, value in paths(lines[number]) if keys[-1] != "Type"]
        (*above, last), value = data.draw(st.sampled_from(said))
        inner = lines[number]
        for key in above:
            inner = inner[key]
        inner[last] = value + 1 if isinstance(value, Decimal) else f"{value}0"
    elif how == "add":
        lines.append(lines[number])
    else:
        del lines[number]
    other = {**record, "Line": lines}
    assert (
        named(compare(document, record, other, {}))
        == named(compare(document, other, record, {}))
        == ["lines"]
    )
    assert compare(document, record, {**record, "Line": []}, {}).startswith("lines none instead of ")


def rename(value: object, names: dict[str, str]) -> object:
    """Give customers other Ids, wherever a record names one."""
    if isinstance(value, list):
        return [rename(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: reference(names.get(inner["value"], inner["value"]))
        if key in ("CustomerRef", "EntityRef")
        else rename(inner, names)
        for key, inner in value.items()
    }


@given(RECORDS)
def test_a_customer_that_was_merged_is_the_one_it_was_merged_into(of_document):
    document, record = of_document
    survivors = {str(qbo_id): f"1{qbo_id}" for qbo_id in range(1, 10)}
    merged = rename(record, survivors)
    assert compare(document, record, merged, survivors) == compare(document, merged, record, survivors) == ""
    assert (compare(document, record, merged, {}) == "") is (record == merged)


UNREADABLE = "it cannot be read"


@pytest.mark.parametrize(
    ("document", "odd"),
    [
        ("payment", {"TotalAmt": "much"}),
        ("payment", {"ExchangeRate": []}),
        ("payment", {"CustomerRef": "1"}),
        ("payment", {"Line": [{"Amount": 1, "LinkedTxn": 5}]}),
        ("journal_entry", {"Line": "none"}),
        ("journal_entry", {"Line": [{"Amount": "much"}]}),
        ("journal_entry", {"PrivateNote": 5}),
    ],
)
def test_what_cannot_be_read_is_not_the_same_and_not_void(document, odd):
    sane = {"TotalAmt": 1, "Line": [{"Amount": 1}]}
    assert compare(document, sane, sane | odd, {}) == compare(document, sane | odd, sane, {}) == UNREADABLE
    assert not is_void(odd)


AMOUNTS = st.sampled_from([0, 0.0, Decimal("0.00"), "0", None, 1, "2.50", -1, "", "much"])
VOIDABLE = st.fixed_dictionaries(
    {},
    optional={
        "TotalAmt": AMOUNTS,
        "UnappliedAmt": AMOUNTS,
        "Line": st.none()
        | st.lists(st.none() | st.fixed_dictionaries({}, optional={"Amount": AMOUNTS}), max_size=3),
        "PrivateNote": st.just("Voided"),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=VOIDABLE)
def test_what_is_void_here_is_void_to_the_database(db, record: Json):
    row = db.execute("select staging.is_voided(%s)", [encode(record).decode()]).fetchone()
    assert row == (is_void(record),)
