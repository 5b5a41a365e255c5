"""A typed client of the control API, for tests, benchmarks and the launcher."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.control_facts import (
        CallCounts,
        ClockFacts,
        CompanyFacts,
        CreatedCompany,
        Json,
        Tokens,
        WebhookFacts,
    )


def _verbatim(value: Any) -> str:
    """Return the JSON text of a value in base64, with half a surrogate pair as it stands."""
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


class ControlError(Exception):
    """
    The sandbox refused a control call.

    :param status: the HTTP status.
    :param reason: what the sandbox says.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"The sandbox answered {status}: {reason}")
        self.status = status


class SandboxControl:
    """
    Drives a sandbox from outside.

    :param base_url: where it listens, such as ``http://127.0.0.1:8080``.
    :param timeout: seconds to wait for an answer; very large books take a while to build.
    """

    def __init__(self, base_url: str, timeout: float = 120.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout

    @property
    def api_url(self) -> str:
        """Where the Accounting API is, the part before ``/v3``."""
        return self.base_url

    @property
    def discovery_url(self) -> str:
        """Where OAuth's discovery document is."""
        return f"{self.base_url}/.well-known/openid_sandbox_configuration"

    def health(self) -> bool:
        """Tell whether the sandbox is up."""
        try:
            return bool(self._call("GET", "health")["status"] == "ok")
        except (OSError, ControlError):
            return False

    def reset(self) -> None:
        """Drop injected faults, oddities, hooks and settings, and set the clock right; companies stay."""
        self._call("POST", "reset")

    def create_company(
        self,
        name: str = "Riverbend Design Studio",
        *,
        books: Literal["demo", "empty"] | dict[str, int] = "demo",
        country: str = "US",
        home_currency: str = "USD",
        multicurrency: bool = True,
        realm_id: str | None = None,
    ) -> CreatedCompany:
        """
        Create a company and connect the app to it.

        :param books: demo, empty, or how many of customers, invoices and payments.
        """
        asked = {
            "name": name,
            "books": books,
            "country": country,
            "home_currency": home_currency,
            "multicurrency": multicurrency,
            "realm_id": realm_id or "",
        }
        created: CreatedCompany = self._call("POST", "companies", asked)
        return created

    def companies(self) -> list[CompanyFacts]:
        """List the companies."""
        listed: list[CompanyFacts] = self._call("GET", "companies")
        return listed

    def tokens(self, realm_id: str) -> Tokens:
        """Connect the app once more, as if a user had consented."""
        tokens: Tokens = self._call("POST", f"companies/{realm_id}/tokens")
        return tokens

    def events(self, realm_id: str, count: int, seed: int = 1, **weights: int) -> dict[str, int]:
        """
        Run random business events, and return how many of each kind.

        :param weights: how likely kinds are, in place of the usual; sandbox.random_events lists them.
        """
        asked = {"count": count, "seed": seed, "weights": weights}
        counts: dict[str, int] = self._call("POST", f"companies/{realm_id}/events", asked)["events"]
        return counts

    def merge(self, realm_id: str, loser: str, survivor: str) -> None:
        """Merge one customer into another, as users do on the web."""
        self._call("POST", f"companies/{realm_id}/merges", {"loser": loser, "survivor": survivor})

    def keep(self, realm_id: str) -> None:
        """Remember the books of a company and its tokens as they are now."""
        self._call("POST", f"companies/{realm_id}/keep")

    def put_back(self, realm_id: str) -> None:
        """Put a company back as it was kept; only a sandbox in memory can."""
        self._call("POST", f"companies/{realm_id}/put-back")

    def truth(self, realm_id: str, *, records: bool = False) -> Json:
        """Tell what a company's books hold; with all records if asked."""
        found: Json = self._call("GET", f"companies/{realm_id}/truth{'?records=1' if records else ''}")
        return found

    def calls(self, realm_id: str) -> CallCounts:
        """Return the counts of a company's API calls."""
        counts: CallCounts = self._call("GET", f"companies/{realm_id}/calls")
        return counts

    def reset_calls(self, realm_id: str) -> None:
        """Start counting a company's API calls anew."""
        self._call("DELETE", f"companies/{realm_id}/calls")

    def oauth_calls(self) -> dict[str, int]:
        """Return the counts of token requests by grant type, and of refusals by error."""
        counts: dict[str, int] = self._call("GET", "oauth/calls")
        return counts

    def reset_oauth_calls(self) -> None:
        """Start counting token requests anew."""
        self._call("DELETE", "oauth/calls")

    def expire(self, realm_id: str, what: Literal["access", "refresh", "all"] = "access") -> None:
        """Let a company's tokens expire now."""
        self._call("POST", f"companies/{realm_id}/expire", {"what": what})

    def revoke(self, realm_id: str) -> None:
        """Disconnect the app from a company, as its admin does in QuickBooks."""
        self._call("POST", f"companies/{realm_id}/revoke")

    def clock(self) -> ClockFacts:
        """Return the sandbox's time."""
        facts: ClockFacts = self._call("GET", "clock")
        return facts

    def set_clock(self, offset_seconds: float) -> ClockFacts:
        """Set how far the sandbox's time is ahead of real time."""
        facts: ClockFacts = self._call("POST", "clock", {"offset_seconds": offset_seconds})
        return facts

    def advance_clock(self, seconds: float) -> ClockFacts:
        """Let time pass."""
        facts: ClockFacts = self._call("POST", "clock", {"advance_seconds": seconds})
        return facts

    def settings(self, realm_id: str = "") -> Json:
        """Return the settings in force, of one company or in general."""
        found: Json = self._call(
            "GET", "settings" + (f"?{urlencode({'realm': realm_id})}" if realm_id else "")
        )
        return found

    def change_settings(self, realm_id: str = "", **values: Any) -> Json:
        """Change settings, of one company or in general; sandbox.settings lists them."""
        changed: Json = self._call("POST", "settings", {"realm": realm_id, **values})
        return changed

    def add_fault(
        self,
        kind: str,
        *,
        realm: str = "",
        path: str = "",
        entity: str = "",
        method: str = "",
        count: int | None = None,
        **more: Any,
    ) -> str:
        """
        Inject a fault, and return the rule's id; sandbox.injection lists the kinds.

        :param path: the beginning of the path below the company, or token.
        :param count: how often; without a limit when None.
        :param more: seconds, probability, retry_after, fault.
        """
        rule = {"kind": kind, "realm": realm, "path": path, "entity": entity, "method": method, **more}
        if count is not None:
            rule["count"] = count
        return str(self._call("POST", "faults", rule)["id"])

    def faults(self) -> list[Json]:
        """List the rules in force with their hits."""
        rules: list[Json] = self._call("GET", "faults")
        return rules

    def clear_faults(self) -> None:
        """Drop all rules."""
        self._call("DELETE", "faults")

    def serve(
        self,
        realm_id: str,
        entity: str,
        record_id: str = "",
        put: Json | None = None,
        *,
        drop: Sequence[str] = (),
        raw: bytes | None = None,
        times: int | None = None,
        tombstone: bool = False,
    ) -> None:
        """
        Answer a record otherwise than it is, wherever it is answered; the books stay as they are.

        :param entity: or the name of a report.
        :param record_id: empty for every record of the entity.
        :param put: values by the path of a property, such as ``MetaData.LastUpdatedTime`` or
            ``Line.0.LinkedTxn``; bytes stand in the answer verbatim, half a surrogate pair may be in a text.
        :param drop: the paths of properties that are left out.
        :param raw: the whole record, verbatim.
        :param times: in how many answers; in all of them when None.
        :param tombstone: whether it is what is left of the record once it is deleted.
        """
        texts = {path: _verbatim(value) for path, value in (put or {}).items()}
        odd: Json = {"put": texts, "drop": list(drop), "times": times, "tombstone": tombstone}
        if raw is not None:
            odd["raw"] = _verbatim(raw)
        self._call("POST", f"companies/{realm_id}/oddities", {"entity": entity, "id": record_id, **odd})

    def poison(
        self,
        realm_id: str,
        entity: str,
        record_id: str = "",
        fault: Json | str = "unprintable",
        *,
        times: int | None = None,
    ) -> None:
        """
        Let every answer that would hold a record be a fault; count(*) still counts it.

        :param fault: a name in sandbox.given_faults, or code, message, detail, kind and status.
        :param times: in how many answers; in all of them when None.
        """
        odd = {"entity": entity, "id": record_id, "fault": fault, "times": times}
        self._call("POST", f"companies/{realm_id}/oddities", odd)

    def oddities(self, realm_id: str) -> list[Json]:
        """List which records are not answered as they are."""
        odd: list[Json] = self._call("GET", f"companies/{realm_id}/oddities")
        return odd

    def serve_truth(self, realm_id: str, entity: str = "", record_id: str = "") -> None:
        """Answer one record as it is again, or an entity, or everything."""
        asked = urlencode({"entity": entity, "id": record_id})
        self._call("DELETE", f"companies/{realm_id}/oddities?{asked}")

    def add_hook(
        self,
        realm_id: str,
        after: str,
        *,
        nth: int = 1,
        writes: list[Json] | None = None,
        delete_ids: dict[str, list[str]] | None = None,
        count: int = 0,
        seed: int = 1,
    ) -> str:
        """
        Change the books right after an answer, once, and return the hook's id.

        :param after: the kind of the answer, such as query:Invoice, read:Invoice or cdc.
        :param nth: which one, counted from now.
        :param writes: writes as in a batch: operation and one entity each.
        :param delete_ids: the Ids of transactions to delete, by entity.
        :param count: how many random events to run.
        """
        hook = {
            "realm": realm_id,
            "after": after,
            "nth": nth,
            "writes": writes or [],
            "delete_ids": delete_ids or {},
            "count": count,
            "seed": seed,
        }
        return str(self._call("POST", "hooks", hook)["id"])

    def hooks(self) -> list[Json]:
        """List the hooks that wait."""
        waiting: list[Json] = self._call("GET", "hooks")
        return waiting

    def clear_hooks(self) -> None:
        """Drop all hooks."""
        self._call("DELETE", "hooks")

    def webhooks(self) -> WebhookFacts:
        """Tell where webhooks go and what became of them: counts of answers and faults."""
        facts: WebhookFacts = self._call("GET", "webhooks")
        return facts

    def change_webhooks(self, **values: Any) -> WebhookFacts:
        """Change where webhooks go and in what form; sandbox.webhooks lists the settings."""
        facts: WebhookFacts = self._call("POST", "webhooks", values)
        return facts

    def add_webhook_fault(self, kind: str, **more: Any) -> None:
        """
        Let something go wrong with the next webhooks; sandbox.webhooks lists the kinds.

        :param more: count, seconds.
        """
        self._call("POST", "webhooks/faults", {"kind": kind, **more})

    def clear_webhook_faults(self) -> None:
        """Let nothing go wrong with webhooks any more."""
        self._call("DELETE", "webhooks/faults")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        place = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=self._timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/control/{path}", payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answer = json.loads(text) if text else {}
        if response.status >= 400:
            raise ControlError(response.status, answer.get("error", response.reason))
        return answer
