from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.sandbox import Sandbox
from sandbox.scribe import Scribe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Books
    from sandbox.control import SandboxControl


class Api:
    """A bare HTTP client of one company."""

    def __init__(self, control: SandboxControl, company: dict[str, Any]) -> None:
        self.control = control
        self.realm_id = company["realm_id"]
        self.access_token = company["access_token"]
        self.refresh_token = company["refresh_token"]
        self.session = requests.Session()
        self.session.headers.update(
            {"Authorization": f"Bearer {self.access_token}", "Accept": "application/json"}
        )

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.control.base_url}/v3/company/{self.realm_id}/{path}"
        return self.session.request(method, url, timeout=30, **options)

    def query(self, statement: str) -> dict[str, Any]:
        return self.ok(self.call("GET", "query", params={"query": statement}))["QueryResponse"]

    def changes(self, entities: str, since: str) -> dict[str, Any]:
        answer = self.ok(self.call("GET", "cdc", params={"entities": entities, "changedSince": since}))
        parts = answer["CDCResponse"][0]["QueryResponse"]
        return dict(zip(entities.split(","), parts, strict=True))

    def read(self, entity: str, record_id: str) -> dict[str, Any]:
        return self.ok(self.call("GET", f"{entity.lower()}/{record_id}"))[entity]

    def write(self, entity: str, body: dict[str, Any], **options: str) -> dict[str, Any]:
        return self.ok(self.call("POST", entity.lower(), json=body, params=options))[entity]

    def refusal(self, entity: str, body: dict[str, Any], **options: str) -> dict[str, Any]:
        response = self.call("POST", entity.lower(), json=body, params=options)
        assert response.status_code == 400, response.text
        return response.json()["Fault"]["Error"][0]

    @staticmethod
    def ok(response: requests.Response) -> dict[str, Any]:
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    """An empty company behind real HTTP, without limits."""
    client = Api(sandbox, sandbox.create_company("Empty Ltd", books="empty"))
    sandbox.change_settings(client.realm_id, throttle="off")
    with client.session:
        yield client


@pytest.fixture
def demo_api(sandbox: SandboxControl) -> Iterator[Api]:
    """The demo company behind real HTTP, without limits."""
    client = Api(sandbox, sandbox.create_company())
    sandbox.change_settings(client.realm_id, throttle="off")
    with client.session:
        yield client


@pytest.fixture
def state() -> Sandbox:
    """A sandbox in this process."""
    return Sandbox(seed=7)


@pytest.fixture
def books(state: Sandbox) -> Books:
    """The books of a new company with several currencies."""
    company = state.open_company(
        "Empty Ltd", realm_id="1", country="US", home_currency="USD", multicurrency=True
    )
    return company.books


@pytest.fixture
def scribe(books: Books) -> Scribe:
    """Somebody who writes into the books, now."""
    return Scribe(books)
