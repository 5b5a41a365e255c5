"""A person at work in the sandbox's books, through QuickBooks' own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sandbox.control import SandboxControl

Json = dict[str, Any]

# Intuit: a batch takes up to 30 items.
MOST_IN_A_BATCH = 30


class Bookkeeper:
    """
    Writes one company's books.

    :param sandbox: the sandbox that holds them.
    """

    def __init__(self, sandbox: SandboxControl, realm_id: str) -> None:
        self._sandbox = sandbox
        self._realm_id = realm_id
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._sign_in()

    def __enter__(self) -> Bookkeeper:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._session.close()

    def write(self, entity: str, **fields: Any) -> Json:
        """Create a record, or replace the one whose Id is given."""
        return self._post(entity, fields)

    def change(self, entity: str, record_id: str, **fields: Any) -> Json:
        """Change some properties of a record."""
        return self._post(entity, {**self._key(entity, record_id), "sparse": True, **fields})

    def delete(self, entity: str, record_id: str) -> None:
        """Delete a transaction."""
        self._post(entity, self._key(entity, record_id), operation="delete")

    def void(self, entity: str, record_id: str) -> Json:
        """Void a transaction."""
        return self._post(entity, self._key(entity, record_id), operation="void")

    def read(self, entity: str, record_id: str) -> Json:
        """Read a record."""
        record: Json = self._call("GET", f"{entity.lower()}/{record_id}")[entity]
        return record

    def customer(self, name: str, **more: Any) -> str:
        """Enter a customer, and return its Id."""
        return str(self.write("Customer", DisplayName=name, **more)["Id"])

    def invoice(self, customer: str, amount: str, **more: Any) -> str:
        """Enter an invoice over one line, and return its Id."""
        return str(self._sale("Invoice", customer, amount, more)["Id"])

    def credit(self, customer: str, amount: str, **more: Any) -> str:
        """Enter a credit memo over one line, and return its Id."""
        return str(self._sale("CreditMemo", customer, amount, more)["Id"])

    def pay(self, customer: str, total: str, *applied: tuple[str, str, str], **more: Any) -> str:
        """Enter a payment, and return its Id; what it is applied to is an entity, an Id and an amount each."""
        lines = [payment_line(*each) for each in applied]
        return str(
            self.write("Payment", CustomerRef={"value": customer}, TotalAmt=total, Line=lines, **more)["Id"]
        )

    def allocate(self, payment: str, *applied: tuple[str, str, str], **more: Any) -> None:
        """Apply a payment otherwise."""
        self.change("Payment", payment, Line=[payment_line(*each) for each in applied], **more)

    def batch(self, operation: str, entity: str, records: Iterable[Json]) -> list[Json]:
        """Write many records in as few requests as QuickBooks allows."""
        items = [
            {"bId": str(number), "operation": operation, entity: record}
            for number, record in enumerate(records)
        ]
        written: list[Json] = []
        for first in range(0, len(items), MOST_IN_A_BATCH):
            body = {"BatchItemRequest": items[first : first + MOST_IN_A_BATCH]}
            answer = self._call("POST", "batch", json=body)
            written += [item[entity] for item in answer["BatchItemResponse"]]
        return written

    def _sale(self, entity: str, customer: str, amount: str, more: Json) -> Json:
        detail = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": amount, "TaxCodeRef": {"value": "NON"}}
        line = {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
        return self.write(entity, **{"CustomerRef": {"value": customer}, "Line": [line], **more})

    def _key(self, entity: str, record_id: str) -> Json:
        return {"Id": record_id, "SyncToken": self.read(entity, record_id)["SyncToken"]}

    def _post(self, entity: str, body: Json, **options: str) -> Json:
        record: Json = self._call("POST", entity.lower(), json=body, params=options)[entity]
        return record

    def _call(self, method: str, path: str, **request: Any) -> Json:
        url = f"{self._sandbox.base_url}/v3/company/{self._realm_id}/{path}"
        answer = self._session.request(method, url, timeout=30, **request)
        if answer.status_code == requests.codes.unauthorized:  # a test has let an hour pass
            self._sign_in()
            answer = self._session.request(method, url, timeout=30, **request)
        assert answer.status_code == requests.codes.ok, answer.text
        content: Json = answer.json()
        return content

    def _sign_in(self) -> None:
        token = self._sandbox.tokens(self._realm_id)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"


def payment_line(entity: str, txn_id: str, amount: str) -> Json:
    """Return a line of a payment that settles a transaction."""
    return {"Amount": amount, "LinkedTxn": [{"TxnId": txn_id, "TxnType": entity}]}
