from __future__ import annotations

import json

import pytest


@pytest.fixture
def company(bench):
    return bench.imported("empty", company_id="acme")


def test_rules_are_shown_and_changed_one_by_one(cli, company):
    assert json.loads(cli("payment-rules", "acme", "--json").out) == {
        "rounding_limit": "1",
        "rounding_share": "0.005",
        "approval_above": None,
        "leaves_excess": False,
    }
    cli("payment-rules", "acme", "--approval-above", "1000")
    cli("payment-rules", "acme", "--excess", "unapplied")
    rules = json.loads(cli("payment-rules", "acme", "--rounding-limit", "2.50", "--json").out)
    assert (rules["rounding_limit"], rules["approval_above"]) == ("2.5000", "1000.0000")
    assert rules["leaves_excess"] is True
    assert (
        json.loads(cli("payment-rules", "acme", "--approval-above", "none", "--json").out)["approval_above"]
        is None
    )


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--rounding-limit", "much", "'much' is no amount"),
        ("--rounding-share", "2", "a share between 0 and 1"),
        ("--approval-above", "-1", "has to be 0 or more"),
    ],
)
def test_what_is_no_rule_is_said_in_one_sentence(cli, company, option: str, value: str, sentence: str):
    answer = cli("payment-rules", "acme", f"{option}={value}")
    assert answer.code != 0
    assert sentence in answer.err
