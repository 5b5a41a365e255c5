"""What keeps a payment from going to QuickBooks, and that it goes once the cause is gone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from include.receivables.outbound.decisions import standing_of
from include.receivables.outbound.preflight_answers import Held, Ready, Refused
from include.receivables.outbound.situation import read_situation
from tests.support.outgoing import Payer, credit, invoice, open_company

WAITS = {
    "other_books": "update peakflo.company set realm_id = '1'",
    "auto_sync_off": "insert into sync.company_setting (company_id, auto_sync) values (%(company)s, false)",
    "not_connected": "update sync.connection set status = 'paused'",
    "not_settled": "update peakflo.payment set settled_at = null where id = %(payment)s",
    "not_fresh": "update staging.cursor set changed_since = changed_since - interval '1 day'",
    "books_closed": "update peakflo.company set book_close_date = '2026-11-20'",
    "customer_unknown": "update peakflo.customer set source_id = null",
    "customer_inactive": "update peakflo.customer set status = 'archived'",
    "customer_merged": "update peakflo.customer set status = 'deleted'",
    "company_unknown": "update peakflo.company set home_currency = null",
    "target_unknown": "update peakflo.invoice set source_id = null",
    "account_unmapped": "delete from sync.account_mapping",
    "account_unfit": "update peakflo.account set status = 'archived' where name = 'Checking'",
    "receivable_ambiguous": """
        insert into peakflo.account (company_id, id, realm_id, source_id, name, full_name, type, currency, status)
        select company_id, gen_random_uuid(), realm_id, 'another', 'Other A/R', 'Other A/R', type, currency, status
        from peakflo.account where type = 'Accounts Receivable'
    """,
}
DIFFERS = {
    "currency_missing": "update peakflo.payment set currency = '' where id = %(payment)s",
    "customer_currency": "update peakflo.customer set currency = 'EUR'",
    "fraction_of_cent": "update peakflo.payment set amount = 98.001 where id = %(payment)s",
    "target_cancelled": "update peakflo.invoice set status = 'cancelled'",
    "target_currency": "update peakflo.invoice set currency = 'EUR'",
    "target_balance": "update peakflo.invoice set amount_due = 99.99",
}


@pytest.fixture
def payer(bench, keep_books) -> Payer:
    return open_company(bench, keep_books)


def bill(payer: Payer, amount: str = "100", customer: str = "", **more) -> str:
    bill_id = payer.books.invoice(customer or payer.customer, amount, TxnDate="2026-11-02", **more)
    payer.bench.sync(payer.company)
    return bill_id


def stands(payer: Payer, payment_id) -> tuple[str, str, str]:
    """Return where a payment stands that is not to be sent now, with the code and the sentence."""
    standing = standing_of(read_situation(payer.bench.db, payer.company, payment_id))
    return standing.kind, standing.reason.code, standing.reason.sentence


@pytest.mark.parametrize(("kind", "spoilers"), [("waits", WAITS), ("differs", DIFFERS)])
def test_each_cause_has_its_own_code_and_sentence(payer, kind, spoilers):
    payment_id = payer.take("98", invoice(bill(payer), "98", withholding_tax_amount="2"))
    for code, statement in spoilers.items():
        with payer.bench.db.transaction(force_rollback=True):
            payer.bench.db.execute(statement, {"company": payer.company.company_id, "payment": payment_id})
            *found, sentence = stands(payer, payment_id)
        assert found == [kind, code]
        assert sentence.endswith(".")
    assert isinstance(payer.check(payment_id), Ready)


def test_an_invoice_that_was_paid_in_quickbooks_meanwhile_is_not_paid_again(payer):
    bill_id = bill(payer)
    payment_id = payer.take("100", invoice(bill_id, "100"))
    by_hand = payer.books.pay(payer.customer, "30", ("Invoice", bill_id, "30"))
    payer.bench.sync(payer.company)

    answer = payer.check(payment_id)

    assert isinstance(answer, Refused)
    assert answer.code == "target_balance"
    assert "70.00 open in QuickBooks and the payment takes 100.00" in answer.sentence

    payer.books.delete("Payment", by_hand)
    payer.bench.sync(payer.company)
    assert isinstance(payer.check(payment_id), Ready)


def test_what_was_sent_and_not_read_back_yet_is_open_no_more(payer):
    bill_id = bill(payer)
    first = payer.take("60", invoice(bill_id, "60"))
    second = payer.take("60", invoice(bill_id, "60"))
    payer.deliver(first)
    assert payer.check(second).code == "target_balance"

    payer.bench.sync(payer.company)
    third = payer.take("40", invoice(bill_id, "40"))
    assert payer.check(second).code == "target_balance"
    assert isinstance(payer.check(third), Ready)


def test_a_parent_pays_for_a_sub_customer_but_not_the_other_way_round(payer):
    branch = payer.books.customer("Riverbend East", ParentRef={"value": payer.customer}, Job=True)
    stranger = payer.books.customer("Someone else")
    of_branch = bill(payer, customer=branch)
    of_parent, of_stranger = bill(payer), bill(payer, customer=stranger)

    assert payer.deliver(payer.take("100", invoice(of_branch, "100")))["UnappliedAmt"] == 0
    assert payer.check(payer.take("100", invoice(of_stranger, "100"))).code == "target_of_other_customer"
    branch_pays = payer.take(
        "100", invoice(of_parent, "100"), customer_id=payer.peakflo_id("customer", branch)
    )
    assert payer.check(branch_pays).code == "target_of_other_customer"


def test_two_allocations_to_one_invoice_count_together(payer):
    bill_id = bill(payer)

    fits = payer.take("100", invoice(bill_id, "60"), invoice(bill_id, "40"))
    too_much = payer.take("101", invoice(bill_id, "60"), invoice(bill_id, "41"))

    assert payer.check(too_much).code == "target_balance"
    [line] = payer.deliver(fits)["Line"]
    assert line["Amount"] == 100


def test_a_credit_note_gives_no_more_than_it_has_left(payer):
    memo = payer.books.credit(payer.customer, "30", TxnDate="2026-11-03")
    bill_id = bill(payer)

    payment_id = payer.take("60", invoice(bill_id, "100"), credit(memo, "40"))

    assert payer.check(payment_id).code == "target_balance"


def test_the_closing_date_of_quickbooks_holds_until_it_is_moved(payer):
    payment_id = payer.take("100", invoice(bill(payer), "100"))
    update = "update peakflo.company set book_close_date = %s"

    for closed, kind in (("2026-11-20", Held), ("2026-11-19", Ready)):
        payer.bench.db.execute(update, [closed])
        assert isinstance(payer.check(payment_id), kind)


def test_the_receivable_account_may_be_chosen_where_there_are_several(payer):
    payment_id = payer.take("98", invoice(bill(payer), "98", withholding_tax_amount="2"))
    payer.bench.db.execute(WAITS["receivable_ambiguous"])
    assert payer.check(payment_id).code == "receivable_ambiguous"

    payer.map_account("receivable", "USD", "Accounts Receivable (A/R)")

    assert payer.check(payment_id).outgoing.accounts.receivable == payer.account("Accounts Receivable (A/R)")


def test_the_receivable_account_that_an_invoice_names_is_taken(payer):
    bill_id = bill(payer)
    payment_id = payer.take("98", invoice(bill_id, "98", withholding_tax_amount="2"))
    payer.bench.db.execute(
        """update staging.invoice set payload = payload || '{"ARAccountRef": {"value": "84"}}' where qbo_id = %s""",
        [bill_id],
    )

    assert payer.check(payment_id).outgoing.accounts.receivable == "84"


def test_a_type_of_tax_may_have_an_account_of_its_own(payer):
    payer.map_account("withholding_tax_receivable", "PPh 23", "Undeposited Funds")
    applied = [
        invoice(bill(payer), "98", withholding_tax_amount="2", withholding_tax_type=tax)
        for tax in ("PPh 23", "PPh 4(2)")
    ]

    outgoing = payer.check(payer.take("196", *applied)).outgoing

    assert outgoing.accounts.withholding_tax == {
        "PPh 23": payer.account("Undeposited Funds"),
        "PPh 4(2)": payer.account("Withholding Tax Receivable"),
    }


def test_only_accounts_that_a_payment_needs_have_to_be_mapped(payer):
    payer.bench.db.execute("delete from sync.account_mapping where purpose <> 'deposit_currency'")
    bill_id = bill(payer)

    assert isinstance(payer.check(payer.take("10", invoice(bill_id, "10"))), Ready)
    with_fee = payer.take("10", invoice(bill_id, "10"), processing_fee=Decimal("0.5"))
    assert payer.check(with_fee).code == "account_unmapped"
    assert "processing_fees" in payer.check(with_fee).sentence
