"""Intuit's own OAuth client and python-quickbooks, unchanged, against the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks, exceptions
from quickbooks.batch import batch_create, batch_delete, batch_update
from quickbooks.cdc import change_data_capture
from quickbooks.objects import (
    Account,
    CompanyInfo,
    CreditMemo,
    Customer,
    Invoice,
    Item,
    JournalEntry,
    Payment,
    PaymentLine,
    PaymentMethod,
    Preferences,
    SalesItemLine,
    SalesItemLineDetail,
    TaxCode,
    TaxRate,
    Term,
)
from quickbooks.objects.base import LinkedTxn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.control import SandboxControl

REDIRECT = "http://127.0.0.1:9/callback"


@pytest.fixture
def auth(sandbox: SandboxControl) -> Iterator[AuthClient]:
    client = AuthClient("sandbox-client", "sandbox-secret", REDIRECT, environment=sandbox.discovery_url)
    with client:
        yield client


@pytest.fixture
def company(sandbox: SandboxControl) -> Any:
    created = sandbox.create_company()
    sandbox.change_settings(created["realm_id"], throttle="off")
    return created


@pytest.fixture
def qb(
    sandbox: SandboxControl, auth: AuthClient, company: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[QuickBooks]:
    # oauthlib's own switch for plain HTTP.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setattr(QuickBooks, "api_url_v3", f"{sandbox.base_url}/v3")
    client = QuickBooks(
        auth_client=auth,
        refresh_token=company["refresh_token"],
        company_id=company["realm_id"],
        minorversion=75,
    )
    with client.session:
        yield client


def consent(auth: AuthClient, realm_id: str, decision: str = "connect") -> dict[str, str]:
    url = auth.get_authorization_url([Scopes.ACCOUNTING, Scopes.OPENID], state_token="s-1")
    page = requests.get(url, timeout=10)
    assert page.status_code == 200
    assert f'value="{realm_id}"' in page.text
    answer = requests.post(
        url, data={"decision": decision, "realm_id": realm_id}, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def test_the_whole_oauth_flow(auth: AuthClient, company: Any) -> None:
    returned = consent(auth, company["realm_id"])
    assert (returned["state"], returned["realmId"]) == ("s-1", company["realm_id"])
    auth.get_bearer_token(returned["code"], realm_id=returned["realmId"])
    first = auth.refresh_token
    assert auth.expires_in == 3600
    assert auth.x_refresh_token_expires_in > 8_000_000
    assert auth.id_token
    assert auth.get_user_info().json()["email"] == "sandra@example.com"
    auth.refresh()
    assert auth.refresh_token != first
    assert auth.revoke(token=auth.refresh_token) is True
    with pytest.raises(AuthClientError, match="invalid_grant"):
        auth.refresh()


def test_a_token_endpoint_in_trouble(sandbox: SandboxControl, auth: AuthClient, company: Any) -> None:
    sandbox.change_settings(company["realm_id"], refresh_grace_seconds=86_400)
    faults = (
        {"kind": "429"},
        {"kind": "503_html"},
        {"kind": "token_error"},
        {"kind": "token_error", "error": "temporarily_unavailable"},
    )
    for fault in faults:
        sandbox.add_fault(**fault, path="token", count=1)
        with pytest.raises(AuthClientError):
            auth.refresh(refresh_token=company["refresh_token"])
    sandbox.add_fault("lost_answer", path="token", count=1)
    with pytest.raises(requests.ConnectionError):
        auth.refresh(refresh_token=company["refresh_token"])
    auth.refresh(refresh_token=company["refresh_token"])
    assert auth.refresh_token != company["refresh_token"]


def test_a_code_serves_once(auth: AuthClient, company: Any) -> None:
    code = consent(auth, company["realm_id"])["code"]
    auth.get_bearer_token(code)
    with pytest.raises(AuthClientError, match="invalid_grant"):
        auth.get_bearer_token(code)


def test_a_user_may_refuse(auth: AuthClient, company: Any) -> None:
    assert consent(auth, company["realm_id"], "cancel") == {"error": "access_denied", "state": "s-1"}


def test_reading_listing_filtering_and_counting(qb: QuickBooks) -> None:
    for cls in (
        Account,
        CreditMemo,
        Customer,
        Invoice,
        Item,
        JournalEntry,
        Payment,
        PaymentMethod,
        TaxCode,
        TaxRate,
        Term,
    ):
        listed = cls.all(qb=qb, max_results=1000)
        assert listed, cls.__name__
        assert cls.get(listed[-1].Id, qb=qb).Id == listed[-1].Id
    assert CompanyInfo.all(qb=qb)[0].CompanyName == "Riverbend Design Studio"
    assert Preferences.get(qb=qb).CurrencyPrefs.MultiCurrencyEnabled is True
    assert Customer.filter(DisplayName="Freeman Sporting Goods", qb=qb)[0].BalanceWithJobs > 0
    assert Invoice.count(qb=qb) == len(Invoice.all(qb=qb, max_results=1000))
    paid = Invoice.where("Balance = '0'", order_by="TxnDate DESC", max_results=5, qb=qb)
    assert all(invoice.Balance == 0 for invoice in paid)
    chosen = Customer.choose(["1", "2"], qb=qb)
    assert {customer.Id for customer in chosen} == {"1", "2"}


def test_creating_updating_and_setting_aside_a_customer(qb: QuickBooks) -> None:
    customer = Customer()
    customer.DisplayName = "O'Malley & Töchter"
    customer.save(qb=qb)
    assert Customer.filter(DisplayName="O'Malley & Töchter", qb=qb)[0].Id == customer.Id
    customer.CompanyName = "O'Malley"
    customer = customer.save(qb=qb)
    assert customer.SyncToken == "1"
    customer.Active = False
    customer.save(qb=qb)
    assert Customer.get(customer.Id, qb=qb).DisplayName == "O'Malley & Töchter (deleted)"


def invoice_of(customer: Customer, amount: float) -> Invoice:
    line = SalesItemLine()
    line.Amount = amount
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = {"value": "1", "name": "Services"}
    invoice = Invoice()
    invoice.Line.append(line)
    invoice.CustomerRef = customer.to_ref()
    return invoice


def payment_of(customer: Customer, invoice: Invoice, amount: float) -> Payment:
    line = PaymentLine()
    line.Amount = amount
    link = LinkedTxn()
    link.TxnId, link.TxnType = invoice.Id, "Invoice"
    line.LinkedTxn.append(link)
    payment = Payment()
    payment.TotalAmt = amount
    payment.CustomerRef = customer.to_ref()
    payment.Line.append(line)
    return payment


@pytest.fixture
def customer(qb: QuickBooks) -> Customer:
    found = Customer()
    found.DisplayName = "Ada"
    found.save(qb=qb)
    return found


def test_an_invoice_is_paid_voided_and_deleted(qb: QuickBooks, customer: Customer) -> None:
    invoice = invoice_of(customer, 100.5)
    invoice.save(qb=qb)
    payment = payment_of(customer, invoice, 100.5)
    payment.save(qb=qb, request_id="request-1")
    payment_of(customer, invoice, 100.5).save(qb=qb, request_id="request-1")
    assert Payment.where(f"CustomerRef = '{customer.Id}'", qb=qb)[0].Id == payment.Id
    assert Payment.count(f"CustomerRef = '{customer.Id}'", qb=qb) == 1
    invoice = Invoice.get(invoice.Id, qb=qb)
    assert (invoice.Balance, invoice.LinkedTxn[0].TxnId) == (0, payment.Id)
    with pytest.raises(exceptions.QuickbooksException, match="business validation"):
        invoice.void(qb=qb)
    payment.void(qb=qb)
    assert Payment.get(payment.Id, qb=qb).PrivateNote == "Voided"
    invoice = Invoice.get(invoice.Id, qb=qb)
    assert invoice.Balance == 100.5
    invoice.void(qb=qb)
    invoice = Invoice.get(invoice.Id, qb=qb)
    assert (invoice.TotalAmt, invoice.PrivateNote) == (0, "Voided")
    invoice.delete(qb=qb)
    with pytest.raises(exceptions.ObjectNotFoundException):
        Invoice.get(invoice.Id, qb=qb)


def test_refusals_become_the_clients_exceptions(qb: QuickBooks, customer: Customer) -> None:
    twin = Customer()
    twin.DisplayName = "Ada"
    with pytest.raises(exceptions.QuickbooksException) as refused:
        twin.save(qb=qb)
    assert refused.value.error_code == 6240
    with pytest.raises(exceptions.ValidationException) as refused:
        Customer.where("Nonsense = '1'", qb=qb)
    assert refused.value.error_code == 4001


def test_changes_of_several_entities_and_a_deletion(qb: QuickBooks, customer: Customer) -> None:
    since = datetime.now(UTC) - timedelta(seconds=30)
    invoice = invoice_of(customer, 10)
    invoice.save(qb=qb)
    payment = payment_of(customer, invoice, 10)
    payment.save(qb=qb)
    payment.delete(qb=qb)
    answer = change_data_capture([Invoice, Payment, Customer, Term], since.isoformat(), qb=qb)
    assert invoice.Id in {changed.Id for changed in answer.Invoice._object_list}
    assert not hasattr(answer, "Term")
    assert [changed.Id for changed in answer.Payment._object_list][-1] == payment.Id


def test_batches_create_update_and_delete(qb: QuickBooks, customer: Customer) -> None:
    created = batch_create([invoice_of(customer, 10), invoice_of(customer, 20), Invoice()], qb=qb)
    assert (len(created.successes), len(created.faults)) == (2, 1)
    for invoice in created.successes:
        invoice.PrivateNote = "batched"
    updated = batch_update(created.successes, qb=qb)
    assert {invoice.PrivateNote for invoice in updated.successes} == {"batched"}
    deleted = batch_delete(updated.successes, qb=qb)
    assert len(deleted.successes) == 2
    assert Invoice.count(f"CustomerRef = '{customer.Id}'", qb=qb) == 0


def test_reports_are_fetched_with_parameters(qb: QuickBooks) -> None:
    aged = qb.get_report("AgedReceivables", {"report_date": "2026-01-31", "aging_method": "Report_Date"})
    assert aged["Header"]["Option"][0] == {"Name": "report_date", "Value": "2026-01-31"}
    balances = qb.get_report("CustomerBalance")
    assert balances["Rows"]["Row"][-1]["group"] == "GrandTotal"
    with pytest.raises(exceptions.QuickbooksException, match="Permission Denied"):
        qb.get_report("ARAgingDetail", {"start_date": "2026-01-01"})


def test_an_expired_token_is_refused_and_refreshed(
    sandbox: SandboxControl, qb: QuickBooks, auth: AuthClient, company: Any
) -> None:
    sandbox.expire(company["realm_id"])
    with pytest.raises(exceptions.AuthorizationException):
        Customer.all(qb=qb)
    auth.refresh()
    qb.session.token = {"access_token": auth.access_token}
    assert Customer.all(qb=qb)
