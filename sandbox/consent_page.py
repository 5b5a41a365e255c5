"""The page on which a user chooses a company and lets the app in."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from sandbox.sandbox import Sandbox

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>QuickBooks sandbox: connect</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#21262a}}
h1{{font-size:1.3rem}}label{{display:block;padding:.6rem;border:1px solid #d4d7dc;border-radius:.4rem;margin:.4rem 0}}
button{{font:inherit;padding:.5rem 1.2rem;border-radius:.4rem;border:1px solid #2ca01c;margin:.8rem .4rem 0 0}}
button[value=connect]{{background:#2ca01c;color:#fff}}button[value=cancel]{{background:#fff;border-color:#8d9096}}
</style></head><body>
<h1>Connect a company to this app</h1>
<p>You are signed in to the local QuickBooks sandbox. The app will read and change the books of the company
that you choose.</p>
<form method="post">{hidden}
{companies}
<button name="decision" value="connect"{disabled}>Connect</button><button name="decision" value="cancel">Cancel</button>
</form></body></html>"""
_PARAMETERS = ("client_id", "response_type", "scope", "redirect_uri", "state")


class ConsentPage:
    """
    ``/connect/oauth2``: shows the page and takes the decision.

    :param sandbox: the state.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def answer(self, request: Request) -> Response:
        """Show the page, or send the user back to the app."""
        if request.method == "POST":
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            return self._decided({**request.query_params, **form})
        problem = self._problem(request.query_params)
        if problem:
            return _refusal(problem)
        return HTMLResponse(self._page(request.query_params))

    def _problem(self, parameters: Mapping[str, str]) -> str:
        if parameters.get("client_id") != self._sandbox.oauth.client_id:
            return "The client_id is not the sandbox's app."
        if parameters.get("response_type") != "code":
            return "The response_type must be code."
        target = urlsplit(parameters.get("redirect_uri", ""))
        if target.scheme not in ("http", "https") or not target.netloc:
            return "The redirect_uri query parameter value is invalid."
        return "" if parameters.get("state") else "The state query parameter is missing."

    def _page(self, parameters: Mapping[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(parameters.get(name, ""))}">'
            for name in _PARAMETERS
        )
        companies = "\n".join(
            f'<label><input type="radio" name="realm_id" value="{escape(company.realm_id)}"'
            f"{' checked' if number == 0 else ''} required> {escape(company.name)}</label>"
            for number, company in enumerate(self._sandbox.companies.values())
        )
        return _PAGE.format(
            hidden=hidden,
            companies=companies or "<p>The sandbox has no company yet.</p>",
            disabled="" if companies else " disabled",
        )

    def _decided(self, parameters: Mapping[str, str]) -> Response:
        problem = self._problem(parameters)
        if problem:
            return _refusal(problem)
        answer = {"state": parameters["state"]}
        realm_id = parameters.get("realm_id", "")
        if parameters.get("decision") != "connect":
            answer = {"error": "access_denied", **answer}
        elif realm_id not in self._sandbox.companies:
            return _refusal("Choose a company.")
        else:
            oauth = self._sandbox.oauth
            code = oauth.consent(realm_id, parameters["redirect_uri"], parameters.get("scope", ""))
            self._sandbox.storage.save_tokens(oauth)
            answer = {"code": code, **answer, "realmId": realm_id}
        target = parameters["redirect_uri"]
        separator = "&" if urlsplit(target).query else "?"
        return RedirectResponse(f"{target}{separator}{urlencode(answer)}", status_code=302)


def _refusal(problem: str) -> Response:
    return HTMLResponse(f"<!doctype html><title>Error</title><h1>Sorry</h1><p>{escape(problem)}</p>", 400)
