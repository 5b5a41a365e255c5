from __future__ import annotations

import pytest

from sandbox.faults import Fault
from sandbox.query_language import Condition, Order, Query, parse


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT * FROM Invoice", Query("Invoice")),
        ("select count(*) from Invoice", Query("Invoice", counts=True)),
        ("SELECT *, Sku FROM Item", Query("Item")),
        ("SELECT Id, DocNumber FROM Invoice", Query("Invoice")),
        (
            "SELECT * FROM Customer WHERE DisplayName = 'Adam\\'s Candy' AND Active IN (true, false)",
            Query(
                "Customer",
                conditions=(
                    Condition("DisplayName", "=", ("Adam's Candy",)),
                    Condition("Active", "IN", (True, False)),
                ),
            ),
        ),
        (
            "SELECT * FROM Invoice WHERE Balance > '0' and TxnDate<='2026-01-01' and Id != 5 AND DocNumber LIKE '10%'",
            Query(
                "Invoice",
                conditions=(
                    Condition("Balance", ">", ("0",)),
                    Condition("TxnDate", "<=", ("2026-01-01",)),
                    Condition("Id", "!=", ("5",)),
                    Condition("DocNumber", "LIKE", ("10%",)),
                ),
            ),
        ),
        (
            "SELECT * FROM Invoice ORDERBY TxnDate DESC, Id ASC STARTPOSITION 11 MAXRESULTS 10",
            Query("Invoice", orders=(Order("TxnDate", True), Order("Id")), start=11, limit=10),
        ),
        (
            "SELECT * FROM Invoice ORDER BY Id MAXRESULTS 5 STARTPOSITION 2",
            Query("Invoice", orders=(Order("Id"),), start=2, limit=5),
        ),
        ("SELECT * FROM Invoice STARTPOSITION 0", Query("Invoice")),
        ("  SELECT\n*\tFROM Invoice  ", Query("Invoice")),
        (
            "SELECT * FROM Item WHERE Name = 'a\\\\b'",
            Query("Item", conditions=(Condition("Name", "=", ("a\\b",)),)),
        ),
        ("SELECT * FROM Item WHERE Name = ''", Query("Item", conditions=(Condition("Name", "=", ("",)),))),
    ],
)
def test_statements_are_understood(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "4000", "The query provided was empty"),
        ("   ", "4000", "The query provided was empty"),
        ("SELECT * FORM Invoice", "4000", 'Encountered " <IDENTIFIER> "FORM "" at line 1, column 10.'),
        (
            "SELECT * FROM Invoice WHERE Id = '1' OR Id = '2'",
            "4000",
            'IDENTIFIER> "OR "" at line 1, column 38',
        ),
        ("SELECT * FROM Invoice WHERE Id = ''1''", "4000", "Was expecting one of"),
        (
            "SELECT * FROM Invoice WHERE Id ~ '1'",
            "4000",
            'Lexical error at line 1, column 32.  Encountered: "~" (126)',
        ),
        ("SELECT * FROM Invoice WHERE Name = 'open", "4000", "Lexical error at line 1, column 36"),
        ("SELECT * FROM", "4000", 'Encountered "<EOF>"'),
        ("DELETE FROM Invoice", "4000", '"SELECT" ...'),
        ("SELECT * FROM Invoice MAXRESULTS 0", "4001", "value 0 is too small. Min allowed value is 1"),
        (
            "SELECT * FROM Invoice MAXRESULTS 1500",
            "4001",
            "value 1500 is too large. Max allowed value is 1000",
        ),
        ("SELECT * FROM Invoice MAXRESULTS ten", "4000", "<NUMBER>"),
        ("SELECT * FROM Invoice ORDER Id", "4000", '"BY" ...'),
        ("SELECT * FROM Invoice WHERE Id IN ()", "4000", "<STRING> ..."),
        ("SELECT * FROM Invoice;", "4000", "Lexical error"),
    ],
)
def test_mistakes_are_refused_in_quickbooks_words(text: str, code: str, words: str) -> None:
    with pytest.raises(Fault) as refused:
        parse(text)
    assert refused.value.code == code
    assert words in refused.value.errors[0]["Detail"]
