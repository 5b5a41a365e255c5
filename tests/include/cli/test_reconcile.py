from __future__ import annotations


def test_a_proof_says_what_differs_and_what_it_cost(cli, bench):
    bench.imported("demo", company_id="acme")
    bench.db.execute("update peakflo.invoice set amount_due = amount_due + 1 where source_id = '9'")

    answer = cli("reconcile", "acme")

    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].split()[:3] == ["class", "entity", "qbo"]
    assert any(line.startswith("missed_change  invoice") for line in lines)
    assert lines[-1] == (
        f"acme: explained, 100.0 % of {lines[-1].split(' of ')[1].split()[0]} explained, 1 repaired, metered calls 8"
    )


def test_a_proof_is_json_for_programs(cli, bench):
    bench.imported("demo", company_id="acme")

    answer = cli("reconcile", "acme", "--json", "--most-pages", "2")

    assert answer.code == 0, answer.err
    assert answer.json["verdict"] == "explained"
    assert answer.json["calls"] == 5
    assert answer.json["explained_share"] == "100.0"
    assert {row["class"] for row in answer.json["rows"]} == {"other_money"}


def test_what_is_not_proved_fails_with_the_reason(cli, bench):
    bench.imported("empty", company_id="acme")
    bench.sandbox.change_settings(report_basis="Cash")

    answer = cli("reconcile", "acme")

    assert answer.code == 1
    assert "is of another basis: Cash instead of Accrual" in answer.err


def test_a_company_that_there_is_none_of_is_said(cli, bench):
    answer = cli("reconcile", "nobody")

    assert (answer.code, answer.out) == (1, "")
    assert "There is no company 'nobody'" in answer.err
